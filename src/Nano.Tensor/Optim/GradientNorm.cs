namespace Nano;

/// <summary>The length of the gradient, whole and block by block, and what clipping makes of it.</summary>
public sealed class GradientNorm
{
    private readonly IReadOnlyList<Tensor> parameters;
    private readonly int[] groupOf; // of each parameter
    private readonly double[] squares; // of each group

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
    public double Measure(Compute compute)
    {
        squares.AsSpan().Clear();
        double sum = 0; // parameter by parameter
        for (int i = 0; i < parameters.Count; i++)
            if (parameters[i].HasGradient)
            {
                sum += Add(i, compute.SumOfSquares(parameters[i].Gradient));
                compute.Profiler?.Lap(Work.Of("gradient norm", 2 * parameters[i].Length, parameters[i]));
            }
        return Math.Sqrt(sum);
    }

    /// <summary>The same where the sums of squares are known already.</summary>
    /// <param name="sumsOfSquares">In the order of the parameters.</param>
    /// <param name="factor">What the gradients were multiplied by.</param>
    public double Take(ReadOnlySpan<float> sumsOfSquares, double factor)
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
