namespace Nano;

/// <summary>
/// Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, algorithm 2): c = b1 m + (1 - b1) g, p = p (1 - lr wd) - lr sign(c),
/// m = b2 m + (1 - b2) g. Every element moves by the whole learning rate, so that is three to ten times smaller than AdamW's, and the decay as many times larger.
/// </summary>
public sealed class Lion : Optimizer
{
    private readonly Tensor[] mean;

    /// <summary>The rule over these parameters.</summary>
    public Lion(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 9, streams: 5) => mean = NewState("mean");

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Lion(Parameters[index], Parameters[index].Gradient, mean[index], new LionNumbers(learningRate, Options.Beta1, Options.Beta2, Decay(index), gradientScale));
}
