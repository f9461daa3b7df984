using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// dw[c] += dy[row, c] h[row, c] and db[c] += dy[row, c], row after row, with h = (x - mean)
/// inverseStd; a null mean is zero (RMSNorm); either target may be missing. The sums stay in place
/// while rows stream by, a few at a time; vectors and the parts of the work lie along columns.
/// </summary>
internal readonly unsafe struct NormWeightGradient(int rows, int columns, float* x, float* mean, float* inverseStd,
    float* dy, GradientTarget dw, GradientTarget db) : IKernel
{
    private const int RowsPerVisit = 8;

    /// <summary>
    /// Rows of a band: all, in bands of equal height whose x, dy and dx fit in the second-level caches of all
    /// workers, so that of what one half has read, the other finds most there.
    /// </summary>
    public static int Band(Compute compute, int rows, int columns)
    {
        long rowBytes = 3L * sizeof(float) * Math.Max(1, columns);
        long most = Math.Max(RowsPerVisit, (long)compute.Threads * compute.Caches.L2 / rowBytes);
        int bands = Math.Max(1, (int)((rows + most - 1) / most));
        return Math.Max(1, (rows + bands - 1) / bands);
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        if (dw.Pointer == null && db.Pointer == null)
            return;
        if (dw.Pointer != null)
            dw.Begin(begin, end);
        if (db.Pointer != null)
            db.Begin(begin, end);
        for (int row = 0; row < rows; row += RowsPerVisit)
            new ElementwiseLoop<Visit>(new(Math.Min(RowsPerVisit, rows - row), columns, x + ((nint)row * columns),
                mean == null ? null : mean + row, inverseStd + row,
                dy + ((nint)row * columns), dw.Pointer, db.Pointer)).Run<S, V>(begin, end, scratch);
    }

    /// <summary>Continues the sums of some columns over a few rows.</summary>
    private readonly struct Visit(int rows, nint columns, float* x, float* mean, float* inverseStd, float* dy,
        float* dw, float* db) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint c) where S : ISimd<V> where V : unmanaged
        {
            V sumW = dw == null ? S.Splat(0) : S.Load(dw + c), sumB = db == null ? S.Splat(0) : S.Load(db + c);
            float* px = x + c, pdy = dy + c;
            for (int r = 0; r < rows; r++, px += columns, pdy += columns)
            {
                V g = S.Load(pdy), distance = S.Subtract(S.Load(px), S.Splat(mean == null ? 0 : mean[r]));
                sumW = S.Fma(g, S.Multiply(distance, S.Splat(inverseStd[r])), sumW);
                sumB = S.Add(sumB, g);
            }
            if (dw != null)
                S.Store(dw + c, sumW);
            if (db != null)
                S.Store(db + c, sumB);
        }
    }
}
