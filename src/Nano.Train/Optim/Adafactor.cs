namespace Nano;

/// <summary>
/// Adafactor (Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018, algorithms 4 and 5). Of a matrix's second moment only the
/// means of its rows R and columns C are kept: b = 1 - t^-0.8, R = b R + (1 - b) mean over columns (g^2 + eps), C = b C + (1 - b) mean over rows (g^2 + eps),
/// u = g / sqrt(R C / mean R), u = u / max(1, RMS(u)), p = p (1 - lr wd) - lr max(1e-3, RMS(p)) u. Vectors keep their second moment whole. No first moment.
/// </summary>
public sealed class Adafactor : Optimizer
{
    private const double DecayExponent = 0.8, SmallestScale = 1e-3, ClipThreshold = 1;

    private readonly Tensor[] first;
    private readonly Tensor?[] columns;

    /// <summary>The rule over these parameters.</summary>
    public Adafactor(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 14, streams: 7)
    {
        (first, columns) = (new Tensor[parameters.Count], new Tensor?[parameters.Count]);
        for (int i = 0; i < parameters.Count; i++)
        {
            var shape = parameters[i].Shape;
            first[i] = shape.Rank >= 2 ? NewState(i, "rows", new Shape(checked((int)shape.Rows))) : NewState(i, "square", shape);
            columns[i] = shape.Rank >= 2 ? NewState(i, "columns", new Shape(shape.Columns)) : null;
        }
    }

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale)
    {
        var numbers = new AdafactorNumbers(learningRate, 1 - Math.Pow(StepCount, -DecayExponent), Options.Epsilon, SmallestScale, ClipThreshold, Decay(index), gradientScale);
        if (columns[index] is { } columnMeans)
            compute.Adafactor(Parameters[index], Parameters[index].Gradient, first[index], columnMeans, numbers);
        else
            compute.Adafactor(Parameters[index], Parameters[index].Gradient, first[index], numbers);
    }
}
