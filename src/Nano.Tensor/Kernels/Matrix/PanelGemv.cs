using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y[n] = start[n] + sum_k x[k] W[n, k] for one row x and packed weights: a decoding step. Each weight is used once,
/// so memory sets the pace. Two panels are read side by side, each from its first byte to its last, which is what
/// hardware prefetches best; a lane runs the chain of one n in order of k.
/// </summary>
internal readonly unsafe struct PanelGemv(Panels w, float* x, float* start, float* y) : IKernel
{
    /// <summary>Weights that are worth a dispatch.</summary>
    private const int WorthSharing = 1 << 15;

    /// <summary>y = start + x W^T: x [K], start [N] (may be y, or null for zero), y [N].</summary>
    public static void Run(Compute compute, float* x, Panels w, float* start, float* y)
    {
        nint groups = (w.N + Panels.Group - 1) / Panels.Group;
        compute.For(groups, Math.Max(1, nint.Max(groups / (8 * compute.Threads),
            WorthSharing / Math.Max(1, Panels.Group * w.K))), Panels.Group, new PanelGemv(w, x, start, y));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        float* sums = scratch.Allocate(Panels.Group);
        switch (w.Form)
        {
            case WeightForm.Float32:
                Walk<S, V, Float32Weights>(begin, end, sums);
                break;
            case WeightForm.BFloat16:
                Walk<S, V, BFloat16Weights>(begin, end, sums);
                break;
            case WeightForm.FiniteFloat16:
                Walk<S, V, FiniteFloat16Weights>(begin, end, sums);
                break;
            default:
                Walk<S, V, Float16Weights>(begin, end, sums);
                break;
        }
    }

    private void Walk<S, V, W>(nint begin, nint end, float* sums) where S : ISimd<V> where V : unmanaged
        where W : IWeightForm
    {
        for (nint group = begin; group < end; group++)
        {
            int row = (int)group * Panels.Group, count = Math.Min(Panels.Group, w.N - row);
            var all = new Span<float>(sums, Panels.Group);
            all.Clear();
            if (start != null)
                new ReadOnlySpan<float>(start + row, count).CopyTo(all);
            for (int i = 0; i < count; i += 4 * S.Lanes)
                FourVectors<S, V, W>(row + i, sums + i);
            all[..count].CopyTo(new Span<float>(y + row, count));
        }
    }

    /// <summary>The chains of as many rows as four vectors have lanes.</summary>
    private void FourVectors<S, V, W>(int row, float* sums) where S : ISimd<V> where V : unmanaged where W : IWeightForm
    {
        int l = S.Lanes, steps = w.K / W.PerWord;
        float* a = w.At(row, 0), b = w.At(row + (2 * l), 0), at = x;
        V s0 = S.Load(sums), s1 = S.Load(sums + l), s2 = S.Load(sums + (2 * l)), s3 = S.Load(sums + (3 * l));
        for (int i = 0; i < steps; i++, at += W.PerWord, a += Panels.Width, b += Panels.Width)
        {
            V w0 = S.Load(a), w1 = S.Load(a + l), w2 = S.Load(b), w3 = S.Load(b + l);
            s0 = Step<S, V, W>(s0, at, w0);
            s1 = Step<S, V, W>(s1, at, w1);
            s2 = Step<S, V, W>(s2, at, w2);
            s3 = Step<S, V, W>(s3, at, w3);
        }
        if (steps * W.PerWord < w.K) // the first half of the last words
        {
            V last = S.Splat(*at);
            s0 = S.Fma(last, W.First<S, V>(S.Load(a)), s0);
            s1 = S.Fma(last, W.First<S, V>(S.Load(a + l)), s1);
            s2 = S.Fma(last, W.First<S, V>(S.Load(b)), s2);
            s3 = S.Fma(last, W.First<S, V>(S.Load(b + l)), s3);
        }
        S.Store(sums, s0);
        S.Store(sums + l, s1);
        S.Store(sums + (2 * l), s2);
        S.Store(sums + (3 * l), s3);
    }

    /// <summary>The steps of a word, one or two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Step<S, V, W>(V sum, float* x, V words) where S : ISimd<V> where V : unmanaged
        where W : IWeightForm
    {
        sum = S.Fma(S.Splat(x[0]), W.First<S, V>(words), sum);
        return W.PerWord == 1 ? sum : S.Fma(S.Splat(x[1]), W.Second<S, V>(words), sum);
    }
}
