using System.Runtime.CompilerServices;
using System.Text;

namespace Nano;

/// <summary>Walks the tree of a template once: statements here, expressions in the other half.</summary>
internal sealed partial class JinjaRenderer
{
    private readonly JinjaBudget budget = new();
    private readonly StringBuilder output = new();
    private int at, macroDepth;

    private JinjaRenderer()
    {
    }

    private enum Flow
    {
        On,
        Break,
        Continue,
    }

    /// <summary>The text that a template makes of its variables.</summary>
    /// <exception cref="ChatTemplateException">An operation is impossible, the template refuses its input, or a limit is exceeded.</exception>
    public static string Render(JinjaSource source, IReadOnlyList<JinjaNode> template, IEnumerable<KeyValuePair<string, object?>> variables)
    {
        var renderer = new JinjaRenderer();
        var scope = new JinjaScope(null);
        foreach (var (name, value) in JinjaFunctions.All(renderer.budget).Concat(variables))
            scope.Set(name, value);
        try
        {
            renderer.Execute(template, new JinjaScope(scope), renderer.output);
            return renderer.output.ToString();
        }
        catch (JinjaError e)
        {
            throw source.Error(renderer.at, e.Message);
        }
    }

    private Flow Execute(IReadOnlyList<JinjaNode> body, JinjaScope scope, StringBuilder to)
    {
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
                break;
            case JinjaOutput print:
                object? value = Evaluate(print.Value, scope);
                at = node.At;
                Write(PythonText.Of(value), to);
                break;
            case JinjaIf choice:
                return Execute(Branch(choice, scope), scope, to);
            case JinjaFor loop:
                return For(loop, scope, to);
            case JinjaSet set:
                Set(set, scope);
                break;
            case JinjaSetBlock set:
                var text2 = new StringBuilder();
                if (Execute(set.Body, new JinjaScope(scope), text2) is not Flow.On and var flow)
                    return flow;
                scope.Set(set.Target, text2.ToString());
                break;
            case JinjaMacro macro:
                scope.Set(macro.Name, new JinjaFunction(macro.Name, arguments => Call(macro, scope, arguments)));
                break;
            case JinjaJump jump:
                return jump.IsBreak ? Flow.Break : Flow.Continue;
            default:
                throw new JinjaError("this statement cannot be run");
        }
        return Flow.On;
    }

    private void Write(string text, StringBuilder to)
    {
        budget.Make(text.Length);
        to.Append(text);
    }

    private IReadOnlyList<JinjaNode> Branch(JinjaIf choice, JinjaScope scope)
    {
        foreach (var (test, body) in choice.Branches)
            if (JinjaOps.IsTrue(Evaluate(test, scope)))
                return body;
        return choice.Else;
    }

    /// <summary>Runs a loop. Each turn has fresh variables; what it sets is gone afterwards.</summary>
    private Flow For(JinjaFor loop, JinjaScope scope, StringBuilder to)
    {
        object? walked = Evaluate(loop.Items, scope);
        at = loop.At;
        var items = JinjaOps.Elements(walked, budget);
        if (loop.Test is not null)
            items = [.. items.Where(item => JinjaOps.IsTrue(Evaluate(loop.Test, Turn(loop, scope, item))))];
        if (items.Count == 0)
            return Execute(loop.Else, scope, to);
        for (int i = 0; i < items.Count; i++)
        {
            budget.Step();
            at = loop.At;
            var turn = Turn(loop, scope, items[i]);
            turn.Set("loop", new JinjaLoop(items, i));
            if (Execute(loop.Body, turn, to) == Flow.Break)
                break;
        }
        return Flow.On;
    }

    private JinjaScope Turn(JinjaFor loop, JinjaScope scope, object? item)
    {
        var turn = new JinjaScope(scope);
        Assign(loop.Targets, item, turn);
        return turn;
    }

    private void Assign(IReadOnlyList<string> targets, object? value, JinjaScope scope)
    {
        if (targets.Count == 1)
        {
            scope.Set(targets[0], value);
            return;
        }
        var parts = JinjaOps.Elements(value, budget);
        if (parts.Count != targets.Count)
            throw new JinjaError($"{parts.Count} values for the {targets.Count} variables {string.Join(", ", targets)}");
        for (int i = 0; i < parts.Count; i++)
            scope.Set(targets[i], parts[i]);
    }

    private void Set(JinjaSet set, JinjaScope scope)
    {
        object? value = Evaluate(set.Value, scope);
        at = set.At;
        if (set.Attribute is null)
            Assign(set.Targets, value, scope);
        else if (scope.Find(set.Targets[0]) is JinjaNamespace space)
            space.Items[set.Attribute] = value;
        else
            throw new JinjaError($"'{set.Targets[0]}' is not a namespace, so its attribute '{set.Attribute}' cannot be set");
    }

    private string Call(JinjaMacro macro, JinjaScope definedIn, JinjaCallArguments arguments)
    {
        if (macroDepth == JinjaBudget.MaxMacroDepth)
            throw new JinjaError($"macros call each other more than {JinjaBudget.MaxMacroDepth} deep");
        var values = arguments.Bind([.. macro.Parameters.Select(parameter => parameter.Name)]);
        var scope = new JinjaScope(definedIn);
        var text = new StringBuilder();
        macroDepth++;
        for (int i = 0; i < values.Length; i++)
        {
            var (name, fallback) = macro.Parameters[i];
            scope.Set(name, values[i] != JinjaCallArguments.Missing ? values[i]
                : fallback is null ? new JinjaUndefined($"the parameter '{name}' of the macro '{macro.Name}' was not given") : Evaluate(fallback, scope));
        }
        Execute(macro.Body, scope, text);
        macroDepth--;
        return text.ToString();
    }

    /// <summary>Guards a recursion over the tree, whose depth a long chain of operators can stretch.</summary>
    private static void EnsureStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new JinjaError("the template is nested too deeply");
    }
}
