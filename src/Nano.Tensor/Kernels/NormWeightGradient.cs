namespace Nano;

/// <summary>
/// dw[c] += dy[row, c] h[row, c] and db[c] += dy[row, c], row after row, with h = (x - mean) inverseStd; a null mean is zero (RMSNorm), no db is
/// none. The sums stay in place while rows stream by; vectors and threads lie along columns.
/// </summary>
internal readonly unsafe struct NormWeightGradient(int rows, int columns, float* x, float* mean, float* inverseStd, float* dy, GradientTarget dw, GradientTarget db) : IKernel
{
    public static void Run(Compute compute, int rows, int columns, float* x, float* mean, float* inverseStd, float* dy, GradientTarget dw, GradientTarget? db) =>
        compute.For(columns, ColumnSums.Chunk(compute, rows, columns), 0, new NormWeightGradient(rows, columns, x, mean, inverseStd, dy, dw, db ?? default));

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        dw.Begin(begin, end);
        if (db.Pointer != null)
            db.Begin(begin, end);
        for (nint row = 0; row < rows; row++)
        {
            float* xr = x + (row * columns), dyr = dy + (row * columns);
            new ElementwiseLoop<WeightStep>(new(xr, mean == null ? 0 : mean[row], inverseStd[row], dyr, dw.Pointer)).Run<S, V>(begin, end, scratch);
            if (db.Pointer != null)
                new ElementwiseLoop<ElementwiseExtensions.Copy>(new(dyr, new GradientTarget(db.Pointer, true))).Run<S, V>(begin, end, scratch);
        }
    }

    private readonly struct WeightStep(float* x, float mean, float inverseStd, float* dy, float* dw) : IElementwise
    {
        public void At<S, V>(nint c) where S : ISimd<V> where V : unmanaged
        {
            V h = S.Multiply(S.Subtract(S.Load(x + c), S.Splat(mean)), S.Splat(inverseStd));
            S.Store(dw + c, S.Fma(S.Load(dy + c), h, S.Load(dw + c)));
        }
    }
}
