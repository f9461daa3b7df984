namespace Nano;

/// <summary>
/// An update rule by name: its usual constants, its learning rate beside AdamW's, and how it is
/// made.
/// </summary>
public sealed class OptimizerKind
{
    private readonly Func<IReadOnlyList<Tensor>, OptimizerOptions, IOptimizer> create;
    private readonly string[] constants;
    private readonly bool likeAdamW;

    private OptimizerKind(OptimizerOptions defaults, double rateFactor, double stateFloats, bool likeAdamW,
        string[] constants,
        Func<IReadOnlyList<Tensor>, OptimizerOptions, IOptimizer> create) =>
        (Defaults, RateFactor, StateFloats, this.likeAdamW, this.constants, this.create) =
            (defaults, rateFactor, stateFloats, likeAdamW, constants, create);

    /// <summary>All rules. The rate factors were found on shakespeare-char, a few hundred steps each.</summary>
    public static IReadOnlyList<OptimizerKind> All { get; } =
    [
        new(new("adamw"), 1, 2, true, ["beta1", "beta2", "epsilon"],
            (parameters, options) => new AdamW(parameters, options)),
        new(new("adam", WeightDecay: 0), 1, 2, true, ["beta1", "beta2", "epsilon"],
            (parameters, options) => new Adam(parameters, options)),
        new(new("sgd", WeightDecay: 0, Momentum: 0.9), 100, 1, false, ["momentum", "nesterov"],
            (parameters, options) => new Sgd(parameters, options)),
        new(new("adagrad", Epsilon: 1e-10, WeightDecay: 0), 10, 1, false, ["epsilon"],
            (parameters, options) => new AdaGrad(parameters, options)),
        new(new("rmsprop", Beta2: 0.99, WeightDecay: 0), 1, 1, false, ["beta2", "epsilon"],
            (parameters, options) => new RmsProp(parameters, options)),
        new(new("lion", Beta2: 0.99, WeightDecay: 1), 0.3, 1, false, ["beta1", "beta2"],
            (parameters, options) => new Lion(parameters, options)),
        new(new("adafactor", Epsilon: 1e-30, WeightDecay: 0), 30, 0, false, ["epsilon"],
            (parameters, options) => new Adafactor(parameters, options)),
        new(new("lamb", Epsilon: 1e-6, WeightDecay: 0.01), 30, 2, true, ["beta1", "beta2", "epsilon"],
            (parameters, options) => new Lamb(parameters, options)),
        new(new("sophia", Beta1: 0.96, Beta2: 0.99, Epsilon: 1e-12, WeightDecay: 0.2, Rho: 0.05), 1, 2, false,
            ["beta1", "beta2", "epsilon", "rho"], (parameters, options) => new Sophia(parameters, options)),
        new(new("muon", Momentum: 0.95, Nesterov: true), 10, 1, true, ["beta1", "beta2", "epsilon", "momentum",
            "nesterov"], (parameters, options) => new Muon(parameters, options)),
        new(new("adamw8bit"), 1, 0.5, true, ["beta1", "beta2", "epsilon"],
            (parameters, options) => new AdamW8Bit(parameters, options)),
    ];

    /// <summary>Its name.</summary>
    public string Name => Defaults.Name;

    /// <summary>Its usual constants.</summary>
    public OptimizerOptions Defaults { get; }

    /// <summary>The factor on a preset's learning rate, which is tuned for AdamW.</summary>
    public double RateFactor { get; }

    /// <summary>Floats that it keeps per parameter with its usual constants, at least.</summary>
    public double StateFloats { get; }

    /// <summary>The rule of a name.</summary>
    /// <exception cref="NanoException">There is none; the message names the nearest.</exception>
    public static OptimizerKind Get(string name)
    {
        foreach (var kind in All)
            if (kind.Name == name)
                return kind;
        throw new NanoException($"there is no optimizer {Quoted.Of(name)}",
            NearestMatch.Hint(name, [.. All.Select(kind => kind.Name)], "optimizers"));
    }

    /// <summary>
    /// True if the rule has a constant: beta1, beta2, epsilon, weight_decay, momentum, nesterov,
    /// rho.
    /// </summary>
    public bool Has(string constant) => constant == "weight_decay" || constants.Contains(constant);

    /// <summary>
    /// Its constants under a preset for AdamW: a rule with AdamW's two moments takes their decays
    /// from there.
    /// </summary>
    public OptimizerOptions Under(OptimizerOptions preset) => preset.Name == Name ? preset : likeAdamW
        ? Defaults with { Beta1 = preset.Beta1, Beta2 = preset.Beta2 } : Defaults;

    /// <summary>The rule over a model's parameters.</summary>
    public static IOptimizer Create(IReadOnlyList<Tensor> parameters, OptimizerOptions options) =>
        Get(options.Name).create(parameters, options);
}
