namespace Nano;

/// <summary>
/// AdaGrad (Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011, diagonal form):
/// s = s + g^2, p = p - lr g / (sqrt(s) + eps). Decay, if any, is L2: wd p is part of g.
/// </summary>
public sealed class AdaGrad : Optimizer
{
    private readonly Tensor[] square;

    /// <summary>The rule over these parameters.</summary>
    public AdaGrad(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 9, streams: 5) => square = NewState("square");

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.AdaGrad(Parameters[index], Parameters[index].Gradient, square[index], new AdaGradNumbers(learningRate, 1, 1, Options.Epsilon, Decay(index), gradientScale));
}
