namespace Nano;

/// <summary>
/// AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2):
/// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p = p (1 - lr wd) - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
/// </summary>
public sealed class AdamW : Optimizer
{
    private readonly Tensor[] mean, square;

    /// <summary>The rule over these parameters.</summary>
    public AdamW(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 15, streams: 7) =>
        (mean, square) = (NewState("mean"), NewState("square"));

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.AdamW(Parameters[index], Parameters[index].Gradient, mean[index], square[index],
            new AdamWNumbers(learningRate, Options.Beta1, Options.Beta2, Options.Epsilon, Decay(index), gradientScale, StepCount));
}
