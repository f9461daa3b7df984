namespace Nano;

/// <summary>
/// RMSProp (Tieleman and Hinton, "Lecture 6.5: Divide the gradient by a running average of its
/// recent magnitude", 2012): s = b2 s + (1 - b2) g^2, p = p - lr g / (sqrt(s) + eps). Decay, if
/// any, is L2: wd p is part of g.
/// </summary>
public sealed class RmsProp : Optimizer
{
    private readonly Tensor[] square;

    /// <summary>The rule over these parameters.</summary>
    public RmsProp(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 10, streams: 5) => square = NewState("square");

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.AdaGrad(Parameters[index], Parameters[index].Gradient, square[index],
        new AdaGradNumbers(learningRate, Options.Beta2, 1 - Options.Beta2, Options.Epsilon, Decay(index),
            gradientScale));
}
