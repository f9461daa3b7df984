namespace Nano;

/// <summary>
/// Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1): m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
/// p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps). Decay, if any, is L2: wd p is part of g.
/// </summary>
public sealed class Adam : Optimizer
{
    private readonly Tensor[] mean, square;

    /// <summary>The rule over these parameters.</summary>
    public Adam(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 15, streams: 7) =>
        (mean, square) = (NewState("mean"), NewState("square"));

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Adam(Parameters[index], Parameters[index].Gradient, mean[index], square[index],
            new AdamWNumbers(learningRate, Options.Beta1, Options.Beta2, Options.Epsilon, Decay(index), gradientScale, StepCount));
}
