using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nano;

/// <summary>The range of a signal in a healthy run.</summary>
/// <param name="Step">Number of steps done.</param>
/// <param name="Mean">Over the seeds.</param>
/// <param name="Low">The lowest that is expected.</param>
/// <param name="High">The highest that is expected.</param>
public sealed record Band(int Step, double Mean, double Low, double High);

/// <summary>
/// The expected course of a recipe for any seed, from data/bands.json: the same recipe was run with
/// several seeds, and each <see cref="RunSignals">signal</see> of a run has a band around the mean.
/// The rule: mean ± max(4 s, floor × mean), where s is the standard deviation over the seeds at
/// that step, or the root mean square of the relative ones over all steps where that is larger
/// (five seeds alone say little about their spread), and the floor is 1.5 % for losses and norms of
/// weights, 20 % for norms of gradients.
/// </summary>
/// <param name="Preset">The recipe's preset.</param>
/// <param name="Corpus">The name of its text.</param>
/// <param name="Command">The command that measured it, for each seed.</param>
/// <param name="Seeds">The seeds.</param>
/// <param name="Config">The values that must be equal, as in a log's config: everything but the
/// seed.</param>
/// <param name="Signals">Bands by the name of the signal, in order of steps.</param>
public sealed record RecipeBands(
    string Preset,
    string Corpus,
    string Command,
    IReadOnlyList<ulong> Seeds,
    OrderedDictionary<string, string> Config,
    OrderedDictionary<string, IReadOnlyList<Band>> Signals)
{
    private const double Deviations = 4, Floor = 0.015, GradientFloor = 0.2;

    /// <summary>
    /// The difference between these bands and the measured ones, for a run of another length;
    /// otherwise null.
    /// </summary>
    [JsonIgnore]
    public string? Note { get; init; }

    /// <summary>The one difference of a run whose preset has no bands.</summary>
    internal const string NotMeasured = "the preset was not measured";

    // What a run may choose without becoming another recipe: these change no weight.
    private static readonly string[] Free = ["seed", "eval_interval"];

    private static readonly Lazy<IReadOnlyList<RecipeBands>> Built = new(() =>
    {
        using var json = typeof(RecipeBands).Assembly.GetManifestResourceStream("bands.json")!;
        return JsonSerializer.Deserialize(json, BandsJson.Default.RecipeBandsArray)!;
    });

    /// <summary>The recipes that were measured; the file is built into the program.</summary>
    public static IReadOnlyList<RecipeBands> Known => Built.Value;

    /// <summary>The band of a signal at a step, or null if there is none.</summary>
    public Band? Find(string signal, int step) =>
        Signals.GetValueOrDefault(signal)?.FirstOrDefault(band => band.Step == step);

    /// <summary>Makes the bands of a recipe from the logs of runs that differ in nothing but their seeds.</summary>
    /// <exception cref="NanoException">Fewer than two runs, or they differ in more.</exception>
    public static RecipeBands Measure(string corpus, string command, IReadOnlyList<IReadOnlyList<RunLogEntry>> runs)
    {
        if (runs.Count < 2)
            throw new NanoException("a band takes two runs or more");
        var configs = runs.Select(run => run.OfType<RunEntry>().First().Config).ToList();
        var seeds = configs.Select(config =>
            ulong.Parse(config["seed"], System.Globalization.CultureInfo.InvariantCulture)).ToList();
        if (configs.FirstOrDefault(config => Differences(configs[0], config).Count > 0) is { } other)
            throw new NanoException("the runs differ: " + string.Join("; ", Differences(configs[0], other)));
        if (seeds.Distinct().Count() != seeds.Count)
            throw new NanoException("two runs have the same seed");
        var signals = new OrderedDictionary<string, IReadOnlyList<Band>>();
        foreach (var signal in runs.SelectMany(RunSignals.Of).GroupBy(signal => signal.Name))
            signals.Add(signal.Key,
                Around(signal.Key, [.. signal.GroupBy(one => one.Step).Where(step => step.Count() == runs.Count)]));
        var config = new OrderedDictionary<string, string>(configs[0].Where(option => !Free.Contains(option.Key)));
        return new RecipeBands(config["preset"], corpus, command, seeds, config, signals);
    }

    private static List<Band> Around(string signal, IReadOnlyList<IGrouping<int, RunSignal>> steps)
    {
        double floor = signal == RunSignals.GradNorm ? GradientFloor : Floor;
        var spreads = steps.Select(step => Spread([.. step.Select(one => one.Value)])).ToList();
        double pooled = Math.Sqrt(spreads.Average(spread => spread.Relative * spread.Relative));
        return [.. steps.Zip(spreads).Select(pair =>
        {
            double mean = pair.Second.Mean, half =
                Math.Max(Deviations * Math.Max(pair.Second.Relative, pooled), floor) * mean;
            return new Band(pair.First.Key, mean, mean - half, mean + half);
        }).OrderBy(band => band.Step)];
    }

    private static (double Mean, double Relative) Spread(double[] values)
    {
        double mean = values.Average();
        return (mean, Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1)) / mean);
    }

    /// <summary>
    /// The recipe that a run follows, or none and in what it differs from the nearest. For a run that differs in its
    /// number of steps alone, the bands are those that still apply; see <see cref="OtherLength"/>.
    /// </summary>
    /// <param name="known">The recipes to choose from.</param>
    /// <param name="run">The run.</param>
    public static (RecipeBands? Found, IReadOnlyList<string> Differences) For(IReadOnlyList<RecipeBands> known,
        RunEntry run)
    {
        var nearest = known.Where(recipe => recipe.Preset == run.Preset)
            .Select(recipe => (Recipe: recipe, Differences: Differences(recipe.Config, run.Config)))
            .OrderBy(pair => pair.Differences.Count).FirstOrDefault();
        if (nearest.Recipe is null)
            return (null, [NotMeasured]);
        if (nearest.Differences.Count == 0)
            return (nearest.Recipe, []);
        bool isOtherLength = nearest.Differences is [var only] && only.StartsWith("steps ", StringComparison.Ordinal);
        return isOtherLength && OtherLength.Of(nearest.Recipe, run.Config) is { } part
            ? (part, []) : (null, nearest.Differences);
    }

    /// <summary>
    /// The options in which a run differs. An option that only one of them knows came with a later
    /// version of the program; it counts with the value that its preset has now, which is the one
    /// under which older programs ran.
    /// </summary>
    private static List<string> Differences(IReadOnlyDictionary<string, string> expected,
        IReadOnlyDictionary<string, string> actual)
    {
        var usual = Presets.All.TryGetValue(expected.GetValueOrDefault("preset", ""), out var preset)
            ? preset.Describe() : new Dictionary<string, string>();
        return [.. expected.Keys.Union(actual.Keys).Except(Free).Order(StringComparer.Ordinal)
            .Select(key => (Key: key, Expected: Value(expected, key), Actual: Value(actual, key)))
            .Where(option => option.Expected != option.Actual)
            .Select(option => option.Key == "corpus_sha256" ? "another text" : option.Key == "tokenizer_sha256"
                ? "another tokenizer" : $"{option.Key} {option.Actual}, not {option.Expected}")];

        string Value(IReadOnlyDictionary<string, string> config, string key) =>
            config.GetValueOrDefault(key) ?? usual.GetValueOrDefault(key) ?? "unset";
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(RecipeBands[]))]
internal sealed partial class BandsJson : JsonSerializerContext;
