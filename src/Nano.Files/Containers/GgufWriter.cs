using System.Buffers.Binary;

namespace Nano;

/// <summary>A tensor to write.</summary>
/// <param name="Name">Its name, at most 64 bytes.</param>
/// <param name="Type">Type of its elements: F32, F16 or BF16.</param>
/// <param name="Shape">Sizes, slowest dimension first.</param>
/// <param name="Write">Writes as many elements as the shape says, little-endian; called once.</param>
public sealed record GgufTensorToWrite(string Name, GgufTensorType Type, IReadOnlyList<long> Shape,
    Action<Stream> Write)
{
    internal long Bytes
    {
        get
        {
            (int elements, int bytes) = Gguf.BlockOf(Type)
                ?? throw new ArgumentException($"tensors of type {Type} cannot be written");
            return checked(Shape.Aggregate(1L, (length, size) => checked(length * size)) / elements * bytes);
        }
    }
}

/// <summary>
/// Writes GGUF version 3, little-endian (format: ggml's docs/gguf.md). The same metadata and
/// tensors give the same bytes. Tensors lie in the order given, each padded to the alignment that
/// the metadata asks for.
/// </summary>
public static class GgufWriter
{
    /// <summary>Writes a file whole or not at all (see <see cref="AtomicFile"/>).</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="metadata">The key-value pairs.</param>
    /// <param name="tensors">The tensors under the names that the file gives them.</param>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">A name is longer than the format allows.</exception>
    public static void Write(string path, GgufMetadata metadata, IReadOnlyList<GgufTensorToWrite> tensors)
    {
        long alignment = metadata.Integer(Gguf.AlignmentKey) ?? Gguf.DefaultAlignment;
        AtomicFile.Write(path, stream =>
        {
            stream.Write(UInt32(Gguf.Magic));
            stream.Write(UInt32(Gguf.Version));
            stream.Write(UInt64((ulong)tensors.Count));
            stream.Write(UInt64((ulong)metadata.Keys.Count));
            metadata.WriteTo(stream);
            long offset = 0;
            foreach (GgufTensorToWrite tensor in tensors)
            {
                WriteDescription(stream, tensor, offset);
                offset = Gguf.Align(offset + tensor.Bytes, alignment);
            }
            Pad(stream, alignment);
            foreach (GgufTensorToWrite tensor in tensors)
            {
                tensor.Write(stream);
                Pad(stream, alignment);
            }
        });
    }

    private static void WriteDescription(Stream stream, GgufTensorToWrite tensor, long offset)
    {
        byte[] name = GgufMetadata.Stored(tensor.Name);
        if (name.Length - 8 > Gguf.MaxNameBytes)
            throw new ArgumentException(
                $"the tensor name {Quoted.Of(tensor.Name)} is longer than {Gguf.MaxNameBytes} bytes");
        stream.Write(name);
        stream.Write(UInt32((uint)tensor.Shape.Count));
        for (int i = tensor.Shape.Count - 1; i >= 0; i--)
            stream.Write(UInt64((ulong)tensor.Shape[i]));
        stream.Write(UInt32((uint)tensor.Type));
        stream.Write(UInt64((ulong)offset));
    }

    private static void Pad(Stream stream, long alignment) =>
        stream.Write(new byte[Gguf.Align(stream.Position, alignment) - stream.Position]);

    private static byte[] UInt32(uint value)
    {
        var bytes = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] UInt64(ulong value)
    {
        var bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes;
    }
}
