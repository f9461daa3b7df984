namespace Nano;

/// <summary>
/// AdamW with moments of 8 bits (Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022): blocks of 2,048 elements, each scaled by its own largest.
/// The codes are not the paper's dynamic tree but powers, which have its shape (fine near zero, coarse near the largest) and need no table: squares for the mean,
/// fourth powers for the second moment. As in the authors' code, tensors of fewer than 4,096 elements keep floats.
/// The codes are saved as they are, four to an int, so a resumed run has the same bits.
/// </summary>
public sealed class AdamW8Bit : Optimizer
{
    private const int SmallestLength = 4096;

    private readonly (Tensor Codes, Tensor? Roots)[] mean, square; // floats where there are no roots

    /// <summary>The rule over these parameters.</summary>
    public AdamW8Bit(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 20, streams: 4) =>
        (mean, square) = (NewMoments("mean"), NewMoments("square"));

    private (Tensor, Tensor?)[] NewMoments(string name) => [.. Parameters.Select((parameter, index) =>
    {
        if (parameter.Length < SmallestLength)
            return (NewState(index, name, parameter.Shape), (Tensor?)null);
        var (codes, roots) = AdamW8BitExtensions.Moment8BitShapes(parameter.Length);
        return (NewState(index, name + ".codes", codes, DType.Int32), NewState(index, name + ".roots", roots));
    })];

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale)
    {
        var numbers = new AdamWNumbers(learningRate, Options.Beta1, Options.Beta2, Options.Epsilon, Decay(index), gradientScale, StepCount);
        if (mean[index].Roots is { } meanRoots && square[index].Roots is { } squareRoots)
            compute.AdamW8Bit(Parameters[index], Parameters[index].Gradient, (mean[index].Codes, meanRoots), (square[index].Codes, squareRoots), numbers);
        else
            compute.AdamW(Parameters[index], Parameters[index].Gradient, mean[index].Codes, square[index].Codes, numbers);
    }
}
