using System.Text;

namespace Nano;

/// <summary>Macros, call blocks and the arguments of calls.</summary>
internal sealed partial class JinjaRenderer
{
    private JinjaFunction Function(JinjaMacro macro, JinjaScope scope) =>
        new(macro.Name ?? "caller", arguments => Call(macro, scope, arguments), macro);

    private object Call(JinjaMacro macro, JinjaScope definedIn, JinjaCallArguments arguments)
    {
        JinjaBudget.EnsureStack();
        if (macroDepth == JinjaBudget.MaxMacroDepth)
            throw new JinjaError($"macros call each other more than {JinjaBudget.MaxMacroDepth} deep");
        var scope = new JinjaScope(definedIn);
        var given = Given(macro, arguments, scope);
        var text = new StringBuilder();
        macroDepth++;
        foreach (var (name, fallback) in macro.Parameters)
            scope.Set(name, given.TryGetValue(name, out object? value) ? value : fallback is not null
                ? Evaluate(fallback, scope)
                : new JinjaUndefined($"the parameter '{name}' of the macro '{macro.Name}' was not given"));
        Execute(macro.Body, scope, text);
        macroDepth--;
        return Text(text);
    }

    /// <summary>
    /// The values of a macro's parameters by name; sets varargs, kwargs and caller where the macro
    /// reads them.
    /// </summary>
    private static Dictionary<string, object?> Given(JinjaMacro macro, JinjaCallArguments arguments, JinjaScope scope)
    {
        var given = new Dictionary<string, object?>(StringComparer.Ordinal);
        int count = Math.Min(arguments.Positional.Count, macro.Parameters.Count);
        for (int i = 0; i < count; i++)
            given[macro.Parameters[i].Name] = arguments.Positional[i];
        if (macro.TakesMore)
            scope.Set("varargs", new JinjaList([.. arguments.Positional.Skip(macro.Parameters.Count)], isTuple: true));
        else if (arguments.Positional.Count > count)
            throw new JinjaError(
                $"{arguments.Callee} takes at most {count} arguments, got {arguments.Positional.Count}");
        var rest = new JinjaDict();
        object? caller = new JinjaUndefined("no block calls this macro");
        var open = macro.Parameters.Skip(count).Select(parameter => parameter.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, value) in arguments.Named)
            if (open.Contains(name))
                given[name] = value;
            else if (macro.UsesCaller && name == "caller")
                caller = value ?? caller;
            else if (macro.TakesNamed)
                rest.Set(name, value);
            else
                throw new JinjaError($"{arguments.Callee} has no parameter {Quoted.Of(name)}, or gets it twice");
        if (macro.TakesNamed)
            scope.Set("kwargs", rest);
        if (macro.UsesCaller)
            scope.Set("caller", caller);
        return given;
    }

    private object? CallBlock(JinjaCallBlock block, JinjaScope scope) =>
        Call(block.Call, scope, ("caller", Function(block.Body, scope)));

    private object? Call(JinjaCall node, JinjaScope scope, params ReadOnlySpan<(string Name, object? Value)> extra)
    {
        object? target = Evaluate(node.Target, scope);
        string name = target is JinjaFunction { Name: var known } ? known + "()" : "the call";
        var arguments = Arguments(name, node.Arguments, scope, extra);
        at = node.At;
        object? value = target switch
        {
            JinjaFunction function => function.Invoke(arguments),
            JinjaLoop loop => loop.Call(arguments),
            JinjaUndefined undefined => throw new JinjaError(undefined.Reason),
            _ => throw new JinjaError($"{PythonOps.KindOf(target)} cannot be called"),
        };
        at = node.At;
        return value;
    }

    private JinjaCallArguments Arguments(
        string callee, JinjaArguments arguments, JinjaScope scope,
        params ReadOnlySpan<(string Name, object? Value)> extra)
    {
        List<object?> positional = [.. arguments.Positional.Select(value => Evaluate(value, scope))];
        List<(string Name, object? Value)> named =
            [.. arguments.Named.Select(value => (value.Name, Evaluate(value.Value, scope)))];
        if (arguments.More is not null)
            positional.AddRange(PythonOps.Elements(Evaluate(arguments.More, scope), budget));
        if (arguments.MoreNamed is not null)
        {
            object? more = Evaluate(arguments.MoreNamed, scope);
            foreach (var (key, value) in (more as JinjaDict
                ?? throw new JinjaError($"** needs a mapping, got {PythonOps.KindOf(more)}")).Items)
            {
                budget.Step();
                named.Add((PythonText.AsText(key)
                    ?? throw new JinjaError("the names of arguments are strings"), value));
            }
        }
        named.AddRange(extra);
        if (arguments.MoreNamed is not null && named.DistinctBy(argument => argument.Name).Count() < named.Count)
            throw new JinjaError($"{callee} gets an argument twice");
        foreach (object? value in positional.Concat(named.Select(argument => argument.Value)))
            Look(value);
        return new JinjaCallArguments(callee, positional, named);
    }

    /// <summary>A value after some filters, as of a filter block.</summary>
    private object? Filtered(JinjaFilter? filter, object? value, JinjaScope scope) =>
        filter is null ? value : Filter(filter, Filtered(filter.Target as JinjaFilter, value, scope), scope);

    private object? Filter(JinjaFilter node, object? value, JinjaScope scope)
    {
        var arguments = Arguments($"the filter '{node.Name}'", node.Arguments, scope);
        at = node.At;
        Look(value);
        return JinjaFilters.Apply(node.Name, value, arguments, new JinjaFilterContext(budget, autoescape));
    }
}
