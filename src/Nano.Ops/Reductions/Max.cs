namespace Nano;

/// <summary>
/// y = the largest element of x along a dimension, and its place, the first of equal ones; a NaN is
/// larger than any number. Backward: dy goes to that place.
/// </summary>
internal readonly record struct MaxOp(Tensor X, int Axis, Tensor Places, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("max forward", X.Length, X, Y, Places);

    public Work? BackwardWork => Work.Of("max backward", 0, Y, Places, X);

    internal unsafe void Forward(Compute compute)
    {
        var (outer, size, inner) = Axes.Around(X.Shape, Axis);
        compute.For(outer, Compute.RowsPerChunk(size * inner), 0,
            new Largest(X.Pointer, size, inner, Y.Pointer, Places.IdPointer));
    }

    public unsafe void Backward(Compute compute)
    {
        var (outer, size, inner) = Axes.Around(X.Shape, Axis);
        compute.For(outer, Compute.RowsPerChunk(size * inner), 0,
            new Place(Y.Gradient.Pointer, Places.IdPointer, size, inner, X.GradientFor(compute)));
    }

    private readonly unsafe struct Largest(float* x, int size, nint inner, float* y, int* places) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                for (nint i = 0; i < inner; i++)
                {
                    float* from = x + (row * size * inner) + i;
                    int place = 0;
                    float largest = *from;
                    for (int j = 1; j < size && !float.IsNaN(largest); j++)
                        if (!(from[j * inner] <= largest)) // larger, or a NaN
                            (largest, place) = (from[j * inner], j);
                    (y[(row * inner) + i], places[(row * inner) + i]) = (largest, place);
                }
        }
    }

    private readonly unsafe struct Place(float* dy, int* places, int size, nint inner, GradientTarget dx) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            dx.Begin(begin * size * inner, end * size * inner);
            for (nint at = begin * inner; at < end * inner; at++)
                dx.Pointer[(((at / inner * size) + places[at]) * inner) + (at % inner)] += dy[at];
        }
    }
}

/// <summary>The largest elements as methods of <see cref="Compute"/>.</summary>
public static class MaxExtensions
{
    /// <summary>
    /// The largest element along a dimension, which is left out of the result, or has size 1.
    /// </summary>
    /// <exception cref="ArgumentException">x has no such dimension, or it is empty.</exception>
    public static Tensor Max(this Compute compute, Tensor x, int axis, bool keep = false) =>
        compute.MaxAndPlace(x, axis, keep).Value;

    /// <summary>
    /// The place of the largest element along a dimension, the first of equal ones: ids.
    /// </summary>
    /// <exception cref="ArgumentException">x has no such dimension, or it is empty.</exception>
    public static Tensor ArgMax(this Compute compute, Tensor x, int axis, bool keep = false) =>
        compute.MaxAndPlace(x, axis, keep).Place;

    private static (Tensor Value, Tensor Place) MaxAndPlace(this Compute compute, Tensor x, int axis, bool keep)
    {
        int along = Axes.Of("max", x, axis);
        if (x.Shape[along] == 0)
            throw new ArgumentException($"max: dimension {along} of {x} is empty");
        var shape = keep ? Axes.With(x.Shape, along, 1) : Axes.Without(x.Shape, 1 << along);
        var op = new MaxOp(compute.Contiguous(x), along, compute.New(shape, DType.Int32), compute.New(shape));
        op.Forward(compute);
        compute.Record(op);
        return (op.Y, op.Places);
    }
}
