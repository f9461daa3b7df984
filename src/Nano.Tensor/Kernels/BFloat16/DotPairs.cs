using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The arithmetic of bfloat16 products, as the instruction vdpbf16ps defines it. Two bfloat16
/// numbers, k and k + 1, make one 32-bit pair, k in its upper half. To a float32 sum a pair adds
/// first the product of the upper halves, then that of the lower ones, each with one fused
/// multiply-add, rounded to the nearest, ties to even. So a sum over pairs is one chain over k in
/// index order. Subnormal numbers count as zeros of their sign: those that go in and, told by the
/// value rounded to 24 bits, those that come out. A NaN stays one; its payload is not defined.
/// </summary>
internal static unsafe class DotPairs
{
    /// <summary>Columns of a panel.</summary>
    public const int Columns = 32;

    private const float SmallestNormal = 1.17549435e-38f; // 2^-126
    private const float Scale = 1 << 24, Unscaling = 1 / Scale, ScaledSmallestNormal = SmallestNormal * Scale;

    /// <summary>A sum with the two products of a pair added.</summary>
    public static float Add(float sum, uint left, uint right) =>
        AddProduct(AddProduct(Flush(sum), Upper(left), Upper(right)), Lower(left), Lower(right));

    private static float AddProduct(float sum, float left, float right)
    {
        float result = MathF.FusedMultiplyAdd(left, right, sum);
        // A value just below the smallest normal number may have been rounded up to it on the grid of subnormal
        // ones; on the finer grid of 24 bits, scaled, it need not.
        return MathF.Abs(result) == SmallestNormal
            && MathF.Abs(MathF.FusedMultiplyAdd(left * Scale, right, sum * Scale)) < ScaledSmallestNormal
            ? MathF.CopySign(0, result) : Flush(result);
    }

    private static float Flush(float x) => MathF.Abs(x) < SmallestNormal ? MathF.CopySign(0, x) : x;

    private static float Upper(uint pair) => Flush(BitConverter.UInt32BitsToSingle(pair & 0xffff0000));

    private static float Lower(uint pair) => Flush(BitConverter.UInt32BitsToSingle(pair << 16));

    /// <summary>
    /// C[rows, columns] += A[rows, 2 * pairs] * panel[2 * pairs, columns]: the pair of a row at a
    /// step lies at a[row * aRow + step * aStep], that of a column at panel[step * 32 + column].
    /// Columns are rounded up to two vectors.
    /// </summary>
    public static void Multiply<S, V>(int rows, int columns, int pairs, uint* a, nint aRow, nint aStep, uint* panel,
        Rows c) where S : ISimd<V> where V : unmanaged
    {
        for (int row = 0; row < rows; row += 2)
            for (int column = 0; column < columns; column += 2 * S.Lanes)
            {
                int other = Math.Min(row + 1, rows - 1); // of an odd number, the last row twice
                Chains<S, V>(pairs, a + (row * aRow), a + (other * aRow), aStep, panel + column, c.At(row) + column,
                    c.At(other) + column);
            }
    }

    /// <summary>
    /// Two vectors of chains of each of two rows. Sums are held 2^24 times as large: then the
    /// values to flush are not subnormal yet and rounded as they should be. Where that overflows,
    /// the chain is computed again as defined.
    /// </summary>
    private static void Chains<S, V>(int pairs, uint* a, uint* b, nint aStep, uint* panel, float* ca, float* cb)
        where S : ISimd<V> where V : unmanaged
    {
        V a0 = Scaled<S, V>(ca), a1 = Scaled<S, V>(ca + S.Lanes), b0 = Scaled<S, V>(cb),
            b1 = Scaled<S, V>(cb + S.Lanes);
        for (int step = 0; step < pairs; step++)
        {
            V pairs0 = S.Load((float*)(panel + (step * Columns))),
                pairs1 = S.Load((float*)(panel + (step * Columns)) + S.Lanes);
            V x0 = FlushBelow<S, V>(SmallestNormal, S.SecondBFloat16(pairs0)),
                x1 = FlushBelow<S, V>(SmallestNormal, S.SecondBFloat16(pairs1));
            uint pairA = a[step * aStep], pairB = b[step * aStep];
            V left = S.Splat(Upper(pairA) * Scale), right = S.Splat(Upper(pairB) * Scale);
            a0 = AddScaled<S, V>(left, x0, a0);
            a1 = AddScaled<S, V>(left, x1, a1);
            b0 = AddScaled<S, V>(right, x0, b0);
            b1 = AddScaled<S, V>(right, x1, b1);
            x0 = FlushBelow<S, V>(SmallestNormal, S.FirstBFloat16(pairs0));
            x1 = FlushBelow<S, V>(SmallestNormal, S.FirstBFloat16(pairs1));
            (left, right) = (S.Splat(Lower(pairA) * Scale), S.Splat(Lower(pairB) * Scale));
            a0 = AddScaled<S, V>(left, x0, a0);
            a1 = AddScaled<S, V>(left, x1, a1);
            b0 = AddScaled<S, V>(right, x0, b0);
            b1 = AddScaled<S, V>(right, x1, b1);
        }
        float* scaled = stackalloc float[Columns];
        Store<S, V>(a0, a1, scaled);
        Unscale(2 * S.Lanes, scaled, pairs, a, aStep, panel, ca);
        if (ca == cb)
            return;
        Store<S, V>(b0, b1, scaled);
        Unscale(2 * S.Lanes, scaled, pairs, b, aStep, panel, cb);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Scaled<S, V>(float* c) where S : ISimd<V> where V : unmanaged =>
        S.Multiply(FlushBelow<S, V>(SmallestNormal, S.Load(c)), S.Splat(Scale));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<S, V>(V first, V second, float* to) where S : ISimd<V> where V : unmanaged
    {
        S.Store(to, first);
        S.Store(to + S.Lanes, second);
    }

    private static void Unscale(int count, float* scaled, int pairs, uint* a, nint aStep, uint* panel, float* c)
    {
        for (int i = 0; i < count; i++)
            c[i] = float.IsFinite(scaled[i]) ? scaled[i] * Unscaling : Chain(pairs, a, aStep, panel + i, c[i]);
    }

    private static float Chain(int pairs, uint* a, nint aStep, uint* panel, float sum)
    {
        for (int step = 0; step < pairs; step++)
            sum = Add(sum, a[step * aStep], panel[step * Columns]);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V AddScaled<S, V>(V left, V right, V sum) where S : ISimd<V> where V : unmanaged =>
        FlushBelow<S, V>(ScaledSmallestNormal, S.Fma(left, right, sum));

    /// <summary>A zero of x's sign where x is nearer to zero than the limit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V FlushBelow<S, V>(float limit, V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(S.Splat(limit), S.Abs(x), S.CopySign(S.Splat(0), x), x);
}
