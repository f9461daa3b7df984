using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V256 = System.Runtime.Intrinsics.Vector256<float>;
using V512 = System.Runtime.Intrinsics.Vector512<float>;

namespace Nano;

/// <summary>
/// Sixteen rows of weights times a vector. A square of words, one vector of each of as many rows as a vector has
/// lanes, is transposed in registers: then a vector holds a step of all these rows, and each lane's chain runs on.
/// Once for each width, since shuffles are not the same.
/// </summary>
internal static unsafe class GemvTiles
{
    /// <summary>y[r] += sum_k x[k] w[r, k] for sixteen rows and as many steps as fill whole squares.</summary>
    /// <param name="k">Weights of a row.</param>
    /// <param name="x">[k]</param>
    /// <param name="w">The first row.</param>
    /// <param name="stride">Bytes from row to row.</param>
    /// <param name="ahead">The rows to fetch meanwhile, or null.</param>
    /// <param name="y">[16]</param>
    /// <returns>The steps done.</returns>
    public static int Sixteen<S, W>(int k, float* x, byte* w, nint stride, byte* ahead, float* y) where W : IWeightForm
    {
        if (typeof(S) == typeof(Simd512) && Avx512F.IsSupported)
            return Wide512<W>(k, x, w, stride, ahead, y);
        if (typeof(S) == typeof(Simd256) && Avx.IsSupported)
            return Wide256<W>(k, x, w, stride, ahead, y);
        return Wide128<W>(k, x, w, stride, ahead, y);
    }

    /// <summary>Asks for the next lines; of what lies past the end nothing comes to harm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Fetch(byte* ahead, int lines)
    {
        if (ahead == null || !Sse.IsSupported)
            return ahead;
        for (int i = 0; i < lines; i++)
            Sse.Prefetch1(ahead + (i * CacheSizes.Line));
        return ahead + (lines * CacheSizes.Line);
    }

    private static int Wide128<W>(int k, float* x, byte* w, nint stride, byte* ahead, float* y) where W : IWeightForm
    {
        int step = 16 * W.PerWord, i = 0;
        for (; i <= k - step; i += step, w += CacheSizes.Line)
        {
            ahead = Fetch(ahead, Gemv.Rows);
            for (int r = 0; r < Gemv.Rows; r += 4) // a line of each row, used up before the next rows'
            {
                var sum = Vector128.Load(y + r);
                byte* rows = w + (r * stride);
                for (int j = 0; j < CacheSizes.Line; j += 16)
                {
                    var (a, b, c, d) = Pack.LoadTransposed(rows + j, stride);
                    float* at = x + i + (j / sizeof(float) * W.PerWord);
                    sum = Steps<Simd128, Vector128<float>, W>(sum, at, a);
                    sum = Steps<Simd128, Vector128<float>, W>(sum, at + W.PerWord, b);
                    sum = Steps<Simd128, Vector128<float>, W>(sum, at + (2 * W.PerWord), c);
                    sum = Steps<Simd128, Vector128<float>, W>(sum, at + (3 * W.PerWord), d);
                }
                sum.Store(y + r);
            }
        }
        return i;
    }

    private static int Wide256<W>(int k, float* x, byte* w, nint stride, byte* ahead, float* y) where W : IWeightForm
    {
        int p = W.PerWord, step = 16 * p, i = 0;
        for (; i <= k - step; i += step, w += CacheSizes.Line)
        {
            ahead = Fetch(ahead, Gemv.Rows);
            for (int r = 0; r < Gemv.Rows; r += 8)
            {
                var sum = Vector256.Load(y + r);
                for (int half = 0; half < 2; half++)
                {
                    byte* low = w + (r * stride) + (32 * half), high = low + (4 * stride);
                    float* at = x + i + (8 * p * half);
                    var (a, b, c, d) = Quads(low, stride);
                    var (e, f, g, h) = Quads(high, stride);
                    sum = Steps<Simd256, V256, W>(sum, at, Avx.Permute2x128(a, e, 0x20));
                    sum = Steps<Simd256, V256, W>(sum, at + p, Avx.Permute2x128(b, f, 0x20));
                    sum = Steps<Simd256, V256, W>(sum, at + (2 * p), Avx.Permute2x128(c, g, 0x20));
                    sum = Steps<Simd256, V256, W>(sum, at + (3 * p), Avx.Permute2x128(d, h, 0x20));
                    sum = Steps<Simd256, V256, W>(sum, at + (4 * p), Avx.Permute2x128(a, e, 0x31));
                    sum = Steps<Simd256, V256, W>(sum, at + (5 * p), Avx.Permute2x128(b, f, 0x31));
                    sum = Steps<Simd256, V256, W>(sum, at + (6 * p), Avx.Permute2x128(c, g, 0x31));
                    sum = Steps<Simd256, V256, W>(sum, at + (7 * p), Avx.Permute2x128(d, h, 0x31));
                }
                sum.Store(y + r);
            }
        }
        return i;
    }

