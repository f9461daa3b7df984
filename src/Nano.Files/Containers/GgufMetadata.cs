using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Nano;

/// <summary>
/// The key-value pairs of a GGUF file in their order. Values are kept as the bytes they are stored
/// as, so that what is read is written back unchanged, and are parsed when asked for. An accessor
/// gives null where the key is absent and throws where the value has another type.
/// </summary>
/// <param name="path">The file they are from, for errors.</param>
public sealed class GgufMetadata(string path)
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true);

    private readonly List<string> keys = [];
    private readonly Dictionary<string, (GgufValueType Type, ReadOnlyMemory<byte> Payload)> values =
        new(StringComparer.Ordinal);

    /// <summary>The file they are from, as the caller named it.</summary>
    public string Path { get; } = path;

    /// <summary>All keys in order.</summary>
    public IReadOnlyList<string> Keys => keys;

    /// <summary>True if the key exists.</summary>
    public bool Has(string key) => values.ContainsKey(key);

    /// <summary>The type of a value that is there.</summary>
    public GgufValueType TypeOf(string key) => values[key].Type;

    /// <summary>
    /// The type of an array's elements, or null if the value is absent or not an array.
    /// </summary>
    public GgufValueType? ElementType(string key) =>
        values.TryGetValue(key, out var value) && value.Type == GgufValueType.Array
        ? (GgufValueType)BinaryPrimitives.ReadUInt32LittleEndian(value.Payload.Span) : null;

    /// <summary>A string.</summary>
    /// <exception cref="BadFileException">The value is not a string or is not valid
    /// UTF-8.</exception>
    public string? String(string key) => Find(key, "a string", GgufValueType.String) is { } payload
        ? Text(key, payload.Span[8..]) : null;

    /// <summary>A whole number of any integer type.</summary>
    /// <exception cref="BadFileException">The value is not an integer, or is beyond 63
    /// bits.</exception>
    public long? Integer(string key)
    {
        if (!values.TryGetValue(key, out var value))
            return null;
        return IsInteger(value.Type) ? Integer(key, value.Type, value.Payload.Span)
            : throw WrongType(key, "a whole number");
    }

    /// <summary>A whole number that fits 32 bits and is not negative, such as a size or a token id.</summary>
    /// <exception cref="BadFileException">The value is something else.</exception>
    public int? Size(string key) => Integer(key) is not { } value ? null
        : value is >= 0 and <= int.MaxValue ? (int)value
        : throw Bad($"metadata key {Quoted.Of(key)} is {value}; expected 0 to {int.MaxValue}");

    /// <summary>A finite number of any floating-point type.</summary>
    /// <exception cref="BadFileException">The value is something else.</exception>
    public float? Float(string key)
    {
        if (!values.TryGetValue(key, out var value))
            return null;
        float number = value.Type switch
        {
            GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(value.Payload.Span),
            GgufValueType.Float64 => (float)BinaryPrimitives.ReadDoubleLittleEndian(value.Payload.Span),
            _ => throw WrongType(key, "a floating-point number"),
        };
        return float.IsFinite(number) ? number : throw Bad($"metadata key {Quoted.Of(key)} is not a finite number");
    }

    /// <summary>True or false.</summary>
    /// <exception cref="BadFileException">The value is something else.</exception>
    public bool? Bool(string key) => Find(key, "true or false", GgufValueType.Bool) is { } payload
        ? payload.Span[0] != 0 : null;

    /// <summary>An array of strings.</summary>
    /// <exception cref="BadFileException">The value is something else, or a string is not valid UTF-8.</exception>
    public string[]? Strings(string key)
    {
        if (Elements(key, "an array of strings", type => type == GgufValueType.String) is not { } array)
            return null;
        var strings = new string[array.Count];
        ReadOnlySpan<byte> rest = array.Bytes.Span;
        for (int i = 0; i < strings.Length; i++)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(rest); // checked when the file was opened
            strings[i] = Text(key, rest.Slice(8, length));
            rest = rest[(8 + length)..];
        }
        return strings;
    }

    /// <summary>An array of float32.</summary>
    /// <exception cref="BadFileException">The value is something else.</exception>
    public float[]? Floats(string key) =>
        Elements(key, "an array of float32", type => type == GgufValueType.Float32) is { } array
            ? MemoryMarshal.Cast<byte, float>(array.Bytes.Span).ToArray() : null;

    /// <summary>An array of any integer type.</summary>
    /// <exception cref="BadFileException">The value is something else, or a number is beyond 63 bits.</exception>
    public long[]? Integers(string key)
    {
        if (Elements(key, "an array of whole numbers", IsInteger) is not { } array)
            return null;
        int size = Gguf.SizeOf(array.Type);
        var numbers = new long[array.Count];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = Integer(key, array.Type, array.Bytes.Span.Slice(i * size, size));
        return numbers;
    }

    /// <summary>Adds or replaces a string.</summary>
    public void Set(string key, string value) => Set(key, GgufValueType.String, Stored(value));

    /// <summary>Adds or replaces a uint32, the type that sizes and ids have.</summary>
    public void Set(string key, uint value)
    {
        var payload = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(payload, value);
        Set(key, GgufValueType.UInt32, payload);
    }

    /// <summary>Adds or replaces a float32.</summary>
    public void Set(string key, float value)
    {
        var payload = new byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(payload, value);
        Set(key, GgufValueType.Float32, payload);
    }

    /// <summary>Adds or replaces a bool.</summary>
    public void Set(string key, bool value) => Set(key, GgufValueType.Bool, new byte[] { value ? (byte)1 : (byte)0 });

    /// <summary>Adds or replaces an array of strings.</summary>
    public void Set(string key, IReadOnlyList<string> strings)
    {
        var payload = new MemoryStream();
        payload.Write(ArrayHeader(GgufValueType.String, strings.Count));
        foreach (string text in strings)
            payload.Write(Stored(text));
        Set(key, GgufValueType.Array, payload.ToArray());
    }

    /// <summary>Adds or replaces an array of float32.</summary>
    public void Set(string key, ReadOnlySpan<float> numbers) =>
        Set(key, GgufValueType.Array, (byte[])[.. ArrayHeader(GgufValueType.Float32, numbers.Length),
            .. MemoryMarshal.AsBytes(numbers)]);

    /// <summary>Adds or replaces an array of int32.</summary>
    public void Set(string key, ReadOnlySpan<int> numbers) =>
        Set(key, GgufValueType.Array, (byte[])[.. ArrayHeader(GgufValueType.Int32, numbers.Length),
            .. MemoryMarshal.AsBytes(numbers)]);

    /// <summary>Adds or replaces a value as another file holds it, byte for byte.</summary>
    public void CopyFrom(GgufMetadata other, string key) => Set(key, other.values[key].Type, other.values[key].Payload);

    internal void Set(string key, GgufValueType type, ReadOnlyMemory<byte> payload)
    {
        if (!values.ContainsKey(key))
            keys.Add(key);
        values[key] = (type, payload);
    }

    /// <summary>Writes every pair as a file holds it.</summary>
    internal void WriteTo(Stream stream)
    {
        Span<byte> type = stackalloc byte[4];
        foreach (string key in keys)
        {
            stream.Write(Stored(key));
            BinaryPrimitives.WriteUInt32LittleEndian(type, (uint)values[key].Type);
            stream.Write(type);
            stream.Write(values[key].Payload.Span);
        }
    }

    /// <summary>Length and bytes of a text.</summary>
    internal static byte[] Stored(string text)
    {
        var bytes = new byte[8 + Strict.GetByteCount(text)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, bytes.Length - 8);
        Strict.GetBytes(text, bytes.AsSpan(8));
        return bytes;
    }

    private static byte[] ArrayHeader(GgufValueType type, int count)
    {
        var header = new byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)type);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(4), count);
        return header;
    }

    private ReadOnlyMemory<byte>? Find(string key, string expected, GgufValueType type)
    {
        if (!values.TryGetValue(key, out var value))
            return null;
        return value.Type == type ? value.Payload : throw WrongType(key, expected);
    }

    private (GgufValueType Type, int Count, ReadOnlyMemory<byte> Bytes)? Elements(string key, string expected,
        Func<GgufValueType, bool> fits)
    {
        if (Find(key, expected, GgufValueType.Array) is not { } payload)
            return null;
        var type = (GgufValueType)BinaryPrimitives.ReadUInt32LittleEndian(payload.Span);
        ulong count = BinaryPrimitives.ReadUInt64LittleEndian(payload.Span[4..]);
        return fits(type) ? (type, (int)count, payload[12..])
            : throw Bad($"metadata key {Quoted.Of(key)} is an array of {type}; expected {expected}");
    }

    private static bool IsInteger(GgufValueType type) =>
        type is GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.UInt16 or GgufValueType.Int16
            or GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.UInt64 or GgufValueType.Int64;

    private long Integer(string key, GgufValueType type, ReadOnlySpan<byte> bytes) => type switch
    {
        GgufValueType.UInt8 => bytes[0],
        GgufValueType.Int8 => (sbyte)bytes[0],
        GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
        GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(bytes),
        GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
        GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
        GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
        _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes) is var value and <= long.MaxValue
            ? (long)value : throw Bad($"metadata key {Quoted.Of(key)} holds a number beyond {long.MaxValue}"),
    };

    private string Text(string key, ReadOnlySpan<byte> utf8) =>
        Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8)
            : throw Bad($"metadata key {Quoted.Of(key)} holds a string that is not valid UTF-8");

    private BadFileException WrongType(string key, string expected) =>
        Bad($"metadata key {Quoted.Of(key)} is of type {values[key].Type}; expected {expected}");

    private BadFileException Bad(string problem) => new(Path, problem);
}
