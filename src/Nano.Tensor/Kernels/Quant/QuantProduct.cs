using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Y[m, n] = bias[n] + sum_k X[m, k] W[n, k] for quantised weights, with X in 8 bits too (<see cref="QuantRows"/>).
/// <para>
/// Canonical arithmetic: the products of a unit of 32 steps (16 where the format has a scale for each 16) are added as
/// whole numbers, exactly, whatever the order; y = fma(sum, w d, y) then follows the units in order, with the scales'
/// product w d rounded once, and where the format has minima y = fma(sum of x, minimum d, y) after it. A lane has one
/// row of W and k is never split. So every width, any number of threads, one row or a batch give the same bits.
/// </para>
/// </summary>
internal readonly unsafe struct QuantProduct(int m, QuantPanels w, QuantRows x, float* bias, Rows y, bool emits)
    : IKernel
{
    private const int Width = QuantPanels.Width;

    /// <summary>Tokens for which codes are taken apart once.</summary>
    private const int Tokens = ByteTile.Tokens;

    /// <summary>
    /// Bytes to the codes that are fetched into the cache meanwhile; past the end nothing comes to harm.
    /// </summary>
    public const int Ahead = 16384;

    /// <summary>Weights times rows that are worth a dispatch.</summary>
    private const int WorthSharing = 1 << 16;

    /// <summary>Y = bias + X W^T: X [m, K], Y [m, N], bias [N] or null.</summary>
    public static void Run(Compute compute, int m, Rows x, QuantPanels w, Rows y, float* bias)
    {
        var rows = new QuantRows(w.K, compute.Shared(QuantRows.Floats(m, w.K)));
        compute.For(m, Math.Max(1, WorthSharing / Math.Max(1, 16 * w.K)), 0, new QuantiseRows(x, rows));
        compute.For(w.Panels, Math.Max(1, Math.Max(w.Panels / (8 * compute.Threads),
            (nint)(WorthSharing / Math.Max(1, (long)m * Width * w.K)))), w.Scales.Floats + (Tokens * Width),
            new QuantProduct(m, w, rows, bias, y, compute.BytesProblem is null));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        switch (w.Bits)
        {
            case 2: Walk<S, V, TwoBits>((int)begin, (int)end, scratch); break;
            case 3: Walk<S, V, ThreeBits>((int)begin, (int)end, scratch); break;
            case 4: Walk<S, V, FourBits>((int)begin, (int)end, scratch); break;
            case 5: Walk<S, V, FiveBits>((int)begin, (int)end, scratch); break;
            case 6: Walk<S, V, SixBits>((int)begin, (int)end, scratch); break;
            default: Walk<S, V, EightBits>((int)begin, (int)end, scratch); break;
        }
    }

    private void Walk<S, V, C>(int begin, int end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        where C : ICodes
    {
        float* scales = scratch.Allocate(w.Scales.Floats), sums = scratch.Allocate(Tokens * Width);
        var one = emits ? ByteTile.Code(w, 1) : null;
        var four = emits ? ByteTile.Code(w, Tokens) : null;
        for (int panel = begin; panel < end; panel++)
        {
            byte* table = w.ScalesOf(panel);
            for (nint i = 0; i < w.Scales.Bytes; i += CacheSizes.Line)
                FetchList.FetchLater(table + Ahead + i);
            w.Scales.Expand<S, V>(table, scales);
            int n = panel * Width, count = Math.Min(Width, w.N - n);
            for (int row = 0; row < m;)
            {
                int tokens = m - row >= Tokens ? Tokens : 1;
                new Span<float>(sums, tokens * Width).Clear();
                for (int t = 0; t < tokens && bias != null; t++)
                    new ReadOnlySpan<float>(bias + n, count).CopyTo(new Span<float>(sums + (t * Width), Width));
                if (emits)
                    (tokens == 1 ? one : four)(w.Codes(panel), x.Row(row), w.Units * sizeof(QuantUnit), w.Units, scales,
                        sums);
                for (int lane = 0; lane < Width && !emits; lane += S.Lanes)
                    Chains<S, V, C>(w.Codes(panel) + (lane * sizeof(int)), row, tokens, scales + lane, sums + lane);
                for (int t = 0; t < tokens; t++, row++)
                    new ReadOnlySpan<float>(sums + (t * Width), count).CopyTo(new Span<float>(y.At(row) + n, count));
            }
        }
    }

    /// <summary>
    /// The chains of a few tokens with as many rows of W as a vector has lanes. The codes of a unit are taken apart
    /// once and stay in registers for all of them.
    /// </summary>
    private void Chains<S, V, C>(byte* codes, int row, int tokens, float* scales, float* sums) where S : ISimd<V>
        where V : unmanaged where C : ICodes
    {
        QuantUnit* token = x.Row(row);
        int units = w.Units, offset = w.Offset, unitBytes = Codes.UnitBytes<C>(), unitScales = w.Scales.FloatsOfUnit;
        bool hasMinimum = w.Scales.HasMinimum;
        float* end = sums + (tokens * Width);
        for (int unit = 0; unit < units; unit++, token++, codes += unitBytes, scales += unitScales)
        {
            for (int i = 0; i < unitBytes && row == 0; i += CacheSizes.Line)
                FetchList.FetchLater(codes + Ahead + i);
            V v0 = Codes.Vector<S, V, C>(codes, 0), v1 = Codes.Vector<S, V, C>(codes, 1),
                v2 = Codes.Vector<S, V, C>(codes, 2), v3 = Codes.Vector<S, V, C>(codes, 3),
                v4 = Codes.Vector<S, V, C>(codes, 4), v5 = Codes.Vector<S, V, C>(codes, 5),
                v6 = Codes.Vector<S, V, C>(codes, 6), v7 = Codes.Vector<S, V, C>(codes, 7);
            QuantUnit* q = token;
            for (float* sum = sums; sum < end; sum += Width, q += units)
            {
                V factor = S.Splat(q->Scale), chain = S.Load(sum);
                V low = Codes.Sum<S, V, C>(v0, v1, v2, v3, (byte*)q->Codes),
                    high = Codes.Sum<S, V, C>(v4, v5, v6, v7, (byte*)q->Codes + 16);
                if (C.Parts == 1)
                    chain = Part<S, V, C>(chain, S.AddIntegers(low, high), offset, q->LessSum, factor, scales,
                        hasMinimum);
                else
                    chain = Part<S, V, C>(Part<S, V, C>(chain, low, offset, q->LessFirst, factor, scales, hasMinimum),
                        high, offset, q->LessSecond, factor, scales + Width, hasMinimum);
                S.Store(sum, chain);
            }
        }
    }

    /// <summary>A token's chains with the products of one more part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Part<S, V, C>(V chain, V products, int offset, int lessSum, V factor, float* scales,
        bool hasMinimum) where S : ISimd<V> where V : unmanaged where C : ICodes
    {
        products = S.AddIntegers(products, S.Splat(BitConverter.Int32BitsToSingle(offset * lessSum)));
        chain = S.Fma(S.ToFloats(products), S.Multiply(S.Load(scales), factor), chain);
        return !hasMinimum ? chain
            : S.Fma(S.Splat(-lessSum), S.Multiply(S.Load(scales + (C.Parts * Width)), factor), chain);
    }
}
