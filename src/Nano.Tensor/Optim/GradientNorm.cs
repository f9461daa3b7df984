namespace Nano;

/// <summary>The length of the gradient, whole and block by block, and what clipping makes of it.</summary>
public sealed class GradientNorm
{
    private readonly IReadOnlyList<Tensor> parameters;
    private readonly int[] groupOf; // of each parameter
    private readonly double[] squares; // of each group
    private readonly int blockCount; // of all gradients
    private readonly JoinedKernels<BlockSquares> kernels;

    /// <summary>
    /// Groups parameters by the part of the model to which they belong: "embed", "block0", "block1"
    /// ..., "head". A tensor that no model has declared is a group of its own; frozen ones are left
    /// out.
    /// </summary>
    public GradientNorm(IReadOnlyList<Tensor> parameters)
    {
        this.parameters = parameters = [.. parameters.Where(parameter => parameter.WantsGradient)];
        var names = new List<string>();
        groupOf = [.. parameters.Select(parameter =>
        {
            string name = parameter.Parameter?.Group ?? parameter.Name ?? "";
            if (!names.Contains(name))
                names.Add(name);
            return names.IndexOf(name);
        })];
        (Groups, squares) = (names, new double[names.Count]);
        blockCount = parameters.Sum(parameter => checked((int)BlockSquares.CountOf(parameter.Length)));
        kernels = new JoinedKernels<BlockSquares>(parameters.Count);
    }

    /// <summary>The names of the groups, in the order of the model.</summary>
    public IReadOnlyList<string> Groups { get; }

    /// <summary>The norm of a group's gradients at the last <see cref="Measure"/>.</summary>
    public double OfGroup(int group) => Math.Sqrt(squares[group]);

    /// <summary>The norms of all groups at the last <see cref="Measure"/>, by name.</summary>
    public OrderedDictionary<string, double> ByGroup()
    {
        var norms = new OrderedDictionary<string, double>(squares.Length);
        for (int group = 0; group < squares.Length; group++)
            norms.Add(Groups[group], OfGroup(group));
        return norms;
    }

    /// <summary>The norm of all gradients together, in double precision; not finite if a gradient is not.</summary>
    public unsafe double Measure(Compute compute)
    {
        squares.AsSpan().Clear();
        long elements = 0;
        var memory = compute.New(new Shape(blockCount, 2));
        double* blocks = (double*)memory.Pointer, end = blocks;
        for (int i = 0; i < parameters.Count; i++)
            if (parameters[i].HasGradient)
            {
                long length = parameters[i].Length;
                kernels.Add(new BlockSquares(parameters[i].Gradient.Pointer, (nint)length, end),
                    BlockSquares.CountOf(length));
                end += BlockSquares.CountOf(length);
                elements += length;
            }
        kernels.Run(compute, BlockSquares.PerChunk);
        double sum = 0; // parameter by parameter
        for (int i = 0; i < parameters.Count; i++)
            if (parameters[i].HasGradient)
            {
                nint count = BlockSquares.CountOf(parameters[i].Length);
                sum += Add(i, BlockSquares.Total(blocks, count));
                blocks += count;
            }
        compute.Release(memory);
        compute.Profiler?.Lap(new Work("gradient norm", 2.0 * elements, 1.0 * sizeof(float) * elements));
        return Math.Sqrt(sum);
    }

    /// <summary>Sets the norm from sums of squares that are already known.</summary>
    /// <param name="sumsOfSquares">In the order of the parameters.</param>
    /// <param name="factor">The factor by which the gradients were multiplied.</param>
    public double SetFrom(ReadOnlySpan<float> sumsOfSquares, double factor)
    {
        squares.AsSpan().Clear();
        double sum = 0;
        for (int i = 0; i < parameters.Count; i++)
            sum += Add(i, sumsOfSquares[i] / (factor * factor));
        return Math.Sqrt(sum);
    }

    private double Add(int parameter, double square)
    {
        squares[groupOf[parameter]] += square;
        return square;
    }

    /// <summary>
    /// The factor that brings a gradient of this norm down to the limit (Pascanu et al., "On the
    /// difficulty of training recurrent neural networks", 2013); 1 if it is below.
    /// </summary>
    public static double ClipScale(double norm, double limit) => Math.Min(1, limit / (norm + 1e-6));
}
