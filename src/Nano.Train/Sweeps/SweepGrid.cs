namespace Nano;

/// <summary>An option of nano train in a sweep.</summary>
/// <param name="Name">With its dashes.</param>
/// <param name="Values">The values, as written, in order; empty for a switch.</param>
public sealed record SweepOption(string Name, IReadOnlyList<string> Values)
{
    /// <summary>True if runs differ in this option.</summary>
    public bool Varies => Values.Count > 1;

    /// <summary>An option whose values are separated by commas.</summary>
    /// <exception cref="NanoException">A value is empty or there twice.</exception>
    public static SweepOption Parse(string name, string text)
    {
        string[] values = text.Split(',', StringSplitOptions.TrimEntries);
        if (values.Any(value => value.Length == 0))
            throw new NanoException($"{name} {text}: a value is missing",
                "separate values by one comma each: 1e-3,3e-4");
        if (values.GroupBy(value => value).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new NanoException($"{name} {text}: {twice.Key} is there twice", "each value makes runs of its own");
        return new SweepOption(name, values);
    }
}

/// <summary>One run of a grid.</summary>
/// <param name="Name">Of its folder: the options that vary and their values.</param>
/// <param name="Options">Those options, without dashes, and the run's values.</param>
/// <param name="Arguments">Its command line behind the preset, without the folder.</param>
public sealed record SweepPoint(string Name, OrderedDictionary<string, string> Options,
    IReadOnlyList<string> Arguments);

/// <summary>The grid of a sweep: the Cartesian product of its options' values.</summary>
/// <param name="Preset">The recipe; null for the default.</param>
/// <param name="Options">In the order of the command line; the last varies fastest.</param>
public sealed record SweepGrid(string? Preset, IReadOnlyList<SweepOption> Options)
{
    private const int MostRuns = 1000, LongestName = 200;

    /// <summary>Every run.</summary>
    /// <exception cref="NanoException">There are too many, or two would have the same folder.</exception>
    public IReadOnlyList<SweepPoint> Points()
    {
        double count = Options.Where(option => option.Varies)
            .Aggregate(1.0, (product, option) => product * option.Values.Count);
        if (count > MostRuns)
            throw new NanoException($"the grid has {count:N0} runs; at most {MostRuns:N0} are taken",
                "give fewer values");
        IEnumerable<SweepPoint> points = [new SweepPoint("", [], [])];
        foreach (var option in Options)
            points = points.SelectMany(point => option.Values.Count == 0
                ? [point with { Arguments = [.. point.Arguments, option.Name] }]
                : option.Values.Select(value => Extended(point, option, value)));
        SweepPoint[] all = [.. points.Select(point => point.Name.Length == 0 ? point with { Name = "run" } : point)];
        foreach (var same in all.GroupBy(point => point.Name, StringComparer.OrdinalIgnoreCase))
            if (same.Count() > 1 || same.Key.Length > LongestName)
                throw new NanoException($"'{same.Key}' cannot be the name of one run's folder",
                    "give fewer or shorter values");
        return all;
    }

    private static SweepPoint Extended(SweepPoint point, SweepOption option, string value)
    {
        string name = option.Name.TrimStart('-');
        var arguments = (IReadOnlyList<string>)[.. point.Arguments, option.Name, value];
        return !option.Varies ? point with { Arguments = arguments }
            : new SweepPoint((point.Name.Length == 0 ? "" : point.Name + ",") + $"{name}={Safe(value)}",
                new(point.Options) { [name] = value }, arguments);
    }

    /// <summary>A value as part of a folder's name.</summary>
    private static string Safe(string value) =>
        string.Concat(value.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '+' or '_' ? c : '_'));

    /// <summary>
    /// In what a grid differs from the one that a sweep was started with: only values that are
    /// added to a list make no difference.
    /// </summary>
    public IEnumerable<string> DifferencesFrom(SweepGrid started)
    {
        if (started.Preset != Preset)
            yield return $"the preset was {started.Preset ?? "left out"} and is now {Preset ?? "left out"}";
        foreach (string name in started.Options.Concat(Options).Select(option => option.Name).Distinct())
        {
            var (before, now) = (started.Options.FirstOrDefault(option => option.Name == name),
                Options.FirstOrDefault(option => option.Name == name));
            if (before is null || now is null || before.Varies != now.Varies || before.Values.Except(now.Values).Any()
                || (!now.Varies && !before.Values.SequenceEqual(now.Values)))
                yield return $"{name} was {Text(before)} and is now {Text(now)}";
        }
    }

    private static string Text(SweepOption? option) =>
        option is null ? "left out" : option.Values.Count == 0 ? "given" : string.Join(',', option.Values);
}
