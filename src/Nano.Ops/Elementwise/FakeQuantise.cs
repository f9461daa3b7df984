namespace Nano;

/// <summary>
/// y = r(x): each weight becomes the number that blocks of a type would hold in its place, so that a model learns with
/// the error that quantising it will make (Jacob et al., arXiv:1712.05877).
/// <para>
/// Backward. r is a staircase, whose derivative is 0 almost everywhere; it is taken for 1 where a weight lies within
/// the range of its block, and for 0 beyond, where no small change of it changes y (Bengio et al., "Estimating or
/// Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432): dx = dy if |x - y| is at most 5/8 of the
/// block's step, else 0. Half a step is the error of rounding; the rest covers scales, which are rounded themselves.
/// </para>
/// The rule needs no tape: it is one factor per weight for all of a step's gradients, so it is applied to their sum, in
/// place, and batches may be split as ever.
/// </summary>
public static class FakeQuantiseExtensions
{
    /// <summary>Weights with one step in the tensor of steps.</summary>
    public const int Part = Decoded.Part;

    /// <summary>Rounds weights in place.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="weights">x [rows, columns], becomes y. A block that its type cannot hold becomes NaN.</param>
    /// <param name="kept">Receives x, of equal shape.</param>
    /// <param name="steps">Receives the distance of neighbours, [rows, columns / 16].</param>
    /// <param name="type">The type, whose blocks divide a row.</param>
    public static unsafe void FakeQuantise(this Compute compute, Tensor weights, Tensor kept, Tensor steps,
        WeightType type)
    {
        Check(weights, kept, steps);
        int rows = weights.Shape[0], columns = weights.Shape[1];
        if (!WeightTypes.IsQuantised(type) || !BlockFormat.Of(type).Divides(columns))
            throw new ArgumentException($"fake quantise: {weights} has no rows of whole blocks of {type}");
        Overlap.Refuse("fake quantise", weights, kept);
        compute.For(rows, Compute.RowsPerChunk(columns), 0,
            new RoundKernel(type, columns, weights.Pointer, kept.Pointer, steps.Pointer));
        KeepAlive(weights, kept, steps);
    }

    /// <summary>The gradient of x from that of y, in place.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="kept">x.</param>
    /// <param name="weights">y.</param>
    /// <param name="steps">The distance of neighbours.</param>
    /// <param name="gradient">dy, becomes dx.</param>
    public static unsafe void FakeQuantiseBackward(this Compute compute, Tensor kept, Tensor weights, Tensor steps,
        Tensor gradient)
    {
        Check(weights, kept, steps);
        if (gradient.Shape != weights.Shape)
            throw new ArgumentException($"fake quantise: gradient {gradient} of {weights}");
        int columns = weights.Shape[1];
        compute.For(weights.Shape[0], Compute.RowsPerChunk(columns), 0,
            new PassKernel(columns, kept.Pointer, weights.Pointer, steps.Pointer, gradient.Pointer));
        KeepAlive(weights, kept, steps);
        GC.KeepAlive(gradient);
    }

    private static void Check(Tensor weights, Tensor kept, Tensor steps)
    {
        if (weights.Shape.Rank != 2 || kept.Shape != weights.Shape || weights.Shape[1] % Part != 0
            || steps.Shape != new Shape(weights.Shape[0], weights.Shape[1] / Part))
            throw new ArgumentException($"fake quantise: {weights}, {kept} and steps {steps} do not fit; wanted "
                + $"[N, K], [N, K], [N, K / {Part}]");
    }

    private static void KeepAlive(Tensor weights, Tensor kept, Tensor steps)
    {
        GC.KeepAlive(weights);
        GC.KeepAlive(kept);
        GC.KeepAlive(steps);
    }
}

/// <summary>Rows of weights as the numbers of a type.</summary>
internal readonly unsafe struct RoundKernel(WeightType type, int columns, float* weights, float* kept, float* steps)
    : IKernel
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        BlockFormat format = BlockFormat.Of(type);
        int block = format.Weights, parts = block / Decoded.Part;
        for (nint at = begin * columns; at < end * columns; at += block)
        {
            Span<float> x = new(weights + at, block);
            x.CopyTo(new Span<float>(kept + at, block));
            if (!format.Round(x, new Span<float>(steps + (at / Decoded.Part), parts)))
                x.Fill(float.NaN);
        }
    }
}

/// <summary>Gradients where weights lie within the range of their blocks.</summary>
internal readonly unsafe struct PassKernel(int columns, float* kept, float* weights, float* steps, float* gradient)
    : IKernel
{
    private const float Share = 0.625f;

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint i = begin * columns; i < end * columns; i++)
        {
            // A block of one number has no step, and no range to leave.
            float step = MathF.Abs(steps[i / Decoded.Part]);
            if (step > 0 && MathF.Abs(kept[i] - weights[i]) > Share * step)
                gradient[i] = 0;
        }
    }
}
