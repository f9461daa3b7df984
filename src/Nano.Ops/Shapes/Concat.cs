namespace Nano;

/// <summary>
/// y = a, then b, along a dimension; all other sizes are equal. Backward: da and db are the parts
/// of dy.
/// </summary>
internal readonly record struct ConcatOp(Tensor A, Tensor B, int Axis, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => A.WantsGradient || B.WantsGradient;

    public Work ForwardWork => Work.Of("concat forward", 0, A, B, Y);

    public Work? BackwardWork => Work.Of("concat backward", 0, Work.GradientOf(A), Work.GradientOf(A),
        Work.GradientOf(B), Work.GradientOf(B));

    internal unsafe void Forward(Compute compute)
    {
        Part(compute, A, A.Pointer, new(Y.Pointer, false), 0, back: false);
        Part(compute, B, B.Pointer, new(Y.Pointer, false), A.Shape[Axis], back: false);
    }

    public unsafe void Backward(Compute compute)
    {
        if (A.WantsGradient)
            Part(compute, A, Y.Gradient.Pointer, A.GradientFor(compute), 0, back: true);
        if (B.WantsGradient)
            Part(compute, B, Y.Gradient.Pointer, B.GradientFor(compute), A.Shape[Axis], back: true);
    }

    /// <summary>Copies one operand to its part of y, or that part back.</summary>
    private unsafe void Part(Compute compute, Tensor operand, float* x, GradientTarget target, int start, bool back)
    {
        var (outer, size, inner) = Axes.Around(operand.Shape, Axis);
        nint width = size * inner, whole = Y.Shape[Axis] * inner;
        Four sizes = new(1, 1, outer, width), part = new(0, 0, width, 1), all = new(0, 0, whole, 1);
        if (back)
            StridedCopy.Run(compute, sizes, x + (start * inner), all, 1, target, part);
        else
            StridedCopy.Run(compute, sizes, x, part, 1, target.At(start * inner), all);
    }
}

/// <summary>Tensors put together and cut, as methods of <see cref="Compute"/>.</summary>
public static class ConcatExtensions
{
    /// <summary>Tensors one after the other along a dimension; all other sizes are equal.</summary>
    /// <exception cref="ArgumentException">None are given, or the shapes do not fit.</exception>
    public static Tensor Concat(this Compute compute, int axis, params ReadOnlySpan<Tensor> parts)
    {
        if (parts.Length == 0)
            throw new ArgumentException("concat: no tensors are given");
        if (parts.Length == 1)
            return parts[0];
        int middle = (parts.Length + 1) / 2; // halves, so that each element is copied a few times only
        Tensor a = compute.Contiguous(compute.Concat(axis, parts[..middle])),
            b = compute.Contiguous(compute.Concat(axis, parts[middle..]));
        int along = Axes.Of("concat", a, axis);
        if (b.Shape.Rank != a.Shape.Rank || Axes.With(b.Shape, along, 0) != Axes.With(a.Shape, along, 0))
            throw new ArgumentException($"concat: {a} and {b} differ in more than dimension {along}");
        var shape = Axes.With(a.Shape, along, checked(a.Shape[along] + b.Shape[along]));
        var op = new ConcatOp(a, b, along, compute.New(shape));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }

    /// <summary>Tensors of one shape along a new dimension.</summary>
    /// <exception cref="ArgumentException">None are given, the shapes differ, or a shape has four
    /// dimensions.</exception>
    public static Tensor Stack(this Compute compute, int axis, params ReadOnlySpan<Tensor> parts)
    {
        if (parts.Length == 0)
            throw new ArgumentException("stack: no tensors are given");
        int rank = parts[0].Shape.Rank, at = axis < 0 ? axis + rank + 1 : axis;
        if (rank == 4 || at < 0 || at > rank)
            throw new ArgumentException($"stack: {parts[0]} has no room for a new dimension {axis}");
        return compute.Stacked(at, parts);
    }

    private static Tensor Stacked(this Compute compute, int axis, ReadOnlySpan<Tensor> parts)
    {
        int rank = parts[0].Shape.Rank, middle = (parts.Length + 1) / 2;
        if (parts.Length > 1)
            return parts[0].Shape == parts[middle].Shape
                ? compute.Concat(axis, compute.Stacked(axis, parts[..middle]), compute.Stacked(axis, parts[middle..]))
                : throw new ArgumentException($"stack: {parts[0]} and {parts[middle]} differ in shape");
        Span<int> sizes = stackalloc int[rank + 1];
        for (int i = 0; i <= rank; i++)
            sizes[i] = i == axis ? 1 : parts[0].Shape[i < axis ? i : i - 1];
        return compute.Contiguous(parts[0]).Reshape(new Shape(sizes));
    }

    /// <summary>
    /// Entries [start, start + count) of a dimension: a view where one can be, else a copy.
    /// </summary>
    /// <exception cref="ArgumentException">They do not lie in x.</exception>
    public static Tensor Slice(this Compute compute, Tensor x, int axis, int start, int count)
    {
        int along = Axes.Of("slice", x, axis);
        if (start < 0 || count < 0 || start > x.Shape[along] - count)
            throw new ArgumentException(
                $"slice: entries {start} to {(long)start + count} of dimension {along} do not lie in {x}");
        if (along == 0)
            return x.SliceRows(start, count);
        if (along == x.Shape.Rank - 1)
            return x.SliceColumns(start, count);
        var (outer, size, inner) = Axes.Around(x.Shape, along);
        var rows = compute.Contiguous(x).Reshape(new Shape(checked((int)outer), checked((int)(size * inner))));
        return compute.Contiguous(rows.SliceColumns(checked((int)(start * inner)), checked((int)(count * inner))))
            .Reshape(Axes.With(x.Shape, along, count));
    }
}
