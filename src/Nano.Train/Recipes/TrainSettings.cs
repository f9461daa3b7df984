using System.Globalization;

namespace Nano;

/// <summary>One of the <see cref="TrainOptions"/> as text under a name, as recipes, logs, reports and checkpoints have it.</summary>
/// <param name="Key">The name.</param>
/// <param name="Get">Its value; null where it says nothing, as the momentum of a rule that has none.</param>
/// <param name="Set">The options with another value.</param>
/// <param name="ChangesResults">Whether two runs that differ in it may differ in their results.</param>
public sealed record TrainSetting(string Key, Func<TrainOptions, string?> Get, Func<TrainOptions, string, TrainOptions> Set, bool ChangesResults = true);

/// <summary>All settings of a run but the preset's name and the model, whose own form is config.json.</summary>
public static class TrainSettings
{
    /// <summary>The settings, in the order in which they are applied.</summary>
    public static IReadOnlyList<TrainSetting> All { get; } =
    [
        Value("batch", o => o.Batch, (o, value) => o with { Batch = value }),
        Value("seq", o => o.Time, (o, value) => o with { Time = value }),
        Value("accumulate", o => o.Accumulate, (o, value) => o with { Accumulate = value }),
        Switch("checkpoint_activations", o => o.CheckpointActivations, (o, value) => o with { CheckpointActivations = value }) with { ChangesResults = false },
        new("activations", o => o.Activations == ActivationStorage.BFloat16 ? "bf16" : "float32", (o, text) => o with { Activations = ParseActivations(text) }),
        Value("label_smoothing", o => o.LabelSmoothing, (o, value) => o with { LabelSmoothing = value }),
        Value("z_loss", o => o.ZLoss, (o, value) => o with { ZLoss = value }),
        Value("steps", o => o.Steps, (o, value) => o with { Steps = value }),
        Value("lr", o => o.LearningRate, (o, value) => o with { LearningRate = value }),
        Value("min_lr", o => o.MinLearningRate, (o, value) => o with { MinLearningRate = value }),
        Value("warmup_steps", o => o.WarmupSteps, (o, value) => o with { WarmupSteps = value }),
        Text("schedule", o => o.Schedule.Name, (o, value) => o with { Schedule = o.Schedule with { Name = value } }),
        new("decay_steps", o => o.Schedule.DecayPhase(o.Steps)?.ToString(CultureInfo.InvariantCulture),
            (o, value) => o with { Schedule = o.Schedule with { DecaySteps = int.Parse(value, CultureInfo.InvariantCulture) } }),
        Text("optimizer", o => o.Optimizer.Name, (o, value) => o with { Optimizer = OptimizerKind.Get(value).Under(o.Optimizer) }),
        Constant("beta1", o => o.Beta1, (o, value) => o with { Beta1 = value }),
        Constant("beta2", o => o.Beta2, (o, value) => o with { Beta2 = value }),
        Constant("epsilon", o => o.Epsilon, (o, value) => o with { Epsilon = value }),
        Constant("weight_decay", o => o.WeightDecay, (o, value) => o with { WeightDecay = value }),
        Constant("momentum", o => o.Momentum, (o, value) => o with { Momentum = value }),
        Constant("rho", o => o.Rho, (o, value) => o with { Rho = value }),
        new("nesterov", o => OptimizerKind.Get(o.Optimizer.Name).Has("nesterov") ? (o.Optimizer.Nesterov ? "true" : "false") : null,
            (o, value) => o with { Optimizer = o.Optimizer with { Nesterov = bool.Parse(value) } }),
        Value("clip_norm", o => o.ClipNorm, (o, value) => o with { ClipNorm = value }),
        Value("eval_interval", o => o.EvalInterval, (o, value) => o with { EvalInterval = value }),
        Value("eval_batches", o => o.EvalBatches, (o, value) => o with { EvalBatches = value }),
        Value("keep", o => o.Keep, (o, value) => o with { Keep = value }) with { ChangesResults = false },
        Value("seed", o => o.Seed, (o, value) => o with { Seed = value }),
        new("sampling", o => o.Sampling switch { Sampling.Epochs => "epochs", Sampling.InOrder => "in-order", _ => "random" }, (o, text) => o with { Sampling = ParseSampling(text) }),
        Switch("pack", o => o.Pack, (o, value) => o with { Pack = value }),
        new("on_spike", o => o.Stability.OnSpike.ToString().ToLowerInvariant(), (o, text) => o with { Stability = o.Stability with { OnSpike = ParseOnSpike(text) } }),
        Value("spike_z", o => o.Stability.SpikeScore, (o, value) => o with { Stability = o.Stability with { SpikeScore = value } }),
        Value("max_rollbacks", o => o.Stability.MaxRollbacks, (o, value) => o with { Stability = o.Stability with { MaxRollbacks = value } }),
        Value("ema", o => o.Stability.AverageDecay, (o, value) => o with { Stability = o.Stability with { AverageDecay = value } }),
        Value("patience", o => o.Stability.Patience, (o, value) => o with { Stability = o.Stability with { Patience = value } }),
        Value("min_delta", o => o.Stability.MinDelta, (o, value) => o with { Stability = o.Stability with { MinDelta = value } }),
    ];

