using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// y[n] = start[n] + sum_k x[k] W[n, k] for one row x, with W as it is trained (packed weights have
/// <see cref="PanelGemv"/>). The chains of canonical arithmetic run along k and lanes belong to different n, while W
/// has its k side by side: squares of 4 x 4 are transposed in registers. Sixteen rows follow each other in memory, and
/// while they are read, the sixteen after them are fetched into the second-level cache, one line after the other:
/// hardware follows few streams, and the memory likes one best. Vectors of four lanes keep up with the memory.
/// </summary>
internal readonly unsafe struct Gemv(int n, int k, float* x, Matrix w, float* start, float* y) : IKernel
{
    /// <summary>Rows at a time.</summary>
    private const int Rows = 16;

    /// <summary>Floats per cache line.</summary>
    private const int Line = 16;

    /// <summary>y = start + x W^T: x [K], W [N, K], start [N] (may be y, or null for zero), y [N].</summary>
    public static void Run(Compute compute, int n, int k, float* x, Matrix w, float* start, float* y)
    {
        nint blocks = (n + Rows - 1) / Rows;
        compute.For(blocks, Math.Max(1, nint.Max(blocks / (8 * compute.Threads), (1 << 15) / Math.Max(1, Rows * k))), 0,
            new Gemv(n, k, x, w, start, y));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        nint stride = w.PerRow;
        for (nint row = begin * Rows; row < nint.Min(n, end * Rows); row += Rows)
        {
            int count = (int)nint.Min(Rows, n - row), done = 0;
            for (int r = 0; r < count; r++)
                y[row + r] = start == null ? 0 : start[row + r];
            float* first = w.From(row, 0).Pointer;
            if (count == Rows)
                done = Sixteen(first, stride, row + (2 * Rows) <= n ? first + (Rows * stride) : null, y + row);
            for (int r = 0; r < count; r++)
                for (int i = done; i < k; i++)
                    y[row + r] = MathF.FusedMultiplyAdd(x[i], first[(r * stride) + i], y[row + r]);
        }
    }

    /// <summary>sums[r] += sum_k x[k] rows[r, k] for sixteen rows and as many steps as fill whole lines.</summary>
    /// <param name="rows">The first row.</param>
    /// <param name="stride">Floats from row to row.</param>
    /// <param name="ahead">The rows to fetch meanwhile, or null.</param>
    /// <param name="sums">[16]</param>
    /// <returns>The steps done.</returns>
    private int Sixteen(float* rows, nint stride, float* ahead, float* sums)
    {
        int i = 0;
        for (; i <= k - Line; i += Line)
        {
            for (int line = 0; line < Rows && ahead != null; line++, ahead += Line)
                FetchList.FetchLater(ahead); // of what lies past the end nothing comes to harm
            for (int r = 0; r < Rows; r += 4) // a line of each row, used up before the next rows'
            {
                var sum = Vector128.Load(sums + r);
                for (int j = i; j < i + Line; j += 4)
                {
                    var (a, b, c, d) = Pack.LoadTransposed(rows + (r * stride) + j, stride);
                    sum = Simd128.Fma(Vector128.Create(x[j]), a, sum);
                    sum = Simd128.Fma(Vector128.Create(x[j + 1]), b, sum);
                    sum = Simd128.Fma(Vector128.Create(x[j + 2]), c, sum);
                    sum = Simd128.Fma(Vector128.Create(x[j + 3]), d, sum);
                }
                sum.Store(sums + r);
            }
        }
        return i;
    }
}
