namespace Nano;

/// <summary>
/// y = x repeated along dimensions in which x has size 1, or which it lacks (numpy's rules of
/// broadcasting). Backward: dx is the sum of dy over the places that hold the same element, in a
/// fixed order.
/// </summary>
internal readonly record struct ExpandOp(Tensor X, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("expand forward", 0, X, Y);

    public Work? BackwardWork => Work.Of("expand backward", Y.Length, Y, X);

    internal unsafe void Forward(Compute compute)
    {
        Four sizes = Four.SizesOf(Y.Shape), own = Four.SizesOf(X.Shape), strides = Four.StridesOf(X);
        for (int i = 0; i < 4; i++)
            if (own[i] != sizes[i])
                strides = strides.With(i, 0);
        StridedCopy.Run(compute, sizes, X.Pointer, strides, 1, new(Y.Pointer, false), sizes.Strides);
    }

    public unsafe void Backward(Compute compute) => SumOver.Run(compute, Four.SizesOf(Y.Shape), Four.SizesOf(X.Shape),
        Y.Gradient.Pointer, 1, X.GradientFor(compute));
}

/// <summary>Repetition as methods of <see cref="Compute"/>.</summary>
public static class ExpandExtensions
{
    /// <summary>x repeated to fill a shape; x itself if it has that shape.</summary>
    /// <exception cref="ArgumentException">A size of x is neither 1 nor that of the
    /// shape.</exception>
    public static Tensor Expand(this Compute compute, Tensor x, Shape shape)
    {
        if (x.Shape == shape)
            return x;
        bool fits = x.Shape.Rank <= shape.Rank;
        for (int i = 1; fits && i <= x.Shape.Rank; i++)
            fits = x.Shape[-i] == 1 || x.Shape[-i] == shape[-i];
        if (!fits)
            throw new ArgumentException($"expand: {x} does not repeat to {shape}; sizes, from the last on, must be "
                + "equal, or 1 in the first");
        var op = new ExpandOp(compute.Contiguous(x), compute.New(shape));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }

    /// <summary>The shape that two operands have after numpy's broadcasting.</summary>
    /// <exception cref="ArgumentException">Two sizes differ and neither is 1.</exception>
    internal static Shape Broadcast(string op, Tensor a, Tensor b)
    {
        Span<int> sizes = stackalloc int[4];
        int rank = Math.Max(a.Shape.Rank, b.Shape.Rank);
        for (int i = 1; i <= rank; i++)
        {
            int x = i > a.Shape.Rank ? 1 : a.Shape[-i], y = i > b.Shape.Rank ? 1 : b.Shape[-i];
            if (x != y && x != 1 && y != 1)
                throw new ArgumentException($"{op}: {a} and {b} do not broadcast; sizes, from the last on, must be "
                    + $"equal, or 1 in one of them: got {x} and {y}");
            sizes[rank - i] = x == 1 ? y : x;
        }
        return new Shape(sizes[..rank]);
    }
}
