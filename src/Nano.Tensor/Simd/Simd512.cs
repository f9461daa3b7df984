using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector512<float>;

namespace Nano;

/// <summary>Sixteen lanes: AVX-512.</summary>
public readonly unsafe partial struct Simd512 : ISimd<V>
{
    /// <inheritdoc/>
    public static int Lanes { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 16; }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(float* p) => Vector512.Load(p);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, V v) => v.Store(p);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreAround(float* p, V v) => v.StoreAlignedNonTemporal(p);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Splat(float x) => Vector512.Create(x);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Add(V a, V b) => a + b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Subtract(V a, V b) => a - b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Multiply(V a, V b) => a * b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Divide(V a, V b) => a / b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Fma(V a, V b, V c) => Vector512.FusedMultiplyAdd(a, b, c);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sqrt(V a) => Vector512.Sqrt(a);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Abs(V a) => Vector512.Abs(a);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Max(V a, V b) => Vector512.ConditionalSelect(Vector512.GreaterThan(a, b), a, b);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V IfGreater(V a, V b, V whenTrue, V whenFalse) =>
        Vector512.ConditionalSelect(Vector512.GreaterThan(a, b), whenTrue, whenFalse);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V CopySign(V magnitude, V sign) => Vector512.CopySign(magnitude, sign);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Round(V a) => Vector512.Round(a);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PowerOfTwo(V n) =>
        Vector512.ShiftLeft(Vector512.ConvertToInt32Native(n) + Vector512.Create(127), 23).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (V Mantissa, V Exponent) Split(V x)
    {
        // Subtracting the bits of 0.75 puts mantissas of [0.75, 1.5) around exponent zero.
        var exponent = Vector512.ShiftRightArithmetic(x.AsInt32() - Vector512.Create(0x3f400000), 23);
        return ((x.AsInt32() - Vector512.ShiftLeft(exponent, 23)).AsSingle(), Vector512.ConvertToSingle(exponent));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V PairBFloat16(V first, V second) =>
        (Vector512.ShiftRightLogical(Rounded(first), 16) | (Rounded(second) & Vector512.Create(0xffff0000u)))
            .AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V FirstBFloat16(V pairs) => Vector512.ShiftLeft(pairs.AsUInt32(), 16).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SecondBFloat16(V pairs) => (pairs.AsUInt32() & Vector512.Create(0xffff0000u)).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Float16(V halves)
    {
        var infinite = Vector512.Create(0x0f800000); // the exponent of infinities and NaN
        var bits = Placed(halves);
        return Vector512.ConditionalSelect(Vector512.Equals(bits & infinite, infinite).AsSingle(),
            (bits | Vector512.Create(0x7f800000)).AsSingle(), bits.AsSingle() * Vector512.Create(SimdScalar.HalfScale));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V FiniteFloat16(V halves) => Placed(halves).AsSingle() * Vector512.Create(SimdScalar.HalfScale);

    /// <summary>
    /// Sign, exponent and fraction of a float16 in the places of a float32, whose exponents count from -127.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Placed(V halves) =>
        Vector512.ShiftRightArithmetic(halves.AsInt32(), 3) & Vector512.Create(unchecked((int)0x8fffe000));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<uint> Rounded(V x)
    {
        // Half a unit of the upper half, less one where that is even; a NaN only becomes quiet, so that its
        // upper half alone is a NaN.
        var bits = x.AsUInt32();
        var odd = Vector512.ShiftRightLogical(bits, 16) & Vector512.Create(1u);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), bits + odd + Vector512.Create(0x7fffu),
            bits | Vector512.Create(0x400000u));
    }
}
