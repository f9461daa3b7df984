using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// y[n] = start[n] + sum_k x[k] W[n, k] for one row x: a decoding step. Each weight is used once,
/// so memory sets the pace. The chains of canonical arithmetic run along k and lanes belong to
/// different n, while W has its k side by side: sixteen rows are read at once and transposed in
/// registers, 4 x 4 at a time, which four lanes do at every SIMD width.
/// </summary>
internal readonly unsafe struct Gemv(int n, int k, float* x, float* w, nint ldw, float* start, float* y) : IKernel
{
    /// <summary>
    /// Rows at a time: four chains of four lanes cover the latency of a multiply-add, and as many
    /// streams are read ahead by hardware.
    /// </summary>
    private const int Rows = 16;

    /// <summary>
    /// The prefetch distance of each row, in floats: hardware follows fewer than sixteen streams.
    /// </summary>
    private const int Ahead = 160;

    /// <summary>
    /// y = start + x W^T: x [K], W [N, K] with rows ldw apart, start [N] (may be y, or null for
    /// zero), y [N].
    /// </summary>
    public static void Run(Compute compute, int n, int k, float* x, float* w, nint ldw, float* start, float* y)
    {
        nint blocks = (n + Rows - 1) / Rows;
        compute.For(blocks, Math.Max(1, nint.Max(blocks / (8 * compute.Threads), (1 << 15) / Math.Max(1, Rows * k))), 0,
            new Gemv(n, k, x, w, ldw, start, y));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint row = begin * Rows; row < nint.Min(n, end * Rows); row += Rows)
            if (row + Rows <= n)
                Sixteen(row, more: row + (2 * Rows) <= nint.Min(n, end * Rows));
            else
                for (nint r = row; r < n; r++)
                    y[r] = Chain(start == null ? 0 : start[r], w + (r * ldw), 0);
    }

    /// <summary>
    /// Sixteen outputs; with more to come, the end of these rows is also the time to fetch the
    /// beginning of the next.
    /// </summary>
    private void Sixteen(nint row, bool more)
    {
        float* w0 = w + (row * ldw), w4 = w0 + (4 * ldw), w8 = w4 + (4 * ldw), w12 = w8 + (4 * ldw);
        Vector128<float> a = default, b = default, c = default, d = default;
        if (start != null)
            (a, b, c, d) = (Vector128.Load(start + row), Vector128.Load(start + row + 4),
                Vector128.Load(start + row + 8), Vector128.Load(start + row + 12));
        int i = 0;
        for (; i <= k - 16; i += 16)
        {
            float* next = i + Ahead < k ? w0 + i + Ahead : w0 + (Rows * ldw) + (i + Ahead - k);
            if (more || i + Ahead < k)
                for (nint r = 0; r < Rows; r++)
                    FetchList.Fetch(next + (r * ldw));
            for (int j = i; j < i + 16; j += 4)
            {
                a = Four(a, w0, j);
                b = Four(b, w4, j);
                c = Four(c, w8, j);
                d = Four(d, w12, j);
            }
        }
        float* to = y + row;
        a.Store(to);
        b.Store(to + 4);
        c.Store(to + 8);
        d.Store(to + 12);
        for (int r = 0; r < Rows && i < k; r++)
            to[r] = Chain(to[r], w0 + (r * ldw), i);
    }

    /// <summary>Four steps of four chains.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector128<float> Four(Vector128<float> sum, float* rows, int i)
    {
        var (p, q, r, s) = Pack.LoadTransposed(rows + i, ldw);
        sum = Simd128.Fma(Vector128.Create(x[i]), p, sum);
        sum = Simd128.Fma(Vector128.Create(x[i + 1]), q, sum);
        sum = Simd128.Fma(Vector128.Create(x[i + 2]), r, sum);
        return Simd128.Fma(Vector128.Create(x[i + 3]), s, sum);
    }

    private float Chain(float sum, float* row, int from)
    {
        for (int i = from; i < k; i++)
            sum = MathF.FusedMultiplyAdd(x[i], row[i], sum);
        return sum;
    }
}
