using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Nano;

/// <summary>Gives a tensor's elements, row-major, at the moment they are written.</summary>
public delegate ReadOnlySpan<float> TensorData();

/// <summary>A tensor to write.</summary>
/// <param name="Name">Its name: unique, valid Unicode, not "__metadata__".</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Sizes, slowest dimension first; empty for a scalar.</param>
/// <param name="Write">Writes as many elements as the shape says, little-endian; called once.</param>
public sealed record SafetensorsTensor(string Name, SafetensorsType Type, IReadOnlyList<long> Shape,
    Action<Stream> Write)
{
    // 1 MiB of floats: a tensor may be longer than the 2 GiB that one span of bytes can be.
    private const int ChunkElements = 1 << 18;

    /// <summary>A float32 tensor whose elements are in memory when they are written.</summary>
    public SafetensorsTensor(string name, IReadOnlyList<long> shape, TensorData data)
        : this(name, SafetensorsType.F32, shape, stream => WriteFloats(stream, data()))
    {
    }

    private static void WriteFloats(Stream stream, ReadOnlySpan<float> data)
    {
        while (data.Length > 0)
        {
            int count = Math.Min(ChunkElements, data.Length);
            stream.Write(MemoryMarshal.AsBytes(data[..count]));
            data = data[count..];
        }
    }
}

/// <summary>
/// Writes safetensors files. The same tensors in the same order give the same bytes. The header is padded with
/// spaces so that the data starts at a multiple of 64 bytes.
/// </summary>
public static class SafetensorsWriter
{
    private const int DataAlignment = 64;

    private static readonly Dictionary<string, string> DefaultMetadata = new() { ["format"] = "pt" };

    /// <summary>Writes a file whole or not at all (see <see cref="AtomicFile"/>).</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="tensors">The tensors, in the order they will lie in the file.</param>
    /// <param name="metadata">String pairs, written in ordinal order of their keys; null means
    /// {"format":"pt"}, which transformers expects.</param>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">A name is taken twice, reserved or not valid Unicode; a
    /// size is negative; the data does not fit its shape.</exception>
    public static void Write(string path, IReadOnlyList<SafetensorsTensor> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        ReadOnlyMemory<byte> header = Header(tensors, metadata ?? DefaultMetadata);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header.Span);
            foreach (SafetensorsTensor tensor in tensors)
            {
                long start = stream.Position;
                tensor.Write(stream);
                if (stream.Position - start != Bytes(tensor))
                    throw new ArgumentException(
                        $"tensor {Quoted.Of(tensor.Name)}: {tensor.Type} [{string.Join(", ", tensor.Shape)}] does "
                        + $"not fit {stream.Position - start} bytes");
            }
        });
    }

    /// <summary>Length of a tensor in bytes.</summary>
    /// <exception cref="ArgumentException">A size is negative.</exception>
    internal static long Bytes(SafetensorsTensor tensor)
    {
        long bytes = SafetensorsEntry.SizeOf(tensor.Type);
        foreach (long size in tensor.Shape)
            bytes = size >= 0
                ? checked(bytes * size)
                : throw new ArgumentException($"tensor {Quoted.Of(tensor.Name)}: the size {size} is negative");
        return bytes;
    }

    /// <summary>The length prefix and the padded JSON.</summary>
    private static ReadOnlyMemory<byte> Header(IReadOnlyList<SafetensorsTensor> tensors,
        IReadOnlyDictionary<string, string> metadata)
    {
        var bytes = new ArrayBufferWriter<byte>();
        bytes.Write(stackalloc byte[8]);
        using (var json = new Utf8JsonWriter(bytes,
            new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            WriteMetadata(json, metadata);
            WriteEntries(json, tensors);
            json.WriteEndObject();
        }
        int padding = -bytes.WrittenCount & (DataAlignment - 1);
        Span<byte> spaces = bytes.GetSpan(padding)[..padding];
        spaces.Fill((byte)' ');
        bytes.Advance(padding);

        byte[] header = bytes.WrittenSpan.ToArray();
        if (header.Length - 8 > SafetensorsHeader.MaxBytes)
            throw new ArgumentException(
                $"a header of {header.Length - 8} bytes is longer than the format allows "
                + $"({SafetensorsHeader.MaxBytes})", nameof(tensors));
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - 8);
        return header;
    }

    private static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string> metadata)
    {
        if (metadata.Count == 0)
            return;
        json.WriteStartObject("__metadata__");
        foreach ((string key, string value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            json.WriteString(Unicode(key), Unicode(value));
        json.WriteEndObject();
    }

    private static void WriteEntries(Utf8JsonWriter json, IReadOnlyList<SafetensorsTensor> tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        long offset = 0;
        foreach (SafetensorsTensor tensor in tensors)
        {
            if (!names.Add(tensor.Name))
                throw new ArgumentException($"the tensor name {Quoted.Of(tensor.Name)} is taken twice or reserved",
                    nameof(tensors));
            long end = checked(offset + Bytes(tensor));
            json.WriteStartObject(Unicode(tensor.Name));
            json.WriteString("dtype", Enum.GetName(tensor.Type));
            json.WriteStartArray("shape");
            foreach (long size in tensor.Shape)
                json.WriteNumberValue(size);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            json.WriteNumberValue(end);
            json.WriteEndArray();
            json.WriteEndObject();
            offset = end;
        }
    }

    private static string Unicode(string text)
    {
        ReadOnlySpan<char> rest = text;
        while (Rune.DecodeFromUtf16(rest, out _, out int used) == OperationStatus.Done)
            rest = rest[used..];
        return rest.IsEmpty
            ? text
            : throw new ArgumentException(
                $"{Quoted.Of(text)} holds half of a surrogate pair, which UTF-8 cannot express");
    }
}
