using System.Numerics;
using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// Reads a safetensors file (format: the safetensors project's README): 8 bytes header length, a
/// JSON header, the data. Opening parses and checks the header; the file is mapped into memory, and
/// tensors are read on demand straight into the caller's, so the size of the file does not matter.
/// Reads may run on several threads at once.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    private const int ChunkElements = 1 << 16;
    private const string MissingHint = "check the path; a model folder holds config.json and model.safetensors";

    private readonly BinaryFile file;

    private SafetensorsReader(BinaryFile file)
    {
        this.file = file;
        if (file.Length < 8)
            throw file.Bad($"{file.Length} bytes are too few for a safetensors file, which starts with 8 bytes of "
                + "header length");
        ulong headerBytes = file.UInt64(0);
        if (headerBytes > SafetensorsHeader.MaxBytes)
            throw file.Bad($"the header claims {headerBytes} bytes; the limit is {SafetensorsHeader.MaxBytes} (is "
                + "this a safetensors file?)");
        long dataBytes = file.Length - 8 - (long)headerBytes;
        if (dataBytes < 0)
            throw file.Bad($"the header claims {headerBytes} bytes, but only {file.Length - 8} follow its length "
                + "(is the file cut short?)");
        var header = new SafetensorsHeader(file.Slice(8, (int)headerBytes), 8 + (long)headerBytes,
            dataBytes, file.Path);
        (Entries, Metadata) = (header.Entries, header.Metadata);
    }

    /// <summary>The file, as the caller named it.</summary>
    public string Path => file.Path;

    /// <summary>The tensors by name, in header order.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries { get; }

    /// <summary>The file's free-form string pairs; empty where it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header against every rule of the format.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed.</exception>
    public static SafetensorsReader Open(string path)
    {
        var file = new BinaryFile(path, MissingHint);
        try
        {
            return new SafetensorsReader(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Reads a whole tensor of floating-point numbers. Shorter ones become float32 exactly; F64 is
    /// rounded to nearest.
    /// </summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">As many elements as the tensor has.</param>
    /// <exception cref="BadFileException">There is no such tensor, it has another type or another
    /// number of elements.</exception>
    public void ReadFloat32(string name, Span<float> destination)
    {
        SafetensorsEntry entry = Find(name, destination.Length);
        Read(entry, destination, entry.Type switch
        {
            SafetensorsType.F32 => static (raw, to) => MemoryMarshal.Cast<byte, float>(raw).CopyTo(to),
            SafetensorsType.F16 => static (raw, to) => WeightTypes.Widen(WeightType.F16, raw, to),
            SafetensorsType.BF16 => static (raw, to) => WeightTypes.Widen(WeightType.BF16, raw, to),
            SafetensorsType.F8_E4M3 => static (raw, to) => WeightTypes.Widen(WeightType.F8_E4M3, raw, to),
            SafetensorsType.F8_E5M2 => static (raw, to) => WeightTypes.Widen(WeightType.F8_E5M2, raw, to),
            SafetensorsType.F64 => DoubleToSingle,
            _ => throw file.Bad($"tensor {Quoted.Of(name)} has type {entry.Type}; expected F32, F16, BF16, F64, "
                + "F8_E4M3 or F8_E5M2"),
        });
    }

    /// <summary>Reads a whole tensor of type I32.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">As many elements as the tensor has.</param>
    /// <exception cref="BadFileException">There is no such tensor, it has another type or another
    /// number of elements.</exception>
    public void ReadInt32(string name, Span<int> destination)
    {
        SafetensorsEntry entry = Find(name, destination.Length);
        Read(entry, destination, entry.Type == SafetensorsType.I32
            ? static (raw, to) => MemoryMarshal.Cast<byte, int>(raw).CopyTo(to)
            : throw file.Bad($"tensor {Quoted.Of(name)} has type {entry.Type}; expected I32"));
    }

    /// <summary>Reads a whole tensor of any integer type.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">As many elements as the tensor has.</param>
    /// <exception cref="BadFileException">There is no such tensor, it has another type or another
    /// number of elements, or a U64 is beyond 2^63 - 1.</exception>
    public void ReadInt64(string name, Span<long> destination)
    {
        SafetensorsEntry entry = Find(name, destination.Length);
        try
        {
            Read(entry, destination, entry.Type switch
            {
                SafetensorsType.I64 => Widen<long>,
                SafetensorsType.U64 => Widen<ulong>,
                SafetensorsType.I32 => Widen<int>,
                SafetensorsType.U32 => Widen<uint>,
                SafetensorsType.I16 => Widen<short>,
                SafetensorsType.U16 => Widen<ushort>,
                SafetensorsType.I8 => Widen<sbyte>,
                SafetensorsType.U8 => Widen<byte>,
                _ => throw file.Bad($"tensor {Quoted.Of(name)} has type {entry.Type}; expected integers"),
            });
        }
        catch (OverflowException e)
        {
            throw new BadFileException(Path, $"tensor {Quoted.Of(name)} holds a number beyond {long.MaxValue}", e);
        }
    }

    /// <summary>
    /// The type that <see cref="ReadWeights"/> gives a tensor's elements in: the stored one, but
    /// F32 for F64.
    /// </summary>
    /// <exception cref="BadFileException">The tensor does not hold floating-point numbers.</exception>
    internal WeightType WeightTypeOf(SafetensorsEntry entry) => entry.Type switch
    {
        SafetensorsType.F32 or SafetensorsType.F64 => WeightType.F32,
        SafetensorsType.F16 => WeightType.F16,
        SafetensorsType.BF16 => WeightType.BF16,
        SafetensorsType.F8_E4M3 => WeightType.F8_E4M3,
        SafetensorsType.F8_E5M2 => WeightType.F8_E5M2,
        _ => throw file.Bad($"tensor {Quoted.Of(entry.Name)} has type {entry.Type}; supported for weights: F32, F16, "
            + "BF16, F64, F8_E4M3, F8_E5M2"),
    };

    /// <summary>
    /// Copies the elements from the one numbered <paramref name="start"/> on, as many whole ones as
    /// the destination holds; F64 is rounded to float32.
    /// </summary>
    internal void ReadWeights(SafetensorsEntry entry, long start, Span<byte> destination)
    {
        long from = entry.Offset + (start * SafetensorsEntry.SizeOf(entry.Type));
        if (entry.Type == SafetensorsType.F64)
            DoubleToSingle(file.Slice(from, destination.Length * 2), MemoryMarshal.Cast<byte, float>(destination));
        else
            file.Copy(from, destination);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();

    private SafetensorsEntry Find(string name, int count)
    {
        if (!Entries.TryGetValue(name, out SafetensorsEntry? entry))
            throw file.Bad($"there is no tensor {Quoted.Of(name)} among its {Entries.Count}");
        if (entry.Count != count)
            throw file.Bad($"tensor {Quoted.Of(name)} has {entry.Count} elements (shape "
                + $"[{string.Join(", ", entry.Shape)}]); expected {count}");
        return entry;
    }

    private delegate void Convert<T>(ReadOnlySpan<byte> raw, Span<T> destination);

    private void Read<T>(SafetensorsEntry entry, Span<T> destination, Convert<T> convert)
    {
        int size = SafetensorsEntry.SizeOf(entry.Type);
        for (int done = 0; done < destination.Length; done += ChunkElements)
        {
            Span<T> part = destination[done..Math.Min(destination.Length, done + ChunkElements)];
            convert(file.Slice(entry.Offset + ((long)done * size), part.Length * size), part);
        }
    }

    private static void DoubleToSingle(ReadOnlySpan<byte> raw, Span<float> to)
    {
        ReadOnlySpan<double> from = MemoryMarshal.Cast<byte, double>(raw);
        for (int i = 0; i < to.Length; i++)
            to[i] = (float)from[i];
    }

    private static void Widen<T>(ReadOnlySpan<byte> raw, Span<long> to) where T : unmanaged, IBinaryInteger<T>
    {
        ReadOnlySpan<T> from = MemoryMarshal.Cast<byte, T>(raw);
        for (int i = 0; i < to.Length; i++)
            to[i] = long.CreateChecked(from[i]);
    }
}
