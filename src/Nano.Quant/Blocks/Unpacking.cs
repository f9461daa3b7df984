using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Sixteen codes at a time as floats. Codes are exact in float32 and so are their products with a
/// scale, so the vector width does not show.
/// </summary>
internal static class Unpacking
{
    /// <summary>Codes in a vector.</summary>
    public const int Count = 16;

    private static readonly Vector128<byte> BitOfLane =
        Vector128.Create((byte)1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);

    /// <summary>Sixteen bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Load(ReadOnlySpan<byte> bytes) => Vector128.Create(bytes);

    /// <summary>The low four bits of each byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Low(Vector128<byte> bytes) => bytes & Vector128.Create((byte)15);

    /// <summary>The high four bits of each byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> High(Vector128<byte> bytes) => Bits(bytes, 4, 15);

    /// <summary>The bits of each byte from a position on, under a mask.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Bits(Vector128<byte> bytes, int position, byte mask) =>
        (bytes.AsUInt16() >>> position).AsByte() & Vector128.Create(mask);

    /// <summary>Sixteen bits as sixteen bytes: a value where the bit is set, else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Spread(int bits, byte value)
    {
        const ulong Everywhere = 0x0101010101010101;
        var bytes = Vector128.Create((byte)bits * Everywhere, (byte)(bits >> 8) * Everywhere).AsByte();
        return Vector128.Equals(bytes & BitOfLane, BitOfLane) & Vector128.Create(value);
    }

    /// <summary>Writes scale * code, and plus a minimum if there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Weights(Vector128<sbyte> codes, float scale, float? minimum, Span<float> weights)
    {
        var (low, high) = Vector128.Widen(codes);
        var ((a, b), (c, d)) = (Vector128.Widen(low), Vector128.Widen(high));
        var factor = Vector128.Create(scale);
        (factor * Vector128.ConvertToSingle(a)).CopyTo(weights);
        (factor * Vector128.ConvertToSingle(b)).CopyTo(weights[4..]);
        (factor * Vector128.ConvertToSingle(c)).CopyTo(weights[8..]);
        (factor * Vector128.ConvertToSingle(d)).CopyTo(weights[12..]);
        for (int i = 0; i < Count && minimum is not null; i += Vector128<float>.Count)
            (Vector128.Create<float>(weights[i..]) + Vector128.Create(minimum.Value)).CopyTo(weights[i..]);
    }
}
