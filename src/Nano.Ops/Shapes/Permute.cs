namespace Nano;

/// <summary>
/// y = x with its dimensions in another order: dimension i of y is dimension Order[i] of x. With
/// the order as it was, a copy of a view without its gaps. Backward: each element of dy goes back
/// to where it came from.
/// </summary>
internal readonly record struct PermuteOp(Tensor X, (int D0, int D1, int D2, int D3) Order, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("permute forward", 0, X, Y);

    public Work? BackwardWork => Work.Of("permute backward", 0, Y, X);

    internal unsafe void Forward(Compute compute) => StridedCopy.Run(compute, Four.SizesOf(Y.Shape), X.Pointer,
        Permuted, 1, new(Y.Pointer, false), Four.StridesOf(Y));

    public unsafe void Backward(Compute compute) => StridedCopy.Run(compute, Four.SizesOf(Y.Shape), Y.Gradient.Pointer,
        Four.StridesOf(Y), 1, X.GradientFor(compute), Permuted);

    /// <summary>The order as ONNX has it.</summary>
    internal int[] Dimensions => [.. new[] { Order.D0, Order.D1, Order.D2, Order.D3 }.Take(X.Shape.Rank)];

    /// <summary>The strides of x in the order of y's dimensions.</summary>
    private Four Permuted
    {
        get
        {
            Four strides = Four.StridesOf(X), permuted = strides;
            int rank = X.Shape.Rank, missing = 4 - rank;
            for (int i = 0; i < rank; i++)
                permuted = permuted.With(missing + i, strides[missing + At(i)]);
            return permuted;
        }
    }

    private int At(int i) => i switch { 0 => Order.D0, 1 => Order.D1, 2 => Order.D2, _ => Order.D3 };
}

/// <summary>
/// Orders of dimensions, and views without gaps, as methods of <see cref="Compute"/>.
/// </summary>
public static class PermuteExtensions
{
    /// <summary>
    /// x with its dimensions in another order: dimension i of the result is dimension order[i] of
    /// x.
    /// </summary>
    /// <exception cref="ArgumentException">The order does not name each dimension once.</exception>
    public static Tensor Permute(this Compute compute, Tensor x, params ReadOnlySpan<int> order)
    {
        int rank = x.Shape.Rank, seen = 0;
        Span<int> dims = stackalloc int[4], sizes = stackalloc int[4];
        foreach (int dim in order)
            if (dim >= 0 && dim < rank)
                seen |= 1 << dim;
        if (order.Length != rank || seen != (1 << rank) - 1)
            throw new ArgumentException(
                $"permute: ({string.Join(", ", order.ToArray())}) does not name each dimension of {x} once");
        for (int i = 0; i < rank; i++)
            (dims[i], sizes[i]) = (order[i], x.Shape[order[i]]);
        var op = new PermuteOp(x, (dims[0], dims[1], dims[2], dims[3]), compute.New(new Shape(sizes[..rank])));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }

    /// <summary>x with two of its dimensions exchanged, by default the last two.</summary>
    /// <exception cref="ArgumentException">x has no such dimensions.</exception>
    public static Tensor Transpose(this Compute compute, Tensor x, int first = -2, int second = -1)
    {
        int a = Axes.Of("transpose", x, first), b = Axes.Of("transpose", x, second);
        ReadOnlySpan<int> identity = [0, 1, 2, 3];
        Span<int> order = stackalloc int[4];
        identity.CopyTo(order);
        (order[a], order[b]) = (b, a);
        return compute.Permute(x, order[..x.Shape.Rank]);
    }

    /// <summary>
    /// x itself if its rows follow each other without gaps, else a copy of it that does.
    /// </summary>
    public static Tensor Contiguous(this Compute compute, Tensor x)
    {
        ReadOnlySpan<int> identity = [0, 1, 2, 3];
        return x.IsContiguous ? x : compute.Permute(x, identity[..x.Shape.Rank]);
    }
}

/// <summary>Dimensions by number.</summary>
internal static class Axes
{
    /// <summary>
    /// A dimension counted from the outermost; negative numbers count from the end.
    /// </summary>
    /// <exception cref="ArgumentException">x has no such dimension.</exception>
    public static int Of(string op, Tensor x, int axis) => axis >= -x.Shape.Rank && axis < x.Shape.Rank
        ? (axis + x.Shape.Rank) % x.Shape.Rank : throw new ArgumentException($"{op}: {x} has no dimension {axis}");

    /// <summary>
    /// The number of elements of a shape around a dimension: before it, within it, after it.
    /// </summary>
    public static (nint Outer, int Size, nint Inner) Around(Shape shape, int axis)
    {
        nint outer = 1, inner = 1;
        for (int i = 0; i < axis; i++)
            outer *= shape[i];
        for (int i = axis + 1; i < shape.Rank; i++)
            inner *= shape[i];
        return (outer, shape[axis], inner);
    }

    /// <summary>A shape with another size in one dimension.</summary>
    public static Shape With(Shape shape, int axis, int size)
    {
        Span<int> sizes = stackalloc int[4];
        for (int i = 0; i < shape.Rank; i++)
            sizes[i] = i == axis ? size : shape[i];
        return new Shape(sizes[..shape.Rank]);
    }

    /// <summary>A shape without some dimensions, one bit of the mask for each.</summary>
    public static Shape Without(Shape shape, int mask)
    {
        Span<int> sizes = stackalloc int[4];
        int rank = 0;
        for (int i = 0; i < shape.Rank; i++)
            if ((mask & (1 << i)) == 0)
                sizes[rank++] = shape[i];
        return new Shape(sizes[..rank]);
    }
}
