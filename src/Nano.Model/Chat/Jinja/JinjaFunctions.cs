namespace Nano;

/// <summary>The functions a chat template can call: Jinja's range, dict and namespace, and raise_exception, which Hugging Face adds.</summary>
internal static class JinjaFunctions
{
    public static IEnumerable<KeyValuePair<string, object?>> All(JinjaBudget budget) =>
    [
        Function("range", arguments => Range(arguments, budget)),
        Function("dict", arguments => new JinjaDict(Items(arguments))),
        Function("namespace", arguments => new JinjaNamespace(Items(arguments).ToDictionary(StringComparer.Ordinal))),
        Function("raise_exception", arguments => throw new JinjaError("the template refuses this conversation: " + Quoted.Of(PythonText.Of(arguments.Bind("message")[0])))),
    ];

    /// <summary>strftime_now, which tells a template the time that it is given here.</summary>
    public static JinjaFunction Clock(DateTime now) =>
        new("strftime_now", arguments => PythonTime.Format(now, arguments.String(arguments.Bind("format")[0], "format")));

    private static KeyValuePair<string, object?> Function(string name, Func<JinjaCallArguments, object?> invoke) => new(name, new JinjaFunction(name, invoke));

    private static OrderedDictionary<string, object?> Items(JinjaCallArguments arguments)
    {
        var items = new OrderedDictionary<string, object?>(StringComparer.Ordinal);
        if (arguments.Positional.Count > 1 || (arguments.Positional.Count == 1 && arguments.Positional[0] is not JinjaDict))
            throw new JinjaError($"{arguments.Callee} takes one mapping and named values");
        foreach (var (name, value) in arguments.Positional.Count == 1 ? ((JinjaDict)arguments.Positional[0]!).Items : [])
            items[name] = value;
        foreach (var (name, value) in arguments.Named)
            items[name] = value;
        return items;
    }

    private static JinjaList Range(JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.Bind("start", "stop", "step");
        bool onlyStop = given[1] == JinjaCallArguments.Missing;
        long start = onlyStop ? 0 : arguments.Integer(given[0], "start"), stop = arguments.Integer(given[onlyStop ? 0 : 1], "stop"), step = arguments.Integer(given[2], "step", 1);
        if (step == 0)
            throw new JinjaError("the step of range() cannot be 0");
        decimal count = step > 0 ? Math.Ceiling(((decimal)stop - start) / step) : Math.Ceiling(((decimal)start - stop) / -(decimal)step);
        if (count > JinjaBudget.MaxRange)
            throw new JinjaError($"range() of {count} values is more than the {JinjaBudget.MaxRange} allowed");
        budget.Step((long)Math.Max(0, count));
        return new JinjaList([.. Enumerable.Range(0, (int)Math.Max(0, count)).Select(i => (object?)(start + (i * step)))]);
    }
}
