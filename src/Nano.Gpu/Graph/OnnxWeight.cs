using System.Runtime.InteropServices;

namespace Nano;

/// <summary>A tensor that an ONNX file holds, inside or in a second file.</summary>
/// <param name="Name">The value's name in the graph.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Write">Writes the elements, little-endian.</param>
internal sealed record OnnxWeight(string Name, OnnxType Type, IReadOnlyList<long> Shape, long Bytes,
    Action<Stream> Write)
{
    /// <summary>
    /// The alignment of tensors in a file of external data, as ONNX recommends for memory mapping.
    /// </summary>
    private const int Alignment = 4096;

    /// <summary>
    /// True to store the tensor inside the model in any case: a number or two that shape inference
    /// needs to see.
    /// </summary>
    public bool IsSmall { get; init; }

    /// <summary>A float tensor as it is, or rounded to float16 (to nearest, ties to even).</summary>
    /// <exception cref="NanoException">During writing: an element is too large for
    /// float16.</exception>
    public static OnnxWeight Of(string name, Tensor tensor, OnnxType type = OnnxType.Float32) =>
        type == OnnxType.Float16
        ? new(name, type, tensor.Shape.ToArray(), tensor.Length * sizeof(short),
            stream => WriteHalves(name, tensor.Data, stream))
        : new(name, OnnxType.Float32, tensor.Shape.ToArray(), tensor.Length * sizeof(float),
            stream => stream.Write(MemoryMarshal.AsBytes(tensor.Data)));

    private static void WriteHalves(string name, ReadOnlySpan<float> values, Stream stream)
    {
        var halves = new Half[Math.Min(values.Length, 1 << 16)];
        for (int start = 0; start < values.Length; start += halves.Length)
        {
            var some = values.Slice(start, Math.Min(halves.Length, values.Length - start));
            for (int i = 0; i < some.Length; i++)
            {
                halves[i] = (Half)some[i];
                if (Half.IsInfinity(halves[i]) && float.IsFinite(some[i]))
                    throw new NanoException(
                        $"weight '{name}' is {some[i]} at element {start + i}, more than float16 holds (65504)",
                        "export it as float32");
            }
            stream.Write(MemoryMarshal.AsBytes(halves.AsSpan(0, some.Length)));
        }
    }

    /// <summary>Writes a TensorProto.</summary>
    /// <param name="tensor">The tensor message to complete.</param>
    /// <param name="external">The file that holds the elements, or null for here.</param>
    /// <param name="offset">The first free byte of that file.</param>
    /// <returns>The first free byte afterwards.</returns>
    public long WriteTo(Protobuf tensor, string? external, long offset)
    {
        foreach (long dimension in Shape)
            tensor.Integer(1, dimension);
        tensor.Integer(2, (int)Type);
        tensor.Text(8, Name);
        if (external is null || IsSmall)
        {
            using var elements = new MemoryStream(checked((int)Bytes));
            Write(elements);
            tensor.Bytes(9, elements.GetBuffer().AsSpan(0, checked((int)Bytes)));
            return offset;
        }
        offset = Start(offset);
        foreach (var (key, value) in new[] { ("location", external), ("offset", $"{offset}"), ("length", $"{Bytes}") })
            tensor.Message(13, entry =>
            {
                entry.Text(1, key);
                entry.Text(2, value);
            });
        tensor.Integer(14, 1); // EXTERNAL
        return offset + Bytes;
    }

    /// <summary>The first place from an offset on where a tensor may begin.</summary>
    public static long Start(long offset) => (offset + Alignment - 1) / Alignment * Alignment;
}
