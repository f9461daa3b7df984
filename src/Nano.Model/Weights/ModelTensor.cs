using System.Runtime.InteropServices;
using CommunityToolkit.HighPerformance.Buffers;

namespace Nano;

/// <summary>
/// Gives stored elements of a tensor, row-major, from the one numbered <paramref name="start"/> on:
/// as many whole ones as the destination holds. Of a quantised type these are whole blocks.
/// </summary>
internal delegate void ReadElements(long start, Span<byte> destination);

/// <summary>
/// One tensor of a model wherever it lies: a name, a shape, a stored type, and a way to get any
/// range of its elements. Readers and writers of all formats meet here. What a format lays out
/// otherwise (transposed, rows permuted, another type) is a view that reads through, so that no
/// more than a chunk is ever in memory.
/// </summary>
public sealed class ModelTensor
{
    // A chunk is at most 1 MiB, and whole blocks of every type.
    private const int ChunkElements = 1 << 18;

    private readonly ReadElements read;

    // The tensor of which this is the transpose, or null: transposing twice gives it back, without
    // a pass over the matrix for every few columns.
    private readonly ModelTensor? transposed;

    internal ModelTensor(string name, Shape shape, WeightType type, ReadElements read,
        ModelTensor? transposed = null) =>
        (Name, Shape, Type, this.read, this.transposed) = (name, shape, type, read, transposed);

    /// <summary>
    /// A tensor of at most four dimensions in a safetensors file that stays open meanwhile; F64 is
    /// rounded to float32 as it is read.
    /// </summary>
    /// <exception cref="BadFileException">It does not hold floating-point numbers, or has too many
    /// dimensions.</exception>
    internal static ModelTensor Of(SafetensorsReader file, SafetensorsEntry entry)
    {
        if (entry.Shape.Count > 4 || entry.Shape.Any(size => size > int.MaxValue))
            throw new BadFileException(file.Path,
                $"tensor {Quoted.Of(entry.Name)} has shape [{string.Join(", ", entry.Shape.Take(8))}]; expected at "
                + "most 4 dimensions of 31 bits");
        var shape = new Shape([.. entry.Shape.Select(size => (int)size)]);
        return new ModelTensor(entry.Name, shape, file.WeightTypeOf(entry),
            (start, destination) => file.ReadWeights(entry, start, destination));
    }

    /// <summary>Its name: in a <see cref="ModelSource"/> that of the model's parameter.</summary>
    public string Name { get; }

    /// <summary>Its shape, slowest dimension first.</summary>
    public Shape Shape { get; }

    /// <summary>The type of the bytes that <see cref="Read"/> gives.</summary>
    public WeightType Type { get; }

    /// <summary>Length in bytes.</summary>
    public long Bytes => Format.BytesOf(Shape.Length);

    private BlockFormat Format => BlockFormat.Of(Type);

    /// <summary>
    /// Copies stored elements, as many whole ones as the destination holds; of a quantised type
    /// whole blocks.
    /// </summary>
    public void Read(long start, Span<byte> destination) => read(start, destination);

    /// <summary>All elements as float32.</summary>
    /// <param name="destination">As many as the tensor has.</param>
    public void ReadFloat32(Span<float> destination)
    {
        if (destination.Length != Shape.Length)
            throw new ArgumentException($"'{Name}' {Shape} does not fit {destination.Length} elements");
        ModelTensor floats = As(WeightType.F32);
        for (int done = 0; done < destination.Length; done += ChunkElements)
            floats.Read(done, MemoryMarshal.AsBytes(
                destination[done..Math.Min(destination.Length, done + ChunkElements)]));
    }

