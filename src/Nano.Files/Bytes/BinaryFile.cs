using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Nano;

/// <summary>
/// A file of little-endian numbers, mapped into memory, with errors that say where it ends. Reads
/// may run on several threads at once.
/// </summary>
internal sealed class BinaryFile : IDisposable
{
    private const int WorthReading = 1 << 16;

    private readonly SafeFileHandle file;
    private readonly MappedFile map;

    /// <summary>Opens and maps a file.</summary>
    /// <exception cref="NanoException">It is missing, cannot be opened, is not a file, or the system does not map
    /// it.</exception>
    public BinaryFile(string path, string missingHint)
    {
        Path = path;
        file = InputFile.Open(path, missingHint);
        try
        {
            map = new MappedFile(file, InputFile.Length(file, path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            file.Dispose();
            throw new NanoException($"cannot map '{path}' into memory: {Quoted.Reason(e)}",
                "not every file system allows it: copy the file to a local disk", e);
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
            throw Ends(offset, length);
        return map.Slice(offset, length);
    }

    public int Int32(long offset) => BinaryPrimitives.ReadInt32LittleEndian(Slice(offset, sizeof(int)));

    public uint UInt32(long offset) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(offset, sizeof(uint)));

    public ulong UInt64(long offset) => BinaryPrimitives.ReadUInt64LittleEndian(Slice(offset, sizeof(ulong)));

    /// <summary>
    /// Copies bytes, as many as the destination holds. Many are read without the map: pages that are mapped count as
    /// this process's memory and cost a fault each.
    /// </summary>
    /// <exception cref="BadFileException">The file ends before them.</exception>
    public void Copy(long offset, Span<byte> destination)
    {
        if (destination.Length < WorthReading)
        {
            Slice(offset, destination.Length).CopyTo(destination);
            return;
        }
        if (offset < 0)
            throw Ends(offset, destination.Length);
        for (int done = 0; done < destination.Length;)
        {
            int read;
            try
            {
                read = RandomAccess.Read(file, destination[done..], offset + done);
            }
            catch (IOException e)
            {
                throw new NanoException($"cannot read '{Path}': {Quoted.Reason(e)}", null, e);
            }
            if (read == 0)
                throw Ends(offset, destination.Length);
            done += read;
        }
    }

    private BadFileException Ends(long offset, int length) => new(Path,
        $"the file ends at byte {Math.Min(map.Length, InputFile.Length(file, Path))}, where {length} bytes from byte "
        + $"{offset} were expected");

    /// <summary>An error about this file.</summary>
    public BadFileException Bad(string problem) => new(Path, problem);

    public void Dispose()
    {
        map.Dispose();
        file.Dispose();
    }
}
