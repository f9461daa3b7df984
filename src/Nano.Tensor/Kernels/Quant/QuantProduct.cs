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
internal readonly unsafe struct QuantProduct(int m, QuantPanels w, QuantRows x, float* bias, Rows y) : IKernel
{
    private const int Width = QuantPanels.Width, Unit = QuantPanels.Unit;

    /// <summary>Weights times rows that are worth a dispatch.</summary>
    private const int WorthSharing = 1 << 16;

    /// <summary>Y = bias + X W^T: X [m, K], Y [m, N], bias [N] or null.</summary>
    public static void Run(Compute compute, int m, Rows x, QuantPanels w, Rows y, float* bias)
    {
        var rows = new QuantRows(w.K, compute.Shared(QuantRows.Floats(m, w.K)));
        compute.For(m, Math.Max(1, WorthSharing / Math.Max(1, 16 * w.K)), 0, new QuantiseRows(x, rows));
        compute.For(w.Panels, Math.Max(1, Math.Max(w.Panels / (8 * compute.Threads),
            WorthSharing / Math.Max(1, m * Width * w.K))), Width, new QuantProduct(m, w, rows, bias, y));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        float* sums = scratch.Allocate(Width);
        for (int panel = (int)begin; panel < end; panel++)
        {
            int n = panel * Width, count = Math.Min(Width, w.N - n);
            for (int row = 0; row < m; row++)
            {
                new Span<float>(sums, Width).Clear();
                if (bias != null)
                    new ReadOnlySpan<float>(bias + n, count).CopyTo(new Span<float>(sums, Width));
                for (int lane = 0; lane < Width; lane += S.Lanes)
                    S.Store(sums + lane, Chain<S, V>(panel, row, lane, S.Load(sums + lane)));
                new ReadOnlySpan<float>(sums, count).CopyTo(new Span<float>(y.At(row) + n, count));
            }
        }
    }

    /// <summary>The chains of as many rows of W as a vector has lanes.</summary>
    private V Chain<S, V>(int panel, int row, int lane, V sum) where S : ISimd<V> where V : unmanaged
    {
        byte* codes = w.Codes(panel) + (lane * (w.IsNibbles ? 4 : 2));
        float* scales = w.Scales(panel) + lane, minima = w.Minima(panel) + lane, d = x.Scales(row);
        int* sums = x.Sums(row);
        for (int unit = 0; unit < w.Units; unit++, codes += w.UnitBytes, sums += 2)
        {
            var (low, high) = w.IsNibbles ? Nibbles<S, V>(codes, x.Bytes(row) + (unit * Unit))
                : Bytes<S, V>(codes, x.Shorts(row) + (unit * Unit));
            V scale = S.Splat(d[unit]);
            if (w.PartsPerUnit == 1)
                sum = Add<S, V>(sum, S.AddIntegers(low, high), sums[0] + sums[1], scale, ref scales, ref minima);
            else
            {
                sum = Add<S, V>(sum, low, sums[0], scale, ref scales, ref minima);
                sum = Add<S, V>(sum, high, sums[1], scale, ref scales, ref minima);
            }
        }
        return sum;
    }

    /// <summary>Adds the products of a part, and its minimum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private V Add<S, V>(V sum, V products, int sumOfX, V d, ref float* scales, ref float* minima)
        where S : ISimd<V> where V : unmanaged
    {
        if (w.Offset != 0)
            products = S.AddIntegers(products, S.Splat(BitConverter.Int32BitsToSingle(-w.Offset * sumOfX)));
        sum = S.Fma(S.ToFloats(products), S.Multiply(S.Load(scales), d), sum);
        scales += Width;
        if (!w.HasMinimum)
            return sum;
        sum = S.Fma(S.Splat(sumOfX), S.Multiply(S.Load(minima), d), sum);
        minima += Width;
        return sum;
    }

    /// <summary>
    /// The sums of a unit's halves from codes of 4 bits. Eight 16-bit sums of two products are at most 8 x 2 x 15 x 127
    /// = 30,480.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V Low, V High) Nibbles<S, V>(byte* codes, sbyte* x) where S : ISimd<V> where V : unmanaged
    {
        float* bytes = (float*)x; // four codes each, which are only copied
        V w0 = S.Load((float*)codes), w1 = S.Load((float*)(codes + 64)), w2 = S.Load((float*)(codes + 128)),
            w3 = S.Load((float*)(codes + 192));
        V low = S.AddShorts(
            S.AddShorts(S.DotBytes(S.LowNibbles(w0), S.Splat(bytes[0])), S.DotBytes(S.LowNibbles(w1), S.Splat(bytes[1]))),
            S.AddShorts(S.DotBytes(S.LowNibbles(w2), S.Splat(bytes[2])), S.DotBytes(S.LowNibbles(w3), S.Splat(bytes[3]))));
        V high = S.AddShorts(
            S.AddShorts(S.DotBytes(S.HighNibbles(w0), S.Splat(bytes[4])), S.DotBytes(S.HighNibbles(w1), S.Splat(bytes[5]))),
            S.AddShorts(S.DotBytes(S.HighNibbles(w2), S.Splat(bytes[6])), S.DotBytes(S.HighNibbles(w3), S.Splat(bytes[7]))));
        return (S.SumShorts(low), S.SumShorts(high));
    }

    /// <summary>The sums of a unit's halves from codes of 8 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V Low, V High) Bytes<S, V>(byte* codes, short* x) where S : ISimd<V> where V : unmanaged
    {
        float* pairs = (float*)x; // two codes each, which are only copied
        sbyte* c = (sbyte*)codes;
        V low = S.Splat(0), high = low;
        for (int j = 0; j < 8; j++)
        {
            low = S.AddIntegers(low, S.DotShorts(S.LoadShorts(c + (32 * j)), S.Splat(pairs[j])));
            high = S.AddIntegers(high, S.DotShorts(S.LoadShorts(c + (32 * (j + 8))), S.Splat(pairs[j + 8])));
        }
        return (low, high);
    }
}
