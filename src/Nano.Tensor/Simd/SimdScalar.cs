using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// One lane: plain floats. Runs anywhere, finishes the tail of every vector loop, and is the
/// readable meaning of <see cref="ISimd{V}"/>.
/// </summary>
public readonly unsafe partial struct SimdScalar : ISimd<float>
{
    /// <inheritdoc/>
    public static int Lanes { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 1; }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(float* p) => *p;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* p, float v) => *p = v;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreAround(float* p, float v) => *p = v;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Splat(float x) => x;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float a, float b) => a + b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Subtract(float a, float b) => a - b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Multiply(float a, float b) => a * b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Divide(float a, float b) => a / b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Fma(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sqrt(float a) => MathF.Sqrt(a);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Abs(float a) => MathF.Abs(a);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float a, float b) => a > b ? a : b;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float IfGreater(float a, float b, float whenTrue, float whenFalse) => a > b ? whenTrue : whenFalse;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float CopySign(float magnitude, float sign) => MathF.CopySign(magnitude, sign);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Round(float a) => MathF.Round(a);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float PowerOfTwo(float n) => BitConverter.Int32BitsToSingle(((int)n + 127) << 23);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (float Mantissa, float Exponent) Split(float x)
    {
        int bits = BitConverter.SingleToInt32Bits(x);
        int exponent = (bits - 0x3f400000) >> 23;
        return (BitConverter.Int32BitsToSingle(bits - (exponent << 23)), exponent);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float PairBFloat16(float first, float second) =>
        BitConverter.UInt32BitsToSingle((Rounded(first) >> 16) | (Rounded(second) & 0xffff0000u));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FirstBFloat16(float pairs) =>
        BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(pairs) << 16);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SecondBFloat16(float pairs) =>
        BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(pairs) & 0xffff0000u);

    /// <summary>2^112, which moves the exponents of float16, from -15 on, to those of float32, from -127 on.</summary>
    internal const float HalfScale = 5.192296858534828e33f;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Float16(float halves) =>
        (float)BitConverter.UInt16BitsToHalf((ushort)(BitConverter.SingleToUInt32Bits(halves) >> 16));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FiniteFloat16(float halves) => Float16(halves);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Rounded(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return float.IsNaN(x) ? bits | 0x400000u : bits + ((bits >> 16) & 1) + 0x7fffu;
    }
}