    /// <summary>Packs all rows of this matrix, in the destination's type: float32 or that in which they are stored.
    /// </summary>
    internal void ReadPacked(Tensor destination)
    {
        var stored = As(destination.PackedAs!.Value);
        bool isQuantised = WeightTypes.IsQuantised(stored.Type);
        int rowBytes = (int)stored.Format.BytesOf(Shape[1]),
            rows = Math.Max(1, ChunkElements / Math.Max(1, Shape[1] * Panels.Width)) * Panels.Width;
        using var chunk = SpanOwner<byte>.Allocate(checked(Math.Min(rows, Shape[0]) * rowBytes));
        for (int row = 0; row < Shape[0]; row += rows)
        {
            var part = chunk.Span[..(Math.Min(rows, Shape[0] - row) * rowBytes)];
            stored.Read((long)row * Shape[1], part);
            if (isQuantised)
                QuantPanels.Of(destination).Pack(row, part);
            else
                Panels.Pack(destination, row, part);
        }
    }

    /// <summary>Writes all elements as stored.</summary>
    public void WriteTo(Stream stream)
    {
        using var chunk = SpanOwner<byte>.Allocate((int)Format.BytesOf(Math.Min(Shape.Length, ChunkElements)));
        for (long done = 0; done < Shape.Length; done += ChunkElements)
        {
            Span<byte> part = chunk.Span[..(int)Format.BytesOf(Math.Min(ChunkElements, Shape.Length - done))];
            Read(done, part);
            stream.Write(part);
        }
    }

    /// <summary>The tensor as a safetensors file gets it, in its stored type.</summary>
    internal SafetensorsTensor ToSafetensors() => new(Name, Type switch
    {
        WeightType.F16 => SafetensorsType.F16,
        WeightType.BF16 => SafetensorsType.BF16,
        WeightType.F8_E4M3 => SafetensorsType.F8_E4M3,
        WeightType.F8_E5M2 => SafetensorsType.F8_E5M2,
        WeightType.F32 => SafetensorsType.F32,
        _ => throw new InvalidOperationException($"safetensors files hold no {Type}"),
    }, Shape.ToArray(), WriteTo);

    /// <summary>The tensor as a GGUF file gets it, in its stored type.</summary>
    internal GgufTensorToWrite ToGguf() => new(Name, Gguf.TypeOf(Type)
        ?? throw new InvalidOperationException($"GGUF files hold no {Type}"), Shape.ToArray(), WriteTo);

    /// <summary>
    /// True if the other tensor, of equal shape, has the same elements, bit for bit, whatever the
    /// types.
    /// </summary>
    internal bool SameElements(ModelTensor other)
    {
        ModelTensor mine = As(WeightType.F32), theirs = other.As(WeightType.F32);
        int chunk = (int)Math.Min(Shape.Length, ChunkElements) * sizeof(float);
        using SpanOwner<byte> a = SpanOwner<byte>.Allocate(chunk), b = SpanOwner<byte>.Allocate(chunk);
        for (long done = 0; done < Shape.Length; done += ChunkElements)
        {
            int bytes = (int)Math.Min(ChunkElements, Shape.Length - done) * sizeof(float);
            mine.Read(done, a.Span[..bytes]);
            theirs.Read(done, b.Span[..bytes]);
            if (!a.Span[..bytes].SequenceEqual(b.Span[..bytes]))
                return false;
        }
        return true;
    }

    /// <summary>The tensor under another name.</summary>
    internal ModelTensor Named(string name) => new(name, Shape, Type, read, transposed?.Named(name));

    /// <summary>The tensor with as many elements in another shape.</summary>
    internal ModelTensor Shaped(Shape shape) => new(Name, shape, Type, read);

    /// <summary>The tensor as float32, with a number added to each element.</summary>
    internal ModelTensor Plus(float number)
    {
        ModelTensor floats = As(WeightType.F32);
        return new(Name, Shape, WeightType.F32, (start, destination) =>
        {
            floats.Read(start, destination);
            foreach (ref float element in MemoryMarshal.Cast<byte, float>(destination))
                element += number;
        });
    }

    /// <summary>
    /// The tensor with a callback that receives the number of bytes of each read.
    /// </summary>
    internal ModelTensor Watched(Action<int> bytesRead) => new(Name, Shape, Type, (start, destination) =>
    {
        Read(start, destination);
        bytesRead(destination.Length);
    }, transposed?.Watched(bytesRead));

