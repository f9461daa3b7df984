using System.Buffers.Binary;

namespace Nano;

/// <summary>
/// Writes GGUF version 3, little-endian (format: ggml's docs/gguf.md). The same metadata and tensors give the same bytes.
/// Tensors lie in the order given, each padded to the alignment that the metadata asks for.
/// </summary>
public static class GgufWriter
{
    /// <summary>Writes a file whole or not at all (see <see cref="AtomicFile"/>).</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="metadata">The key-value pairs.</param>
    /// <param name="tensors">The tensors under the names that the file gives them, in their stored types.</param>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">A name is longer than the format allows.</exception>
    public static void Write(string path, GgufMetadata metadata, IReadOnlyList<ModelTensor> tensors)
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
            foreach (ModelTensor tensor in tensors)
            {
                WriteDescription(stream, tensor, offset);
                offset = Gguf.Align(offset + tensor.Bytes, alignment);
            }
            Pad(stream, alignment);
            foreach (ModelTensor tensor in tensors)
            {
                tensor.WriteTo(stream);
                Pad(stream, alignment);
            }
        });
    }

    private static void WriteDescription(Stream stream, ModelTensor tensor, long offset)
    {
        byte[] name = GgufMetadata.Stored(tensor.Name);
        if (name.Length - 8 > Gguf.MaxNameBytes)
            throw new ArgumentException($"the tensor name {Quoted.Of(tensor.Name)} is longer than {Gguf.MaxNameBytes} bytes");
        stream.Write(name);
        stream.Write(UInt32((uint)tensor.Shape.Rank));
        for (int i = tensor.Shape.Rank - 1; i >= 0; i--)
            stream.Write(UInt64((ulong)tensor.Shape[i]));
        stream.Write(UInt32((uint)TypeOf(tensor.Type)));
        stream.Write(UInt64((ulong)offset));
    }

    private static GgufTensorType TypeOf(WeightType type) =>
        type switch { WeightType.F16 => GgufTensorType.F16, WeightType.BF16 => GgufTensorType.BF16, _ => GgufTensorType.F32 };

    private static void Pad(Stream stream, long alignment) => stream.Write(new byte[Gguf.Align(stream.Position, alignment) - stream.Position]);

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
