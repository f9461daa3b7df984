using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// The types that weights are stored as: plain numbers, and formats of quantised blocks, most under
/// ggml's names.
/// </summary>
[SuppressMessage("Naming", "CA1707", Justification = "The members are the names that files use.")]
public enum WeightType
{
    /// <summary>float32.</summary>
    F32,

    /// <summary>float16.</summary>
    F16,

    /// <summary>bfloat16.</summary>
    BF16,

    /// <summary>8 bits: 4 of exponent, 3 of mantissa; no infinities.</summary>
    F8_E4M3,

    /// <summary>8 bits: 5 of exponent, 2 of mantissa.</summary>
    F8_E5M2,

    /// <summary>Blocks of 32, 4 bits, a scale.</summary>
    Q4_0,

    /// <summary>Blocks of 32, 4 bits, a scale and a minimum.</summary>
    Q4_1,

    /// <summary>Blocks of 32, 5 bits, a scale.</summary>
    Q5_0,

    /// <summary>Blocks of 32, 5 bits, a scale and a minimum.</summary>
    Q5_1,

    /// <summary>Blocks of 32, 8 bits, a scale.</summary>
    Q8_0,

    /// <summary>Blocks of 256, 2 bits, scales and minima of 4 bits.</summary>
    Q2_K,

    /// <summary>Blocks of 256, 3 bits, scales of 6 bits.</summary>
    Q3_K,

    /// <summary>Blocks of 256, 4 bits, scales and minima of 6 bits.</summary>
    Q4_K,

    /// <summary>Blocks of 256, 5 bits, scales and minima of 6 bits.</summary>
    Q5_K,

    /// <summary>Blocks of 256, 6 bits, scales of 8 bits.</summary>
    Q6_K,

    /// <summary>Blocks of 32, 4 bits by a table, a scale.</summary>
    IQ4_NL,

    /// <summary>Blocks of 256, 4 bits by a table, scales of 6 bits.</summary>
    IQ4_XS,

    /// <summary>Blocks of 256, three values, five to a byte.</summary>
    TQ1_0,

    /// <summary>Blocks of 256, three values, four to a byte.</summary>
    TQ2_0,

    /// <summary>Blocks of 32 floats of 4 bits, a power of two.</summary>
    MXFP4,

    /// <summary>Blocks of 64 floats of 4 bits, scales that are floats of 8 bits.</summary>
    NVFP4,

    /// <summary>Blocks of 32, 4 bits, a scale and a code that stands for 0: of folders by GPTQ and AWQ.</summary>
    Int4,

    /// <summary>Blocks of 32, 8 bits, a scale and a code that stands for 0: of folders by GPTQ.</summary>
    Int8,
}

/// <summary>
/// Plain numbers from one type to another. Widening is exact; narrowing rounds to nearest, ties to
/// even, and what is too large becomes infinite, or NaN where a type has no infinity.
/// </summary>
internal static class WeightTypes
{
    /// <summary>True for blocks, which are quantised by Nano.Tensor.</summary>
    public static bool IsQuantised(WeightType type) => type >= WeightType.Q4_0;

    /// <summary>The type itself, or float32 in place of blocks.</summary>
    public static WeightType Plain(WeightType type) => IsQuantised(type) ? WeightType.F32 : type;

    /// <summary>Bytes per plain number.</summary>
    public static int SizeOf(WeightType type) => type switch
    {
        WeightType.F32 => sizeof(float),
        WeightType.F16 or WeightType.BF16 => sizeof(ushort),
        WeightType.F8_E4M3 or WeightType.F8_E5M2 => sizeof(byte),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a type of plain numbers"),
    };

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
        else if (type == WeightType.BF16)
        {
            ReadOnlySpan<ushort> from = MemoryMarshal.Cast<byte, ushort>(stored);
            for (int i = 0; i < from.Length; i++)
                to[i] = BitConverter.UInt32BitsToSingle((uint)from[i] << 16);
        }
        else
            Float8.Of(type).Widen(stored, to);
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
        else if (type == WeightType.BF16)
        {
            Span<ushort> to = MemoryMarshal.Cast<byte, ushort>(stored);
            for (int i = 0; i < from.Length; i++)
                to[i] = BFloat16(from[i]);
        }
        else
            Float8.Of(type).Narrow(from, stored);
    }

    /// <summary>The upper half of a float32, rounded; a NaN stays one.</summary>
    private static ushort BFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
