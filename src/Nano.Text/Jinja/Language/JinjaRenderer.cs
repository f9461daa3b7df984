using System.Text;

namespace Nano;

/// <summary>Walks the tree of a template once: statements here, macros and expressions in the other parts.</summary>
internal sealed partial class JinjaRenderer
{
    private readonly JinjaBudget budget = new();
    private readonly JinjaScope top;
    private int at, macroDepth;
    private bool autoescape;

    private JinjaRenderer(IEnumerable<KeyValuePair<string, object?>> variables, Func<JinjaBudget, JinjaFunction> clock)
    {
        var scope = new JinjaScope(null);
        foreach (var (name, value) in JinjaFunctions.All(budget).Append(new("strftime_now", clock(budget)))
            .Concat(variables))
            scope.Set(name, value);
        top = new JinjaScope(scope);
    }

    private enum Flow
    {
        On,
        Break,
        Continue,
    }

    /// <summary>The text that a template makes of its variables.</summary>
    /// <exception cref="ChatTemplateException">An operation is impossible, the template refuses its
    /// input, or a limit is exceeded.</exception>
    public static string Render(
        JinjaSource source, IReadOnlyList<JinjaNode> template, IEnumerable<KeyValuePair<string, object?>> variables,
        DateTime now)
    {
        var renderer = new JinjaRenderer(variables, budget => JinjaFunctions.Clock(now, budget));
        var output = new StringBuilder();
        try
        {
            renderer.Execute(template, renderer.top, output);
            return output.ToString();
        }
        catch (JinjaError e)
        {
            throw source.Error(renderer.at, e.Message);
        }
    }

    private Flow Execute(IReadOnlyList<JinjaNode> body, JinjaScope scope, StringBuilder to)
    {
        JinjaBudget.EnsureStack();
        foreach (var node in body)
        {
            budget.Step();
            if (Execute(node, scope, to) is not Flow.On and var flow)
                return flow;
        }
        return Flow.On;
    }

    private Flow Execute(JinjaNode node, JinjaScope scope, StringBuilder to)
    {
        at = node.At;
        switch (node)
        {
            case JinjaText text:
                Write(text.Text, to);
                return Flow.On;
            case JinjaOutput print:
                Print(print, scope, to);
                return Flow.On;
            case JinjaIf choice:
                return Execute(Branch(choice, scope), scope, to);
            case JinjaFor loop:
                return For(loop, scope, to);
            case JinjaSet set:
                Assign(set.Target, Evaluate(set.Value, scope), scope);
                return Flow.On;
            case JinjaSetBlock set:
                return SetBlock(set, scope);
            case JinjaMacro macro:
                scope.Set(macro.Name!, Function(macro, scope));
                return Flow.On;
            case JinjaCallBlock call:
                ShowText(CallBlock(call, scope), to);
                return Flow.On;
            case JinjaFilterBlock filter:
                return FilterBlock(filter, scope, to);
            case JinjaWith with:
                return With(with, scope, to);
            case JinjaAutoescape escape:
                return Autoescape(escape, scope, to);
            case JinjaBlock block:
                return Execute(block.Body, new JinjaScope(block.IsScoped ? scope : top), to);
            case JinjaGeneration generation:
                return Execute(generation.Body, new JinjaScope(scope), to);
            case JinjaJump jump:
                return jump.IsBreak ? Flow.Break : Flow.Continue;
            case JinjaUnavailable { Statement: var statement } other:
                Evaluate(other.Template, scope);
                at = other.At;
                throw new JinjaError($"'{statement}' needs another template, and there is none");
            default:
                throw new JinjaError("this statement cannot be run");
        }
    }

    private void Print(JinjaOutput print, JinjaScope scope, StringBuilder to)
    {
        object? value = Evaluate(print.Value, scope);
        at = print.At;
        Show(value, to);
    }

    private void Show(object? value, StringBuilder to) =>
        Write(autoescape ? PythonText.Escaped(value, budget) : PythonRepr.Str(value, budget), to);

    /// <summary>Prints what a block has become, which must be text.</summary>
    private void ShowText(object? value, StringBuilder to) => Write(PythonText.AsText(value)
        ?? throw new JinjaError($"a block becomes text, not {PythonOps.KindOf(value)}"), to);

    private void Write(string text, StringBuilder to)
    {
        budget.Make(text.Length);
        to.Append(text);
    }

    /// <summary>The text of a block as a value: markup where text is escaped.</summary>
    private object Text(StringBuilder text) => autoescape ? new JinjaMarkup(text.ToString()) : text.ToString();

