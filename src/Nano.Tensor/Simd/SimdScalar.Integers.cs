using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>Whole numbers in one lane.</summary>
public readonly unsafe partial struct SimdScalar
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float AddIntegers(float a, float b) => Lane(Bits(a) + Bits(b));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float AddShorts(float a, float b) => Shorts(Low(a) + Low(b), High(a) + High(b));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float DotBytes(float codes, float signed)
    {
        int u = Bits(codes), s = Bits(signed);
        return Shorts(((byte)u * (sbyte)s) + ((byte)(u >> 8) * (sbyte)(s >> 8)),
            ((byte)(u >> 16) * (sbyte)(s >> 16)) + ((byte)(u >> 24) * (sbyte)(s >> 24)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float DotShorts(float a, float b) => Lane((Low(a) * Low(b)) + (High(a) * High(b)));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SumShorts(float shorts) => Lane(Low(shorts) + High(shorts));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float BitsOfBytes(float bytes, int right, byte mask)
    {
        uint bits = (uint)Bits(bytes);
        return Lane((int)((right < 0 ? bits << -right : bits >> right) & (mask * 0x01010101u)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToFloats(float integers) => Bits(integers);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadBytes(sbyte* p) => *p;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float LoadHalves(ushort* p) => (float)BitConverter.UInt16BitsToHalf(*p);

    private static int Bits(float lane) => BitConverter.SingleToInt32Bits(lane);

    private static float Lane(int bits) => BitConverter.Int32BitsToSingle(bits);

    private static int Low(float lane) => (short)Bits(lane);

    private static int High(float lane) => Bits(lane) >> 16;

    private static float Shorts(int low, int high) => Lane((ushort)low | (high << 16));
}