    private static int Wide512<W>(int k, float* x, byte* w, nint stride, byte* ahead, float* y) where W : IWeightForm
    {
        int p = W.PerWord, step = 16 * p, i = 0;
        var sum = Vector512.Load(y);
        nint four = 4 * stride;
        for (; i <= k - step; i += step, w += CacheSizes.Line)
        {
            ahead = Fetch(ahead, Gemv.Rows);
            byte* w8 = w + (2 * four);
            var (a0, a1, a2, a3) = Wide(w, stride);
            var (b0, b1, b2, b3) = Wide(w + four, stride);
            var (c0, c1, c2, c3) = Wide(w8, stride);
            var (d0, d1, d2, d3) = Wide(w8 + four, stride);
            var (k0, k4, k8, kC) = Lanes(a0, b0, c0, d0);
            var (k1, k5, k9, kD) = Lanes(a1, b1, c1, d1);
            var (k2, k6, kA, kE) = Lanes(a2, b2, c2, d2);
            var (k3, k7, kB, kF) = Lanes(a3, b3, c3, d3);
            float* at = x + i;
            sum = FourSteps<W>(sum, at, k0, k1, k2, k3);
            sum = FourSteps<W>(sum, at + (4 * p), k4, k5, k6, k7);
            sum = FourSteps<W>(sum, at + (8 * p), k8, k9, kA, kB);
            sum = FourSteps<W>(sum, at + (12 * p), kC, kD, kE, kF);
        }
        sum.Store(y);
        return i;
    }

    /// <summary>The steps of a word, one or two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Steps<S, V, W>(V sum, float* x, V words) where S : ISimd<V> where V : unmanaged
        where W : IWeightForm
    {
        sum = S.Fma(S.Splat(x[0]), W.First<S, V>(words), sum);
        return W.PerWord == 1 ? sum : S.Fma(S.Splat(x[1]), W.Second<S, V>(words), sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V512 FourSteps<W>(V512 sum, float* x, V512 a, V512 b, V512 c, V512 d) where W : IWeightForm
    {
        sum = Steps<Simd512, V512, W>(sum, x, a);
        sum = Steps<Simd512, V512, W>(sum, x + W.PerWord, b);
        sum = Steps<Simd512, V512, W>(sum, x + (2 * W.PerWord), c);
        return Steps<Simd512, V512, W>(sum, x + (3 * W.PerWord), d);
    }

    /// <summary>
    /// Four rows of eight words: each half of the first result has word 0 of that half of the four rows, and so on.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V256, V256, V256, V256) Quads(byte* rows, nint stride)
    {
        V256 a = Vector256.Load((float*)rows), b = Vector256.Load((float*)(rows + stride)),
            c = Vector256.Load((float*)(rows + (2 * stride))), d = Vector256.Load((float*)(rows + (3 * stride)));
        V256 ac = Avx.UnpackLow(a, c), bd = Avx.UnpackLow(b, d), acHigh = Avx.UnpackHigh(a, c),
            bdHigh = Avx.UnpackHigh(b, d);
        return (Avx.UnpackLow(ac, bd), Avx.UnpackHigh(ac, bd), Avx.UnpackLow(acHigh, bdHigh),
            Avx.UnpackHigh(acHigh, bdHigh));
    }

    /// <summary>That of four rows of sixteen words, quarter by quarter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V512, V512, V512, V512) Wide(byte* rows, nint stride)
    {
        V512 a = Vector512.Load((float*)rows), b = Vector512.Load((float*)(rows + stride)),
            c = Vector512.Load((float*)(rows + (2 * stride))), d = Vector512.Load((float*)(rows + (3 * stride)));
        V512 ac = Avx512F.UnpackLow(a, c), bd = Avx512F.UnpackLow(b, d), acHigh = Avx512F.UnpackHigh(a, c),
            bdHigh = Avx512F.UnpackHigh(b, d);
        return (Avx512F.UnpackLow(ac, bd), Avx512F.UnpackHigh(ac, bd), Avx512F.UnpackLow(acHigh, bdHigh),
            Avx512F.UnpackHigh(acHigh, bdHigh));
    }

    /// <summary>
    /// The 4 x 4 quarters of four vectors, transposed: the first result has the first quarter of each.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V512, V512, V512, V512) Lanes(V512 a, V512 b, V512 c, V512 d)
    {
        V512 abEven = Avx512F.Shuffle4x128(a, b, 0x88), abOdd = Avx512F.Shuffle4x128(a, b, 0xdd),
            cdEven = Avx512F.Shuffle4x128(c, d, 0x88), cdOdd = Avx512F.Shuffle4x128(c, d, 0xdd);
        return (Avx512F.Shuffle4x128(abEven, cdEven, 0x88), Avx512F.Shuffle4x128(abOdd, cdOdd, 0x88),
            Avx512F.Shuffle4x128(abEven, cdEven, 0xdd), Avx512F.Shuffle4x128(abOdd, cdOdd, 0xdd));
    }
}
