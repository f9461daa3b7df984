using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Nano;

/// <summary>Everything before the tensors' bytes, parsed and distrusted.</summary>
internal ref struct GgufHeader
{
    private readonly ReadOnlySpan<byte> bytes;
    private readonly string path;
    private readonly long fileBytes;
    private int at;

    public GgufMetadata Metadata { get; }

    public Dictionary<string, GgufTensor> Tensors { get; } = new(StringComparer.Ordinal);

    /// <summary>Parses a header.</summary>
    /// <param name="bytes">The beginning of the file, or all of it.</param>
    /// <param name="path">The file, for errors.</param>
    /// <param name="fileBytes">Its length.</param>
    /// <exception cref="BadFileException">Any rule of the format is broken.</exception>
    public GgufHeader(ReadOnlySpan<byte> bytes, string path, long fileBytes)
    {
        this.bytes = bytes;
        (this.path, this.fileBytes) = (path, fileBytes);
        Metadata = new GgufMetadata(path);
        if (UInt32("the magic number") != Gguf.Magic)
            throw Bad("it does not start with 'GGUF': this is not a GGUF file");
        uint version = UInt32("the version");
        if (version is not (2 or Gguf.Version))
            throw Bad(version == BinaryPrimitives.ReverseEndianness(Gguf.Version)
                ? "it is a big-endian GGUF file; supported: little-endian"
                : $"it is GGUF version {version}; supported: 2 and {Gguf.Version}");
        ulong tensors = UInt64("the number of tensors"), pairs = UInt64("the number of metadata pairs");
        for (ulong i = 0; i < pairs; i++)
            ParsePair();
        long alignment = Alignment();
        var found = new List<(GgufTensor Tensor, long Bytes)>();
        for (ulong i = 0; i < tensors; i++)
            found.Add(ParseTensor());
        PlaceTensors(found, alignment);
    }

    private void ParsePair()
    {
        int start = at;
        string key = Text("a metadata key", Gguf.MaxKeyBytes);
        if (key.Length == 0)
            throw Bad($"the metadata key at byte {start} is empty");
        if (Metadata.Has(key))
            throw Bad($"the metadata key {Quoted.Of(key)} appears twice");
        string what = $"the value of {Quoted.Of(key)}";
        GgufValueType type = ValueType(what);
        start = at;
        SkipValue(type, what, 0);
        Metadata.Set(key, type, bytes[start..at].ToArray());
    }

    private GgufValueType ValueType(string what)
    {
        uint type = UInt32(what);
        return type <= (uint)GgufValueType.Float64 ? (GgufValueType)type
            : throw Bad($"{what} at byte {at - 4} has type {type}; known are 0 to {(uint)GgufValueType.Float64}");
    }

    private void SkipValue(GgufValueType type, string what, int depth)
    {
        if (type == GgufValueType.String)
            _ = StringBytes(what, Gguf.MaxStringBytes);
        else if (type == GgufValueType.Array)
            SkipArray(what, depth + 1);
        else if (ReadBytes(Gguf.SizeOf(type), what) is var value && type == GgufValueType.Bool && value[0] > 1)
            throw Bad($"{what} at byte {at - 1} is {value[0]}; expected 0 or 1");
    }

    private void SkipArray(string what, int depth)
    {
        if (depth > Gguf.MaxNesting)
            throw Bad($"{what} has arrays nested more than {Gguf.MaxNesting} deep, at byte {at}");
        GgufValueType type = ValueType(what);
        ulong count = UInt64(what);
        int size = Gguf.SizeOf(type);
        // No element is shorter than one byte, so a count beyond the remaining bytes is false.
        if (count > (ulong)(bytes.Length - at) / (ulong)Math.Max(1, size))
            throw Bad($"{what} claims {count} elements at byte {at}, where {fileBytes - at} bytes are left");
        if (size > 0 && type != GgufValueType.Bool)
            _ = ReadBytes((int)count * size, what);
        else
            for (ulong i = 0; i < count; i++)
                SkipValue(type, what, depth);
    }

    private readonly long Alignment()
    {
        long alignment = Metadata.Integer(Gguf.AlignmentKey) ?? Gguf.DefaultAlignment;
        return alignment is > 0 and <= Gguf.MaxAlignment && long.IsPow2(alignment) ? alignment
            : throw Bad($"'{Gguf.AlignmentKey}' is {alignment}; expected a power of two up to {Gguf.MaxAlignment}");
    }

    /// <summary>
    /// A tensor whose offset still counts from the start of the data, and its length in bytes, or
    /// -1 where its type's layout is not known.
    /// </summary>
    private (GgufTensor Tensor, long Bytes) ParseTensor()
    {
        string name = Text("a tensor's name", Gguf.MaxNameBytes), what = $"tensor {Quoted.Of(name)}";
        uint dimensions = UInt32(what);
        if (dimensions > Gguf.MaxDimensions)
            throw Bad($"{what} has {dimensions} dimensions; at most {Gguf.MaxDimensions} are possible");
        var shape = new long[dimensions];
        UInt128 count = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ulong size = UInt64(what);
            count *= size;
            if (size > long.MaxValue || count > long.MaxValue)
                throw Bad($"{what} has more elements than 63 bits can count");
            shape[i] = (long)size;
        }
        uint type = UInt32(what);
        if (!Enum.IsDefined((GgufTensorType)type))
            throw Bad($"{what} has the unknown type {type}; supported: {Gguf.Supported}");
        ulong offset = UInt64(what);
        if (offset > (ulong)fileBytes)
            throw Bad($"{what} lies at byte {offset} of the data of a file of {fileBytes} bytes");
        return (new GgufTensor(name, (GgufTensorType)type, shape, (long)offset,
            (long)count), Bytes((GgufTensorType)type, shape, (long)count, what));
    }

    private readonly long Bytes(GgufTensorType type, long[] shape, long count, string what)
    {
        if (Gguf.BlockOf(type) is not { } block)
            return -1;
        if (block.Elements > 1 && (shape.Length == 0 || shape[^1] % block.Elements != 0))
            throw Bad($"{what} of type {type} has rows of {(shape.Length == 0 ? 1 : shape[^1])}; expected a "
                + $"multiple of {block.Elements}");
        Int128 bytes = (Int128)(count / block.Elements) * block.Bytes;
        return bytes <= fileBytes ? (long)bytes
            : throw Bad($"{what} takes {bytes} bytes, more than the file's {fileBytes}");
    }

    /// <summary>Finds where the data begins; tensors must lie in it, aligned and apart.</summary>
    private readonly void PlaceTensors(List<(GgufTensor Tensor, long Bytes)> found, long alignment)
    {
        long dataStart = Gguf.Align(at, alignment);
        foreach ((GgufTensor tensor, long length) in found)
        {
            if (tensor.Offset % alignment != 0)
                throw Bad($"tensor {Quoted.Of(tensor.Name)} lies at byte {tensor.Offset} of the data, not a "
                    + $"multiple of {alignment}");
            if (dataStart + tensor.Offset + Math.Max(0, length) > fileBytes)
                throw Bad($"tensor {Quoted.Of(tensor.Name)} ends at byte "
                    + $"{dataStart + tensor.Offset + Math.Max(0, length)}, but the file at byte {fileBytes} (is it "
                    + "cut short?)");
            if (!Tensors.TryAdd(tensor.Name, tensor with { Offset = dataStart + tensor.Offset }))
                throw Bad($"tensor {Quoted.Of(tensor.Name)} appears twice");
        }
        long end = 0;
        foreach ((GgufTensor tensor, long length) in found.Where(item => item.Bytes > 0)
            .OrderBy(item => item.Tensor.Offset))
        {
            if (tensor.Offset < end)
                throw Bad($"tensor {Quoted.Of(tensor.Name)} begins inside another one");
            end = tensor.Offset + length;
        }
    }

    private string Text(string what, int maxBytes)
    {
        int start = at;
        ReadOnlySpan<byte> utf8 = StringBytes(what, maxBytes);
        return Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8)
            : throw Bad($"{what} at byte {start} is not valid UTF-8");
    }

    private ReadOnlySpan<byte> StringBytes(string what, int maxBytes)
    {
        ulong length = UInt64(what);
        return length <= (ulong)maxBytes ? ReadBytes((int)length, what)
            : throw Bad($"{what} at byte {at - 8} is a string of {length} bytes; the limit is {maxBytes}");
    }

    private uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(ReadBytes(4, what));

    private ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(ReadBytes(8, what));

    private ReadOnlySpan<byte> ReadBytes(int count, string what)
    {
        if (count > bytes.Length - at)
            throw Bad($"the file ends at byte {bytes.Length} in {what}, where {count} bytes from byte {at} were "
                + "expected");
        at += count;
        return bytes.Slice(at - count, count);
    }

    private readonly BadFileException Bad(string problem) => new(path, problem);
}
