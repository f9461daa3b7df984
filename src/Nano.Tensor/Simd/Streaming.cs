using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The width S, except that what it stores goes around the caches. For results that no cache can
/// hold until they are read: an ordinary store first reads the line that it is about to overwrite,
/// a third more traffic for y = a + b. Such stores are ordered with no others; the locked decrement
/// with which a worker reports a chunk as done completes them (Intel SDM volume 3, 13.3.1; AMD APM
/// volume 2, 7.4.1).
/// </summary>
internal readonly unsafe struct Streaming<S, V> : ISimd<V> where S : ISimd<V> where V : unmanaged
{
    public static int Lanes { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => S.Lanes; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(float* p) => S.Load(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, V v)
    {
        if (((nuint)p & (((nuint)S.Lanes * sizeof(float)) - 1)) == 0)
            S.StoreAround(p, v);
        else
            S.Store(p, v);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreAround(float* p, V v) => S.StoreAround(p, v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Splat(float x) => S.Splat(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Add(V a, V b) => S.Add(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Subtract(V a, V b) => S.Subtract(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Multiply(V a, V b) => S.Multiply(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Divide(V a, V b) => S.Divide(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Fma(V a, V b, V c) => S.Fma(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sqrt(V a) => S.Sqrt(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Abs(V a) => S.Abs(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Max(V a, V b) => S.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V IfGreater(V a, V b, V whenTrue, V whenFalse) => S.IfGreater(a, b, whenTrue, whenFalse);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CopySign(V magnitude, V sign) => S.CopySign(magnitude, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Round(V a) => S.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PowerOfTwo(V n) => S.PowerOfTwo(n);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (V Mantissa, V Exponent) Split(V x) => S.Split(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PairBFloat16(V first, V second) => S.PairBFloat16(first, second);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V FirstBFloat16(V pairs) => S.FirstBFloat16(pairs);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SecondBFloat16(V pairs) => S.SecondBFloat16(pairs);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Float16(V halves) => S.Float16(halves);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V FiniteFloat16(V halves) => S.FiniteFloat16(halves);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddIntegers(V a, V b) => S.AddIntegers(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddShorts(V a, V b) => S.AddShorts(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DotBytes(V codes, V signed) => S.DotBytes(codes, signed);

    public static bool HasByteDots => S.HasByteDots;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddByteDots(V sums, V codes, V signed) => S.AddByteDots(sums, codes, signed);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DotShorts(V a, V b) => S.DotShorts(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SumShorts(V shorts) => S.SumShorts(shorts);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V BitsOfBytes(V bytes, int right, byte mask) => S.BitsOfBytes(bytes, right, mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ToFloats(V integers) => S.ToFloats(integers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadBytes(sbyte* p) => S.LoadBytes(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadHalves(ushort* p) => S.LoadHalves(p);
}
