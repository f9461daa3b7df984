using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Nano;

/// <summary>
/// A file of little-endian numbers, mapped into memory, with errors that say where it ends. Reads
/// may run on several threads at once.
/// </summary>
internal sealed class BinaryFile : IDisposable
{
    private readonly SafeFileHandle file;
    private readonly MappedFile map;

    /// <summary>Opens and maps a file.</summary>
    /// <exception cref="NanoException">It is missing, cannot be opened, or is not a file.</exception>
    public BinaryFile(string path, string missingHint)
    {
        Path = path;
        file = InputFile.Open(path, missingHint);
        try
        {
            map = new MappedFile(file, InputFile.Length(file, path));
        }
        catch (IOException e)
        {
            file.Dispose();
            throw new NanoException($"cannot map '{path}': {Quoted.Reason(e)}", null, e);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>Length in bytes when it was opened.</summary>
    public long Length => map.Length;

    /// <summary>Some of its bytes, not copied. Valid until this is disposed.</summary>
    /// <exception cref="BadFileException">The file ends before them.</exception>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        // It may have been cut since it was opened, and reading a mapped page beyond the end would
        // kill the process.
        long available = Math.Min(map.Length, InputFile.Length(file, Path));
        if (offset < 0 || offset > available - length)
            throw new BadFileException(Path,
                $"the file ends at byte {available}, where {length} bytes from byte {offset} were expected");
        return map.Slice(offset, length);
    }

    public int Int32(long offset) => BinaryPrimitives.ReadInt32LittleEndian(Slice(offset, sizeof(int)));

    public uint UInt32(long offset) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(offset, sizeof(uint)));

    public ulong UInt64(long offset) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(offset, sizeof(ulong)));

    /// <summary>Copies bytes, as many as the destination holds.</summary>
    /// <exception cref="BadFileException">The file ends before them.</exception>
    public void Copy(long offset, Span<byte> destination) => Slice(offset, destination.Length).CopyTo(destination);

    /// <summary>An error about this file.</summary>
    public BadFileException Bad(string problem) => new(Path, problem);

    public void Dispose()
    {
        map.Dispose();
        file.Dispose();
    }
}
