using System.Buffers;
using System.Text;

namespace Nano;

/// <summary>
/// The part of Protocol Buffers' wire format that an ONNX file needs
/// (protobuf.dev/programming-guides/encoding): variable-length integers, 32-bit floats, and fields
/// of known length. A message within a message is written to a buffer of its own first, for its
/// length comes before it.
/// </summary>
internal sealed class Protobuf
{
    private readonly ArrayBufferWriter<byte> bytes = new();

    public ReadOnlyMemory<byte> Written => bytes.WrittenMemory;

    public void Integer(int field, long value)
    {
        Varint((ulong)(field << 3));
        Varint((ulong)value);
    }

    public void Float(int field, float value)
    {
        Varint((ulong)((field << 3) | 5));
        BitConverter.TryWriteBytes(bytes.GetSpan(sizeof(float)), value);
        bytes.Advance(sizeof(float));
    }

    public void Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Varint((ulong)((field << 3) | 2));
        Varint((ulong)value.Length);
        bytes.Write(value);
    }

    public void Message(int field, Action<Protobuf> write)
    {
        var inner = new Protobuf();
        write(inner);
        Bytes(field, inner.Written.Span);
    }

    private void Varint(ulong value)
    {
        var span = bytes.GetSpan(10);
        int length = 0;
        for (; value >= 0x80; value >>= 7)
            span[length++] = (byte)(value | 0x80);
        span[length++] = (byte)value;
        bytes.Advance(length);
    }
}