    private IReadOnlyList<JinjaNode> Branch(JinjaIf choice, JinjaScope scope)
    {
        foreach (var (test, body) in choice.Branches)
            if (PythonOps.IsTrue(Evaluate(test, scope)))
                return body;
        return choice.Else;
    }

    private Flow For(JinjaFor loop, JinjaScope scope, StringBuilder to)
    {
        object? items = Evaluate(loop.Items, scope);
        at = loop.At;
        if (!loop.IsRecursive)
            return Loop(loop, items, scope, to, 0, null);
        Show(Recurse(items, 0), to);
        return Flow.On;

        object Recurse(object? deeper, int depth)
        {
            JinjaBudget.EnsureStack();
            if (depth > JinjaBudget.MaxMacroDepth)
                throw new JinjaError($"a loop calls itself more than {JinjaBudget.MaxMacroDepth} deep");
            var text = new StringBuilder();
            Loop(loop, deeper, scope, text, depth, Recurse);
            return Text(text);
        }
    }

    /// <summary>
    /// Runs a loop. Each iteration has fresh variables, which are dropped after it.
    /// </summary>
    private Flow Loop(
        JinjaFor loop, object? items, JinjaScope scope, StringBuilder to, int depth,
        Func<object?, int, object?>? recurse)
    {
        var elements = PythonOps.Elements(items, budget);
        if (loop.Test is not null)
            elements = elements.Where(item => PythonOps.IsTrue(Evaluate(loop.Test, Turn(loop, scope, item))));
        long? length = loop.Test is null && PythonOps.HasLength(items) ? PythonOps.Length(items, budget) : null;
        var state = new JinjaLoop(elements, length, depth, recurse, budget);
        bool any = false;
        while (state.TryNext(out object? item))
        {
            any = true;
            budget.Step();
            at = loop.At;
            var turn = Turn(loop, scope, item);
            turn.Set("loop", state);
            if (Execute(loop.Body, turn, to) == Flow.Break)
                return Flow.On;
        }
        return any ? Flow.On : Execute(loop.Else, new JinjaScope(scope), to);
    }

    private JinjaScope Turn(JinjaFor loop, JinjaScope scope, object? item)
    {
        var turn = new JinjaScope(scope);
        Assign(loop.Target, item, turn);
        return turn;
    }

    private void Assign(JinjaTarget target, object? value, JinjaScope scope)
    {
        at = target.At;
        switch (target)
        {
            case JinjaNameTarget name:
                scope.Set(name.Name, value);
                break;
            case JinjaAttributeTarget attribute:
                if (scope.Find(attribute.Name) is not JinjaNamespace space)
                    throw new JinjaError($"'{attribute.Name}' is not a namespace, so its attributes cannot be set");
                space.Items.Set(attribute.Attribute, value);
                break;
            case JinjaTupleTarget tuple:
                var parts = PythonOps.Elements(value, budget).Take(tuple.Items.Count + 1).ToList();
                if (parts.Count != tuple.Items.Count)
                    throw new JinjaError($"{parts.Count} values or more for {tuple.Items.Count} variables");
                for (int i = 0; i < parts.Count; i++)
                    Assign(tuple.Items[i], parts[i], scope);
                break;
        }
    }

    private Flow SetBlock(JinjaSetBlock set, JinjaScope scope)
    {
        var text = new StringBuilder();
        var inner = new JinjaScope(scope);
        if (Execute(set.Body, inner, text) is not Flow.On and var flow)
            return flow;
        Assign(set.Target, Filtered(set.Filters, Text(text), inner), scope);
        return Flow.On;
    }

    private Flow FilterBlock(JinjaFilterBlock block, JinjaScope scope, StringBuilder to)
    {
        var text = new StringBuilder();
        var inner = new JinjaScope(scope);
        if (Execute(block.Body, inner, text) is not Flow.On and var flow)
            return flow;
        ShowText(Filtered(block.Filters, Text(text), inner), to);
        return Flow.On;
    }

    private Flow With(JinjaWith with, JinjaScope scope, StringBuilder to)
    {
        var inner = new JinjaScope(scope);
        foreach (var (target, value) in with.Values)
            Assign(target, Evaluate(value, scope), inner);
        return Execute(with.Body, inner, to);
    }

    private Flow Autoescape(JinjaAutoescape escape, JinjaScope scope, StringBuilder to)
    {
        bool outer = autoescape;
        autoescape = PythonOps.IsTrue(Evaluate(escape.Value, scope));
        var flow = Execute(escape.Body, new JinjaScope(scope), to);
        autoescape = outer;
        return flow;
    }
}