    /// <summary>The tensor in another type; itself if it already has that type.</summary>
    internal ModelTensor As(WeightType type) => type == Type ? this
        : WeightTypes.IsQuantised(type) ? QuantisedRows.Of(this, type, [])
        : new ModelTensor(Name, Shape, type, (start, destination) =>
    {
        if (type == WeightType.F32)
        {
            Widen(start, MemoryMarshal.Cast<byte, float>(destination));
            return;
        }
        using var floats = SpanOwner<float>.Allocate(destination.Length / WeightTypes.SizeOf(type));
        Widen(start, floats.Span);
        WeightTypes.Narrow(type, floats.Span, destination);
    });

    /// <summary>Any elements as float32: the blocks around them are read whole.</summary>
    private void Widen(long start, Span<float> floats)
    {
        BlockFormat format = Format;
        int before = (int)(start % format.Weights),
            count = (before + floats.Length + format.Weights - 1) / format.Weights * format.Weights;
        using var stored = SpanOwner<byte>.Allocate((int)format.BytesOf(count));
        Read(start - before, stored.Span);
        if (count == floats.Length)
        {
            format.Dequantise(stored.Span, floats);
            return;
        }
        using var whole = SpanOwner<float>.Allocate(count);
        format.Dequantise(stored.Span, whole.Span);
        whole.Span.Slice(before, floats.Length).CopyTo(floats);
    }

    /// <summary>A matrix with rows and columns exchanged; of a quantised one as float32.</summary>
    internal ModelTensor Transposed()
    {
        if (transposed is not null)
            return transposed;
        if (WeightTypes.IsQuantised(Type))
            return As(WeightType.F32).Transposed();
        int rows = Shape[1], columns = Shape[0];
        return new ModelTensor(Name, new Shape(rows, columns), Type, (start, destination) =>
        {
            if (Type == WeightType.F32)
                Transpose<uint>(start, MemoryMarshal.Cast<byte, uint>(destination), rows, columns);
            else if (WeightTypes.SizeOf(Type) == sizeof(byte))
                Transpose(start, destination, rows, columns);
            else
                Transpose<ushort>(start, MemoryMarshal.Cast<byte, ushort>(destination), rows, columns);
        }, this);
    }

    /// <summary>
    /// A range of the transposed matrix [rows, columns]: of each stored row, the piece that the
    /// range needs, scattered.
    /// </summary>
    private void Transpose<T>(long start, Span<T> destination, int rows, int columns) where T : unmanaged
    {
        if (destination.IsEmpty)
            return;
        int firstRow = (int)(start / columns), endRow = (int)((start + destination.Length - 1) / columns) + 1;
        using var owner = SpanOwner<T>.Allocate(endRow - firstRow);
        Span<T> piece = owner.Span;
        for (int column = 0; column < columns; column++)
        {
            Read(((long)column * rows) + firstRow, MemoryMarshal.AsBytes(piece));
            for (int i = 0; i < piece.Length; i++)
                if (((long)(firstRow + i) * columns) + column - start is var at && at >= 0 && at < destination.Length)
                    destination[(int)at] = piece[i];
        }
    }

    /// <summary>A matrix or vector whose row r is row <paramref name="from"/>(r) of this one.</summary>
    internal ModelTensor WithRows(Func<int, int> from) => OfRows(Name, Shape, [this], row => (0, from(row)));

    /// <summary>A matrix or vector whose row r is row Row of tensor Part of equal width and type.</summary>
    internal static ModelTensor OfRows(string name, Shape shape, IReadOnlyList<ModelTensor> parts,
        Func<int, (int Part, int Row)> from)
    {
        int columns = shape.Rank == 1 ? 1 : shape[1];
        BlockFormat format = parts[0].Format;
        return new ModelTensor(name, shape, parts[0].Type, (start, destination) =>
        {
            while (!destination.IsEmpty)
            {
                (long row, long column) = Math.DivRem(start, columns);
                int count = (int)Math.Min(columns - column, destination.Length / format.Bytes * format.Weights),
                    bytes = (int)format.BytesOf(count);
                var (part, at) = from((int)row);
                parts[part].Read(((long)at * columns) + column, destination[..bytes]);
                destination = destination[bytes..];
                start += count;
            }
        });
    }
}
