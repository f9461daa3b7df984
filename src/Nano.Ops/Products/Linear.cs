namespace Nano;

/// <summary>
/// y = x W^T + b, with x [.., K], W [N, K] (one row per output), b [N] or none, y [.., N].
/// <para>
/// Backward. y[m, n] = b[n] + sum_k x[m, k] W[n, k], so
/// dx[m, k] = sum_n dy[m, n] W[n, k], that is dx = dy W;
/// dW[n, k] = sum_m dy[m, n] x[m, k], that is dW = dy^T x; db[n] = sum_m dy[m, n].
/// The sums over rows m continue the chain already in the gradient, in row order, so splitting a batch changes no bit.
/// </para>
/// </summary>
internal readonly record struct LinearOp(Tensor X, Tensor Weight, Tensor? Bias, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient || Weight.WantsGradient || Bias is { WantsGradient: true };

    public Work ForwardWork =>
        Work.Of("linear forward", (int)X.Shape.Rows, Weight.Shape[0], Weight.Shape[1]);

    public Work? BackwardWork => null;

    public unsafe void Backward(Compute compute)
    {
        int m = (int)X.Shape.Rows, n = Weight.Shape[0], k = Weight.Shape[1];
        float* dy = Y.Gradient.Pointer;
        if (X.WantsGradient)
        {
            var dx = X.GradientFor(compute);
            var rows = compute.Widened(Weight);
            LinearProduct.Run(compute, m, k, n, new(dy, n), new(rows.Pointer, k), new(dx.Pointer, X.RowStride),
                accumulate: dx.Accumulate);
            compute.Release(rows, Weight);
            compute.Profiler?.Lap(Work.Of("linear dX", m, k, n));
        }
        if (Weight.WantsGradient)
        {
            var dw = Weight.GradientFor(compute);
            LinearProduct.Run(compute, n, k, m, new(dy, 1, n), new(X.Pointer, X.RowStride), new(dw.Pointer, k),
                accumulate: dw.Accumulate);
            compute.Profiler?.Lap(Work.Of("linear dW", n, k, m));
        }
        if (Bias is { WantsGradient: true })
        {
            ColumnSums.Run(compute, m, n, dy, n, Bias.GradientFor(compute));
            compute.Profiler?.Lap(Work.Of("linear db", Y.Length, Y, Bias));
        }
    }
}

/// <summary>Linear maps as a method of <see cref="Compute"/>.</summary>
public static class LinearExtensions
{
    /// <summary>
    /// y = x W^T + b: x [.., K], weight [N, K], bias [N] or null, y [.., N]. A packed weight gives the bits of the
    /// same one in float32 rows and has no backward pass, but a quantised one: it is multiplied by x in 8 bits, and
    /// by x itself, with the bits of its dequantised rows, where the product is differentiated.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static unsafe Tensor Linear(this Compute compute, Tensor x, Tensor weight, Tensor? bias)
    {
        if (weight.Shape.Rank != 2 || x.Shape.Rank == 0 || x.Shape.Columns != weight.Shape[1]
            || (bias is not null && bias.Shape != new Shape(weight.Shape[0])))
            throw new ArgumentException(
                $"linear: x {x}, weight {weight}, bias {bias?.ToString() ?? "none"} do not fit; wanted [.., K], [N, "
                + "K], [N]");
        compute.WatchLinear?.Invoke(weight, x);
        int m = checked((int)x.Shape.Rows), n = weight.Shape[0];
        var y = compute.New(x.Shape.WithColumns(n));
        var rows = compute.Differentiates ? compute.Widened(weight) : weight;
        LinearProduct.Forward(compute, m, new(x.Pointer, x.RowStride), rows, new(y.Pointer, n),
            bias is null ? null : bias.Pointer);
        compute.Release(rows, weight);
        compute.Record(new LinearOp(x, weight, bias, y));
        return y;
    }
}
