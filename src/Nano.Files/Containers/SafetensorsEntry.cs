using System.Diagnostics.CodeAnalysis;

namespace Nano;

/// <summary>Element types of a safetensors file, named as in the file.</summary>
[SuppressMessage("Naming", "CA1707", Justification = "The members are the names the file format uses.")]
public enum SafetensorsType
{
#pragma warning disable CS1591 // the names are those of the format
    BOOL, U8, I8, I16, U16, I32, U32, I64, U64, F16, BF16, F32, F64, F8_E4M3, F8_E5M2,
#pragma warning restore CS1591
}

/// <summary>The type, shape and position of one tensor in a safetensors file.</summary>
/// <param name="Name">The tensor's name, any Unicode text.</param>
/// <param name="Type">Type of the elements, little-endian.</param>
/// <param name="Shape">Sizes, slowest dimension first (row-major, no strides); empty for a scalar;
/// sizes may be 0.</param>
/// <param name="Offset">Position of the first byte, from the start of the file.</param>
/// <param name="Bytes">Length in bytes: the product of the shape times the element size.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsType Type, IReadOnlyList<long> Shape,
    long Offset, long Bytes)
{
    /// <summary>Number of elements.</summary>
    public long Count => Bytes / SizeOf(Type);

    /// <summary>Bytes per element.</summary>
    internal static int SizeOf(SafetensorsType type) => type switch
    {
        SafetensorsType.BOOL or SafetensorsType.U8 or SafetensorsType.I8
            or SafetensorsType.F8_E4M3 or SafetensorsType.F8_E5M2 => 1,
        SafetensorsType.I16 or SafetensorsType.U16 or SafetensorsType.F16 or SafetensorsType.BF16 => 2,
        SafetensorsType.I32 or SafetensorsType.U32 or SafetensorsType.F32 => 4,
        SafetensorsType.I64 or SafetensorsType.U64 or SafetensorsType.F64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a safetensors type"),
    };

    /// <summary>Finds the type a file names exactly so.</summary>
    internal static bool TryParseType(string name, out SafetensorsType type)
    {
        // Enum.TryParse alone would take numbers too.
        return Enum.TryParse(name, out type) && Enum.GetName(type) == name;
    }
}
