namespace Nano;

/// <summary>
/// y = factor * the sum of x over some dimensions: sums (factor 1) or means. Backward: dx = factor
/// * dy, repeated along these dimensions.
/// </summary>
/// <param name="X">x.</param>
/// <param name="Axes">The dimensions, one bit for each.</param>
/// <param name="Factor">The factor of every sum.</param>
/// <param name="Y">y; the dimensions are left out, or have size 1.</param>
internal readonly record struct SumAxesOp(Tensor X, int Axes, double Factor, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("sum forward", X.Length, X, Y);

    public Work? BackwardWork => Work.Of("sum backward", X.Length, Y, X);

    internal unsafe void Forward(Compute compute) =>
        SumOver.Run(compute, Four.SizesOf(X.Shape), Kept, X.Pointer, Factor, new(Y.Pointer, false));

    public unsafe void Backward(Compute compute)
    {
        Four sizes = Four.SizesOf(X.Shape), strides = Kept.Strides;
        for (int i = 0; i < X.Shape.Rank; i++)
            if ((Axes & (1 << i)) != 0)
                strides = strides.With(4 - X.Shape.Rank + i, 0);
        StridedCopy.Run(compute, sizes, Y.Gradient.Pointer, strides, (float)Factor, X.GradientFor(compute),
            sizes.Strides);
    }

    /// <summary>The sizes of y with the summed dimensions as 1.</summary>
    private Four Kept
    {
        get
        {
            var kept = Four.SizesOf(X.Shape);
            for (int i = 0; i < X.Shape.Rank; i++)
                if ((Axes & (1 << i)) != 0)
                    kept = kept.With(4 - X.Shape.Rank + i, 1);
            return kept;
        }
    }
}

/// <summary>
/// Sums and means along dimensions, and what is made of them, as methods of <see cref="Compute"/>.
/// </summary>
public static class SumAxesExtensions
{
    /// <summary>
    /// The sum along a dimension, which is left out of the result, or has size 1.
    /// </summary>
    /// <exception cref="ArgumentException">x has no such dimension.</exception>
    public static Tensor Sum(this Compute compute, Tensor x, int axis, bool keep = false) =>
        compute.Sum(x, [axis], keep);

    /// <summary>
    /// The sum along some dimensions, which are left out of the result, or have size 1.
    /// </summary>
    /// <exception cref="ArgumentException">x has no such dimensions.</exception>
    public static Tensor Sum(this Compute compute, Tensor x, ReadOnlySpan<int> axes, bool keep = false) =>
        compute.Reduce("sum", x, axes, keep, isMean: false);

    /// <summary>
    /// The mean along a dimension, which is left out of the result, or has size 1.
    /// </summary>
    /// <exception cref="ArgumentException">x has no such dimension.</exception>
    public static Tensor Mean(this Compute compute, Tensor x, int axis, bool keep = false) =>
        compute.Mean(x, [axis], keep);

    /// <summary>
    /// The mean along some dimensions, which are left out of the result, or have size 1.
    /// </summary>
    /// <exception cref="ArgumentException">x has no such dimensions.</exception>
    public static Tensor Mean(this Compute compute, Tensor x, ReadOnlySpan<int> axes, bool keep = false) =>
        compute.Reduce("mean", x, axes, keep, isMean: true);

    /// <summary>
    /// The mean square of the distance to the mean along a dimension, which is left out of the
    /// result, or has size 1.
    /// </summary>
    /// <exception cref="ArgumentException">x has no such dimension.</exception>
    public static Tensor Variance(this Compute compute, Tensor x, int axis, bool keep = false) =>
        compute.Mean(compute.Square(compute.Subtract(x, compute.Mean(x, axis, keep: true))), axis, keep);

    /// <summary>
    /// The mean of x [B, T, C] over the places of each row at which a mask [B, T] is 1, [B, C]; the
    /// mask holds zeros and ones, and a row of zeros gives NaN.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor MaskedMean(this Compute compute, Tensor x, Tensor mask)
    {
        if (x.Shape.Rank != 3 || mask.Shape != new Shape(x.Shape[0], x.Shape[1]))
            throw new ArgumentException($"masked mean: {x} and mask {mask} do not fit; wanted [B, T, C] and [B, T]");
        var places = compute.Contiguous(mask).Reshape(new Shape(x.Shape[0], x.Shape[1], 1));
        return compute.Divide(compute.Sum(compute.Multiply(x, places), 1), compute.Sum(places, 1));
    }

    private static Tensor Reduce(this Compute compute, string name, Tensor x, ReadOnlySpan<int> axes, bool keep,
        bool isMean)
    {
        int mask = 0;
        double count = 1;
        var kept = x.Shape;
        foreach (int axis in axes)
        {
            int along = Axes.Of(name, x, axis);
            if ((mask & (1 << along)) != 0)
                throw new ArgumentException($"{name}: dimension {along} of {x} is named twice");
            mask |= 1 << along;
            count *= x.Shape[along];
            kept = Axes.With(kept, along, 1);
        }
        var y = compute.New(keep ? kept : Axes.Without(x.Shape, mask));
        var op = new SumAxesOp(compute.Contiguous(x), mask, isMean ? 1 / count : 1, y);
        op.Forward(compute);
        compute.Record(op);
        return y;
    }
}
