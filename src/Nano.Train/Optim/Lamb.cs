namespace Nano;

/// <summary>
/// LAMB (You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020, algorithm 2): with Adam's moments,
/// r = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + wd p, p = p - lr (|p| / |r|) r, norms over a whole tensor.
/// As in the authors' code, biases and norm weights take the plain step p - lr r.
/// </summary>
public sealed class Lamb : Optimizer
{
    private readonly Tensor[] mean, square;

    /// <summary>The rule over these parameters.</summary>
    public Lamb(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 31, streams: 11) =>
        (mean, square) = (NewState("mean"), NewState("square"));

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Lamb(Parameters[index], Parameters[index].Gradient, mean[index], square[index],
            new AdamWNumbers(learningRate, Options.Beta1, Options.Beta2, Options.Epsilon, Decay(index), gradientScale, StepCount), adapt: Parameters[index].Shape.Rank >= 2);
}