    /// <summary>The options with the named values.</summary>
    /// <exception cref="FormatException">There is no such setting, or its value is of another kind; the message names it.</exception>
    public static TrainOptions Apply(TrainOptions options, IEnumerable<KeyValuePair<string, string>> values)
    {
        var given = values.ToDictionary(StringComparer.Ordinal);
        foreach (string key in given.Keys)
            if (All.All(setting => setting.Key != key))
                throw new FormatException($"there is no setting {Quoted.Of(key)}; {NearestMatch.Hint(key, [.. All.Select(known => known.Key)], "settings")}");
        foreach (var setting in All) // in this order: an optimizer brings its constants, which may be named as well
        {
            if (!given.TryGetValue(setting.Key, out string? value))
                continue;
            try
            {
                options = setting.Set(options, value);
            }
            catch (Exception e) when (e is FormatException or OverflowException)
            {
                throw new FormatException($"'{setting.Key}' cannot be {Quoted.Of(value)}", e);
            }
        }
        return options;
    }

    private static TrainSetting Value<T>(string key, Func<TrainOptions, T> get, Func<TrainOptions, T, TrainOptions> set) where T : IFormattable, IParsable<T> =>
        new(key, options => get(options).ToString(null, CultureInfo.InvariantCulture), (options, text) => set(options, T.Parse(text, CultureInfo.InvariantCulture)));

    private static TrainSetting Text(string key, Func<TrainOptions, string> get, Func<TrainOptions, string, TrainOptions> set) => new(key, get, set);

    /// <summary>A constant of the optimizer, if its rule has it.</summary>
    private static TrainSetting Constant(string key, Func<OptimizerOptions, double> get, Func<OptimizerOptions, double, OptimizerOptions> set) =>
        new(key, options => OptimizerKind.Get(options.Optimizer.Name).Has(key) ? get(options.Optimizer).ToString(CultureInfo.InvariantCulture) : null,
            (options, text) => options with { Optimizer = set(options.Optimizer, double.Parse(text, CultureInfo.InvariantCulture)) });

    private static TrainSetting Switch(string key, Func<TrainOptions, bool> get, Func<TrainOptions, bool, TrainOptions> set) =>
        new(key, options => get(options) ? "true" : "false", (options, text) => set(options, bool.Parse(text)));

    /// <summary>Reads random, epochs or in-order.</summary>
    /// <exception cref="FormatException">It is none of them.</exception>
    public static Sampling ParseSampling(string text) => text switch
    {
        "random" => Sampling.Random,
        "epochs" => Sampling.Epochs,
        "in-order" => Sampling.InOrder,
        _ => throw new FormatException($"sampling is random, epochs or in-order, not {Quoted.Of(text)}"),
    };

    /// <summary>Reads float32 or bf16.</summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static ActivationStorage ParseActivations(string text) => text switch
    {
        "float32" => ActivationStorage.Float32,
        "bf16" => ActivationStorage.BFloat16,
        _ => throw new FormatException($"activations are kept as float32 or bf16, not {Quoted.Of(text)}"),
    };

    /// <summary>Reads off, warn, skip or rollback.</summary>
    /// <exception cref="FormatException">It is none of them.</exception>
    public static OnSpike ParseOnSpike(string text) => text switch
    {
        "off" => OnSpike.Off,
        "warn" => OnSpike.Warn,
        "skip" => OnSpike.Skip,
        "rollback" => OnSpike.Rollback,
        _ => throw new FormatException($"what is done about a spike is off, warn, skip or rollback, not {Quoted.Of(text)}"),
    };
}
