using System.Runtime.InteropServices;

namespace Nano;

/// <summary>The number types that weights are stored as.</summary>
public enum WeightType
{
    /// <summary>float32.</summary>
    F32,

    /// <summary>float16.</summary>
    F16,

    /// <summary>bfloat16.</summary>
    BF16,
}

/// <summary>
/// Weights from one type to another. Widening is exact; narrowing rounds to nearest, ties to even,
/// and what is too large becomes infinite.
/// </summary>
internal static class WeightTypes
{
    /// <summary>Bytes per element.</summary>
    public static int SizeOf(WeightType type) => type == WeightType.F32 ? sizeof(float) : sizeof(ushort);

    /// <summary>Stored bytes as float32.</summary>
    public static void Widen(WeightType type, ReadOnlySpan<byte> stored, Span<float> to)
    {
        if (type == WeightType.F32)
            MemoryMarshal.Cast<byte, float>(stored).CopyTo(to);
        else if (type == WeightType.F16)
        {
            ReadOnlySpan<Half> from = MemoryMarshal.Cast<byte, Half>(stored);
            for (int i = 0; i < from.Length; i++)
                to[i] = (float)from[i];
        }
        else
        {
            ReadOnlySpan<ushort> from = MemoryMarshal.Cast<byte, ushort>(stored);
            for (int i = 0; i < from.Length; i++)
                to[i] = BitConverter.UInt32BitsToSingle((uint)from[i] << 16);
        }
    }

    /// <summary>float32 as the bytes to store.</summary>
    public static void Narrow(WeightType type, ReadOnlySpan<float> from, Span<byte> stored)
    {
        if (type == WeightType.F32)
            MemoryMarshal.AsBytes(from).CopyTo(stored);
        else if (type == WeightType.F16)
        {
            Span<Half> to = MemoryMarshal.Cast<byte, Half>(stored);
            for (int i = 0; i < from.Length; i++)
                to[i] = (Half)from[i];
        }
        else
        {
            Span<ushort> to = MemoryMarshal.Cast<byte, ushort>(stored);
            for (int i = 0; i < from.Length; i++)
                to[i] = BFloat16(from[i]);
        }
    }

    /// <summary>The upper half of a float32, rounded; a NaN stays one.</summary>
    private static ushort BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
