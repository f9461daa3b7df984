namespace Nano;

/// <summary>An update rule by name, and its constants; which of them a rule has, and its usual values, says <see cref="OptimizerKind"/>.</summary>
/// <param name="Name">One of <see cref="OptimizerKind.All"/>.</param>
/// <param name="Beta1">Decay of the mean of gradients.</param>
/// <param name="Beta2">Decay of the mean of squared gradients; of the mean itself for Lion.</param>
/// <param name="Epsilon">What keeps a division by the second moment's root finite.</param>
/// <param name="WeightDecay">Decay of tensors of two or more dimensions.</param>
/// <param name="Momentum">What is kept of the velocity (SGD, Muon).</param>
/// <param name="Nesterov">Whether momentum looks ahead (SGD, Muon).</param>
/// <param name="Rho">How much curvature counts against the mean (Sophia).</param>
public sealed record OptimizerOptions(string Name = "adamw", double Beta1 = 0.9, double Beta2 = 0.95, double Epsilon = 1e-8, double WeightDecay = 0.1,
    double Momentum = 0, bool Nesterov = false, double Rho = 0)
{
    /// <exception cref="NanoException">A name or value is impossible; the message names it.</exception>
    public void Validate()
    {
        var kind = OptimizerKind.Get(Name);
        foreach (var (option, value) in new[] { ("--beta1", Beta1), ("--beta2", Beta2), ("--momentum", Momentum) })
            if (!(value >= 0 && value < 1))
                throw new NanoException($"{option} must be from 0 to below 1, got {value}");
        if (!(WeightDecay >= 0 && double.IsFinite(WeightDecay)))
            throw new NanoException($"--weight-decay must be 0 or more, got {WeightDecay}");
        if (!(Epsilon > 0 && double.IsFinite(Epsilon)) && kind.Has("epsilon"))
            throw new NanoException($"--epsilon must be a positive number, got {Epsilon}");
        if (!(Rho > 0 && double.IsFinite(Rho)) && kind.Has("rho"))
            throw new NanoException($"--rho must be a positive number, got {Rho}");
        if (Nesterov && Momentum == 0)
            throw new NanoException("--nesterov takes a --momentum above 0");
    }
}
