using System.Diagnostics.CodeAnalysis;

namespace Nano;

/// <summary>Types of GGUF metadata values, with the numbers that the file uses.</summary>
public enum GgufValueType
{
#pragma warning disable CS1591 // the names are those of the format
    UInt8, Int8, UInt16, Int16, UInt32, Int32, Float32, Bool, String, Array, UInt64, Int64, Float64,
#pragma warning restore CS1591
}

/// <summary>Types of GGUF tensors ("ggml_type"), with the numbers that the file uses.</summary>
[SuppressMessage("Naming", "CA1707", Justification = "The members are the names the file format uses.")]
public enum GgufTensorType
{
#pragma warning disable CS1591 // the names are those of the format
    F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q8_1 = 9, Q2_K = 10, Q3_K = 11, Q4_K = 12,
    Q5_K = 13, Q6_K = 14, Q8_K = 15,
    IQ2_XXS = 16, IQ2_XS = 17, IQ3_XXS = 18, IQ1_S = 19, IQ4_NL = 20, IQ3_S = 21, IQ2_S = 22, IQ4_XS = 23, I8 = 24,
    I16 = 25, I32 = 26, I64 = 27,
    F64 = 28, IQ1_M = 29, BF16 = 30, TQ1_0 = 34, TQ2_0 = 35, MXFP4 = 39, NVFP4 = 40, Q1_0 = 41, Q2_0 = 42,
#pragma warning restore CS1591
}

/// <summary>One tensor in a GGUF file.</summary>
/// <param name="Name">Its name, at most 64 bytes.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Sizes, slowest dimension first: the reverse of the order in the file.</param>
/// <param name="Offset">Position of the first byte, from the start of the file.</param>
/// <param name="Count">Number of elements.</param>
public sealed record GgufTensor(string Name, GgufTensorType Type, IReadOnlyList<long> Shape, long Offset, long Count);

/// <summary>Constants of the GGUF format, and limits that protect against hostile files.</summary>
internal static class Gguf
{
    /// <summary>"GGUF".</summary>
    public const uint Magic = 0x46554747;

    /// <summary>
    /// The version that is written. Version 2 differs from it in nothing that a little-endian file
    /// shows.
    /// </summary>
    public const uint Version = 3;

    public const int MaxDimensions = 4, MaxNameBytes = 64, MaxKeyBytes = 65535, MaxNesting = 4;
    public const int MaxStringBytes = 64 << 20, MaxAlignment = 1 << 20, DefaultAlignment = 32;

    /// <summary>The key whose value decides what offsets are multiples of.</summary>
    public const string AlignmentKey = "general.alignment";

    /// <summary>The keys of the ids that begin and end a text.</summary>
    public const string BosKey = "tokenizer.ggml.bos_token_id", EosKey = "tokenizer.ggml.eos_token_id";

    /// <summary>Bytes of one value, or 0 for strings and arrays, which say their length.</summary>
    public static int SizeOf(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => 0,
    };

    /// <summary>Elements and bytes of a tensor type's smallest unit; null where its layout is not known here.</summary>
    public static (int Elements, int Bytes)? BlockOf(GgufTensorType type) => type switch
    {
        GgufTensorType.F32 or GgufTensorType.I32 => (1, 4),
        GgufTensorType.F16 or GgufTensorType.BF16 or GgufTensorType.I16 => (1, 2),
        GgufTensorType.F64 or GgufTensorType.I64 => (1, 8),
        GgufTensorType.I8 => (1, 1),
        GgufTensorType.Q4_0 => (32, 18),
        GgufTensorType.Q4_1 => (32, 20),
        GgufTensorType.Q5_0 => (32, 22),
        GgufTensorType.Q5_1 => (32, 24),
        GgufTensorType.Q8_0 => (32, 34),
        GgufTensorType.Q8_1 => (32, 36),
        GgufTensorType.Q2_K => (256, 84),
        GgufTensorType.Q3_K => (256, 110),
        GgufTensorType.Q4_K => (256, 144),
        GgufTensorType.Q5_K => (256, 176),
        GgufTensorType.Q6_K => (256, 210),
        GgufTensorType.Q8_K => (256, 292),
        GgufTensorType.IQ4_NL => (32, 18),
        GgufTensorType.IQ4_XS => (256, 136),
        GgufTensorType.TQ1_0 => (256, 54),
        GgufTensorType.TQ2_0 => (256, 66),
        GgufTensorType.MXFP4 => (32, 17),
        GgufTensorType.NVFP4 => (64, 36),
        _ => null,
    };

    /// <summary>The names of the tensor types whose weights are supported.</summary>
    public static string Supported { get; } =
        string.Join(", ", Enum.GetValues<GgufTensorType>().Where(type => WeightTypeOf(type) is not null));

    /// <summary>The type of weights that a tensor type holds, or null if they are not supported.</summary>
    public static WeightType? WeightTypeOf(GgufTensorType type) =>
        Enum.TryParse($"{type}", out WeightType found) ? found : null;

    /// <summary>The tensor type of weights, or null if the format has none.</summary>
    public static GgufTensorType? TypeOf(WeightType type) =>
        Enum.TryParse($"{type}", out GgufTensorType found) ? found : null;

    /// <summary>The next multiple of an alignment, which is a power of two.</summary>
    public static long Align(long offset, long alignment) => checked(offset + alignment - 1) & -alignment;
}
