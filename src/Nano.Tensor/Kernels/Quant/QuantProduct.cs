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

    /// <summary>
    /// Bytes to the codes that are fetched into the cache meanwhile; past the end nothing comes to harm.
    /// </summary>
    private const int Ahead = 16384;

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
        if (w.IsNibbles)
            Walk<S, V, FourBitCodes>((int)begin, (int)end, scratch.Allocate(Width));
        else
            Walk<S, V, EightBitCodes>((int)begin, (int)end, scratch.Allocate(Width));
    }

    private void Walk<S, V, C>(int begin, int end, float* sums) where S : ISimd<V> where V : unmanaged where C : ICodes
    {
        for (int panel = begin; panel < end; panel++)
        {
            int n = panel * Width, count = Math.Min(Width, w.N - n);
            for (int row = 0; row < m; row++)
            {
                new Span<float>(sums, Width).Clear();
                if (bias != null)
                    new ReadOnlySpan<float>(bias + n, count).CopyTo(new Span<float>(sums, Width));
                for (int lane = 0; lane < Width; lane += S.Lanes)
                    S.Store(sums + lane, Chain<S, V, C>(panel, row, lane, S.Load(sums + lane)));
                new ReadOnlySpan<float>(sums, count).CopyTo(new Span<float>(y.At(row) + n, count));
            }
        }
    }

    /// <summary>The chains of as many rows of W as a vector has lanes.</summary>
    private V Chain<S, V, C>(int panel, int row, int lane, V sum) where S : ISimd<V> where V : unmanaged
        where C : ICodes
    {
        byte* codes = w.Codes(panel) + (lane * C.LaneBytes), xCodes = C.Of(x, row);
        float* scales = w.Scales(panel) + lane, d = x.Scales(row), end = d + w.Units;
        int* sums = x.Sums(row);
        int parts = w.PartsPerUnit, offset = w.Offset;
        nint minima = w.HasMinimum ? (nint)(w.Minima(panel) - w.Scales(panel)) : 0;
        for (; d < end; d++, codes += C.UnitBytes, xCodes += C.XBytes, sums += 2, scales += parts * Width)
        {
            for (int i = 0; i < C.UnitBytes && row == 0; i += CacheSizes.Line)
                FetchList.FetchLater(codes + Ahead + i);
            var (low, high) = C.Sums<S, V>(codes, xCodes);
            int sumOfX = sums[0];
            if (parts == 1)
            {
                low = S.AddIntegers(low, high);
                sumOfX += sums[1];
            }
            V factor = S.Splat(*d);
            sum = S.Fma(Part<S, V>(low, offset, sumOfX), S.Multiply(S.Load(scales), factor), sum);
            if (minima != 0)
                sum = S.Fma(S.Splat(sumOfX), S.Multiply(S.Load(scales + minima), factor), sum);
            if (parts == 1)
                continue;
            sum = S.Fma(Part<S, V>(high, offset, sums[1]), S.Multiply(S.Load(scales + Width), factor), sum);
            if (minima != 0)
                sum = S.Fma(S.Splat(sums[1]), S.Multiply(S.Load(scales + Width + minima), factor), sum);
        }
        return sum;
    }

    /// <summary>The products of a part without the offset of its codes, as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Part<S, V>(V products, int offset, int sumOfX) where S : ISimd<V> where V : unmanaged =>
        S.ToFloats(offset == 0 ? products
            : S.AddIntegers(products, S.Splat(BitConverter.Int32BitsToSingle(-offset * sumOfX))));
}
