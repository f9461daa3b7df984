namespace Nano;

/// <summary>out[n] = (out[n] or 0) + x[0, n] + x[1, n] + ...: in row order, vectors and threads along columns. Bias gradients.</summary>
internal readonly unsafe struct ColumnSums(int rows, float* x, nint rowStride, GradientTarget output) : IElementwise
{
    public static void Run(Compute compute, int rows, int columns, float* x, nint rowStride, GradientTarget output) =>
        compute.For(columns, Math.Max(64, (1 << 13) / Math.Max(1, rows) / 64 * 64), 0, new ElementwiseLoop<ColumnSums>(new ColumnSums(rows, x, rowStride, output)));

    public void At<S, V>(nint c) where S : ISimd<V> where V : unmanaged
    {
        V sum = output.Accumulate ? S.Load(output.Pointer + c) : S.Splat(0);
        float* p = x + c;
        for (int r = 0; r < rows; r++, p += rowStride)
            sum = S.Add(sum, S.Load(p));
        S.Store(output.Pointer + c, sum);
    }
}
