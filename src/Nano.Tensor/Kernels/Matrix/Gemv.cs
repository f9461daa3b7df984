namespace Nano;

/// <summary>
/// y[n] = start[n] + sum_k x[k] W[n, k] for one row x: a decoding step. Each weight is used once,
/// so memory sets the pace. The chains of canonical arithmetic run along k and lanes belong to
/// different n, while W has its k side by side: <see cref="GemvTiles"/> transposes in registers. Sixteen rows
/// follow each other in memory, and while they are read, the sixteen after them are fetched into the second-level
/// cache, one line after the other: hardware follows few streams, and the memory likes one best.
/// </summary>
internal readonly unsafe struct Gemv(int n, int k, float* x, Matrix w, float* start, float* y) : IKernel
{
    /// <summary>Rows at a time.</summary>
    public const int Rows = 16;

    /// <summary>
    /// y = start + x W^T: x [K], W [N, K] of any form, start [N] (may be y, or null for zero), y [N].
    /// </summary>
    public static void Run(Compute compute, int n, int k, float* x, Matrix w, float* start, float* y)
    {
        nint blocks = (n + Rows - 1) / Rows;
        compute.For(blocks, Math.Max(1, nint.Max(blocks / (8 * compute.Threads), (1 << 15) / Math.Max(1, Rows * k))), 0,
            new Gemv(n, k, x, w, start, y));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        switch (w.Form)
        {
            case WeightForm.Float32:
                Walk<S, V, Float32Weights>(begin, end);
                break;
            case WeightForm.BFloat16:
                Walk<S, V, BFloat16Weights>(begin, end);
                break;
            case WeightForm.FiniteFloat16:
                Walk<S, V, FiniteFloat16Weights>(begin, end);
                break;
            default:
                Walk<S, V, Float16Weights>(begin, end);
                break;
        }
    }

    private void Walk<S, V, W>(nint begin, nint end) where S : ISimd<V> where V : unmanaged where W : IWeightForm
    {
        nint stride = w.PerRow * w.ElementSize;
        for (nint row = begin * Rows; row < nint.Min(n, end * Rows); row += Rows)
        {
            int count = (int)nint.Min(Rows, n - row), done = 0;
            for (int r = 0; r < count; r++)
                y[row + r] = start == null ? 0 : start[row + r];
            byte* first = (byte*)w.From(row, 0).Pointer;
            if (count == Rows)
            {
                byte* ahead = row + (2 * Rows) <= n ? first + (Rows * stride) : null;
                done = GemvTiles.Sixteen<S, W>(k, x, first, stride, ahead, y + row);
            }
            for (int r = 0; r < count && done < k; r++)
                y[row + r] = Chain<W>(y[row + r], first + (r * stride), done);
        }
    }

    /// <summary>The rest of a row's chain, one weight at a time.</summary>
    private float Chain<W>(float sum, byte* row, int from) where W : IWeightForm
    {
        for (int i = from; i < k; i++)
        {
            float weight = W.PerWord == 1 ? ((float*)row)[i]
                : W.First<SimdScalar, float>(BitConverter.UInt32BitsToSingle(((ushort*)row)[i]));
            sum = MathF.FusedMultiplyAdd(x[i], weight, sum);
        }
        return sum;
    }
}
