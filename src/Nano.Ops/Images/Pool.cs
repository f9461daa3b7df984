namespace Nano;

/// <summary>The number that stands for a window.</summary>
public enum PoolKind
{
    /// <summary>Its largest number.</summary>
    Max,

    /// <summary>The mean of its numbers.</summary>
    Average,
}

/// <summary>
/// The largest number or the mean of each window of a plane. Backward: the gradient of a window goes to its first
/// largest number, which is computed again from x, or in equal parts to all. A plane is walked by one thread, window
/// after window.
/// </summary>
internal readonly record struct PoolOp(PoolKind Kind, Tensor X, int Kernel, int Stride, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("pool forward", (double)Sizes.Taps * Y.Length, X, Y);

    public Work? BackwardWork => Work.Of("pool backward", (double)Sizes.Taps * Y.Length, X, Y, X);

    private WindowSizes Sizes => SizesOf(X.Shape, Kernel, Stride);

    internal static WindowSizes SizesOf(Shape x, int kernel, int stride) =>
        WindowSizes.Of(x, x.Rank == 3 ? 1 : kernel, kernel, new ConvOptions(stride));

    internal unsafe void Forward(Compute compute) => compute.For((nint)X.Shape[0] * X.Shape[1],
        Compute.RowsPerChunk(Sizes.Plane), 0, new Planes(Kind, Sizes, X.Contiguous("pool").Pointer, Y.Pointer));

    public unsafe void Backward(Compute compute) => compute.For((nint)X.Shape[0] * X.Shape[1],
        Compute.RowsPerChunk(Sizes.Plane), 0,
        new Gradients(Kind, Sizes, X.Pointer, Y.Gradient.Pointer, X.GradientFor(compute)));

    private readonly unsafe struct Planes(PoolKind kind, WindowSizes sizes, float* x, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint plane = begin; plane < end; plane++)
                for (int place = 0; place < sizes.Places; place++)
                {
                    float* from = x + (plane * sizes.Plane);
                    y[(plane * sizes.Places) + place] = kind == PoolKind.Max ? from[Largest(sizes, from, place)]
                        : Sum(from, place) / sizes.Taps;
                }
        }

        private float Sum(float* from, int place)
        {
            float sum = 0;
            for (int tap = 0; tap < sizes.Taps; tap++)
                sum += from[At(sizes, place, tap)];
            return sum;
        }
    }

    /// <summary>The place that a tap of a window reads.</summary>
    private static nint At(WindowSizes sizes, int place, int tap)
    {
        var (row, column) = sizes.First(tap);
        return (((place / sizes.OutputWidth * sizes.Options.Stride) + (nint)row) * sizes.Width)
            + (place % sizes.OutputWidth * sizes.Options.Stride) + column;
    }

    /// <summary>The place of the first largest number of a window; of the first NaN if there is one.</summary>
    private static unsafe nint Largest(WindowSizes sizes, float* x, int place)
    {
        nint best = At(sizes, place, 0);
        for (int tap = 1; tap < sizes.Taps; tap++)
        {
            nint at = At(sizes, place, tap);
            if (!float.IsNaN(x[best]) && !(x[at] <= x[best]))
                best = at;
        }
        return best;
    }

    private readonly unsafe struct Gradients(PoolKind kind, WindowSizes sizes, float* x, float* dy, GradientTarget dx)
        : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint plane = begin; plane < end; plane++)
            {
                dx.Begin(plane * sizes.Plane, (plane + 1) * sizes.Plane);
                float* to = dx.Pointer + (plane * sizes.Plane), upstream = dy + (plane * sizes.Places);
                for (int place = 0; place < sizes.Places; place++)
                    if (kind == PoolKind.Max)
                        to[Largest(sizes, x + (plane * sizes.Plane), place)] += upstream[place];
                    else
                        for (int tap = 0; tap < sizes.Taps; tap++)
                            to[At(sizes, place, tap)] += upstream[place] / sizes.Taps;
            }
        }
    }
}

/// <summary>Pooling as a method of <see cref="Compute"/>.</summary>
public static class PoolExtensions
{
    /// <summary>
    /// The largest number or the mean of windows of a signal [B, C, L] or an image [B, C, H, W], without padding.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="kind">What a window becomes.</param>
    /// <param name="x">Signals or images.</param>
    /// <param name="kernel">The size of a window, in both dimensions of an image.</param>
    /// <param name="stride">Places from one window to the next; 0 for the size of a window.</param>
    /// <exception cref="ArgumentException">The shape does not fit.</exception>
    public static Tensor Pool(this Compute compute, PoolKind kind, Tensor x, int kernel, int stride = 0)
    {
        if (x.Shape.Rank is not (3 or 4) || kernel <= 0 || stride < 0)
            throw new ArgumentException(
                $"pool: x {x} with windows of {kernel} and stride {stride} does not fit; wanted [B, C, L] or "
                + "[B, C, H, W]");
        stride = stride == 0 ? kernel : stride;
        var op = new PoolOp(kind, x, kernel, stride,
            compute.New(PoolOp.SizesOf(x.Shape, kernel, stride).Output(x.Shape, x.Shape[1])));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }
}
