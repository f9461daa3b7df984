namespace Nano;

/// <summary>
/// An update rule by name, and its constants; which of them a rule has, and its usual values, says
/// <see cref="OptimizerKind"/>.
/// </summary>
/// <param name="Name">One of <see cref="OptimizerKind.All"/>.</param>
/// <param name="Beta1">Decay of the mean of gradients.</param>
/// <param name="Beta2">Decay of the mean of squared gradients; of the mean itself for Lion.</param>
/// <param name="Epsilon">The term that keeps the division by the root of the second moment
/// finite.</param>
/// <param name="WeightDecay">Decay of tensors of two or more dimensions.</param>
/// <param name="Momentum">The momentum factor: the share of the velocity that is retained (SGD,
/// Muon).</param>
/// <param name="Nesterov">Whether momentum looks ahead (SGD, Muon).</param>
/// <param name="Rho">The scale of the curvature (Sophia).</param>
public sealed record OptimizerOptions(string Name = "adamw", double Beta1 = 0.9, double Beta2 = 0.95,
    double Epsilon = 1e-8, double WeightDecay = 0.1,
    double Momentum = 0, bool Nesterov = false, double Rho = 0)
{
    /// <summary>The constants that rules may have; <see cref="OptimizerKind.Has"/> tells which one has.</summary>
    public static IReadOnlyList<string> Constants { get; } =
        ["beta1", "beta2", "epsilon", "weight_decay", "momentum", "nesterov", "rho"];

    /// <summary>The numbers that a constant may be.</summary>
    public static NumberRange RangeOf(string constant) => constant switch
    {
        "beta1" or "beta2" or "momentum" => NumberRange.BelowOne,
        "weight_decay" => NumberRange.NotNegative,
        "epsilon" or "rho" => NumberRange.Positive,
        _ => throw new ArgumentException($"'{constant}' is no constant with a range"),
    };

    /// <exception cref="NanoException">A name or value is impossible; the message names it.</exception>
    public void Validate()
    {
        var kind = OptimizerKind.Get(Name);
        Check("beta1", Beta1);
        Check("beta2", Beta2);
        Check("momentum", Momentum);
        Check("weight_decay", WeightDecay);
        if (kind.Has("epsilon"))
            Check("epsilon", Epsilon);
        if (kind.Has("rho"))
            Check("rho", Rho);
        if (Nesterov && Momentum == 0)
            throw new NanoException("`nesterov` needs a `momentum` above 0");
    }

    private static void Check(string constant, double value) => RangeOf(constant).Check(constant, value);
}
