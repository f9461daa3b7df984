namespace Nano;

/// <summary>The functions that a chat template can call: Jinja's own, and those that transformers adds.</summary>
internal static class JinjaFunctions
{
    public static IEnumerable<KeyValuePair<string, object?>> All(JinjaBudget budget) =>
    [
        Function("range", arguments => Range(arguments)),
        Function("dict", arguments => Items(arguments, budget)),
        Function("namespace", arguments => new JinjaNamespace(Items(arguments, budget))),
        Function("cycler", arguments => arguments.BindUnnamedRest() is { Count: > 0 } items
            ? new JinjaCycler(items) : throw new JinjaError("cycler() needs values")),
        Function("joiner", Joiner),
        Function("lipsum", _ => throw new JinjaError("lipsum() is random, and rendering is not")),
        Function("raise_exception", arguments => throw new JinjaError("the template refuses this conversation: "
            + Quoted.Of(PythonRepr.Str(arguments.Bind("message")[0], budget)))),
    ];

    /// <summary>strftime_now, which tells a template the time that it is given here.</summary>
    public static JinjaFunction Clock(DateTime now, JinjaBudget budget) => new("strftime_now",
        arguments => PythonTime.Format(now, arguments.Text(arguments.Bind("format")[0], "format"), budget));

    private static KeyValuePair<string, object?> Function(string name, Func<JinjaCallArguments, object?> invoke) =>
        new(name, new JinjaFunction(name, invoke));

    /// <summary>
    /// The items of a call of dict(): one mapping or list of pairs, and named values.
    /// </summary>
    private static JinjaDict Items(JinjaCallArguments arguments, JinjaBudget budget)
    {
        var dict = new JinjaDict(budget);
        if (arguments.Positional.Count > 1)
            throw new JinjaError($"{arguments.Callee} takes one mapping and named values");
        foreach (object? source in arguments.Positional)
            if (source is JinjaDict mapping)
                foreach (var (key, value) in mapping.Items)
                {
                    budget.Step();
                    dict.Set(key, value);
                }
            else
                foreach (object? item in PythonOps.Elements(source, budget))
                {
                    var pair = PythonOps.Elements(item, budget).Take(3).ToList();
                    if (pair.Count != 2)
                        throw new JinjaError($"{arguments.Callee} needs pairs of a key and a value");
                    dict.Set(pair[0], pair[1]);
                }
        foreach (var (name, value) in arguments.Named)
            dict.Set(name, value);
        return dict;
    }

    private static JinjaFunction Joiner(JinjaCallArguments arguments)
    {
        object? separator = arguments.Bind("sep?")[0];
        bool used = false;
        return new JinjaFunction("joiner", inner =>
        {
            inner.Bind();
            object? text = !used ? "" : separator == JinjaCallArguments.Missing ? ", " : separator;
            used = true;
            return text;
        });
    }

    private static JinjaRange Range(JinjaCallArguments arguments)
    {
        var given = arguments.BindUnnamed("start", "stop?", "step?");
        bool onlyStop = given[1] == JinjaCallArguments.Missing;
        long start = onlyStop ? 0 : arguments.Integer(given[0], "start"), step = arguments.Integer(given[2], "step", 1);
        long stop = arguments.Integer(given[onlyStop ? 0 : 1], "stop");
        if (step == 0)
            throw new JinjaError("the step of range() cannot be 0");
        Int128 length = step > 0 ? ((Int128)stop - start + step - 1) / step
            : ((Int128)start - stop - step - 1) / -(Int128)step;
        if (length > JinjaBudget.MaxRange)
            throw new JinjaError($"range() of {length} values is more than the {JinjaBudget.MaxRange} allowed");
        return new JinjaRange(start, step, (int)Int128.Max(0, length)) { Stop = stop };
    }
}
