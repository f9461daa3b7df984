using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Nano;

/// <summary>
/// Reads a safetensors file (format: the safetensors project's README): 8 bytes header length, a JSON header, the data.
/// Opening parses and checks the header; tensors are read on demand, in chunks, straight into the caller's memory,
/// so the size of the file does not matter. Reads may run on several threads at once.
/// Leaves out: sharded models (several files and an index), reading 8-bit floats.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    private const int ChunkElements = 1 << 16;
    private const string MissingHint = "check the path; a model folder holds config.json and model.safetensors";

    private readonly string path;
    private readonly SafeFileHandle file;

    private SafetensorsReader(string path, SafeFileHandle file, in SafetensorsHeader header)
    {
        (this.path, this.file) = (path, file);
        (Entries, Metadata) = (header.Entries, header.Metadata);
    }

    /// <summary>The tensors by name, in header order.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Entries { get; }

    /// <summary>The file's free-form string pairs; empty where it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header against every rule of the format.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed.</exception>
    public static SafetensorsReader Open(string path)
    {
        SafeFileHandle file = InputFile.Open(path, MissingHint);
        try
        {
            byte[] header = ReadHeader(file, path, out long dataBytes);
            return new SafetensorsReader(path, file, new SafetensorsHeader(header, 8L + header.Length, dataBytes, path));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static byte[] ReadHeader(SafeFileHandle file, string path, out long dataBytes)
    {
        long length = InputFile.Length(file, path);
        if (length < 8)
            throw new BadFileException(path, $"{length} bytes are too few for a safetensors file, which starts with 8 bytes of header length");
        Span<byte> prefix = stackalloc byte[8];
        InputFile.ReadExactly(file, prefix, 0, path);
        ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerBytes > SafetensorsHeader.MaxBytes)
            throw new BadFileException(path, $"the header claims {headerBytes} bytes; the limit is {SafetensorsHeader.MaxBytes} (is this a safetensors file?)");
        dataBytes = length - 8 - (long)headerBytes;
        if (dataBytes < 0)
            throw new BadFileException(path, $"the header claims {headerBytes} bytes, but only {length - 8} follow its length (is the file cut short?)");
        byte[] header = new byte[headerBytes];
        InputFile.ReadExactly(file, header, 8, path);
        return header;
    }

    /// <summary>
    /// Reads a whole tensor of type F32, F16, BF16 or F64. F16 and BF16 become float32 exactly; F64 is rounded to nearest.
    /// </summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">As many elements as the tensor has.</param>
    /// <exception cref="BadFileException">There is no such tensor, it has another type or another number of elements.</exception>
    public void ReadFloat32(string name, Span<float> destination)
    {
        SafetensorsEntry entry = Find(name, destination.Length);
        Read(entry, destination, entry.Type switch
        {
            SafetensorsType.F32 => static (raw, to) => MemoryMarshal.Cast<byte, float>(raw).CopyTo(to),
            SafetensorsType.F16 => HalfToSingle,
            SafetensorsType.BF16 => BFloat16ToSingle,
            SafetensorsType.F64 => DoubleToSingle,
            _ => throw new BadFileException(path, $"tensor {Quoted.Of(name)} has type {entry.Type}; expected F32, F16, BF16 or F64"),
        });
    }

    /// <summary>Reads a whole tensor of any integer type.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">As many elements as the tensor has.</param>
    /// <exception cref="BadFileException">There is no such tensor, it has another type or another number of elements, or a U64 is beyond 2^63 - 1.</exception>
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
                _ => throw new BadFileException(path, $"tensor {Quoted.Of(name)} has type {entry.Type}; expected integers"),
            });
        }
        catch (OverflowException e)
        {
            throw new BadFileException(path, $"tensor {Quoted.Of(name)} holds a number beyond {long.MaxValue}", e);
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();

    private SafetensorsEntry Find(string name, int count)
    {
        if (!Entries.TryGetValue(name, out SafetensorsEntry? entry))
            throw new BadFileException(path, $"there is no tensor {Quoted.Of(name)} among its {Entries.Count}");
        if (entry.Count != count)
            throw new BadFileException(path, $"tensor {Quoted.Of(name)} has {entry.Count} elements (shape [{string.Join(", ", entry.Shape)}]); expected {count}");
        return entry;
    }

    private delegate void Convert<T>(ReadOnlySpan<byte> raw, Span<T> destination);

    private void Read<T>(SafetensorsEntry entry, Span<T> destination, Convert<T> convert)
    {
        int size = SafetensorsEntry.SizeOf(entry.Type);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(ChunkElements, destination.Length) * size);
        try
        {
            for (int done = 0; done < destination.Length; done += ChunkElements)
            {
                Span<T> part = destination[done..Math.Min(destination.Length, done + ChunkElements)];
                Span<byte> raw = buffer.AsSpan(0, part.Length * size);
                InputFile.ReadExactly(file, raw, entry.Offset + (long)done * size, path);
                convert(raw, part);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void HalfToSingle(ReadOnlySpan<byte> raw, Span<float> to)
    {
        ReadOnlySpan<Half> from = MemoryMarshal.Cast<byte, Half>(raw);
        for (int i = 0; i < to.Length; i++)
            to[i] = (float)from[i];
    }

    // A bfloat16 is the upper half of a float32.
    private static void BFloat16ToSingle(ReadOnlySpan<byte> raw, Span<float> to)
    {
        ReadOnlySpan<ushort> from = MemoryMarshal.Cast<byte, ushort>(raw);
        for (int i = 0; i < to.Length; i++)
            to[i] = BitConverter.UInt32BitsToSingle((uint)from[i] << 16);
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
