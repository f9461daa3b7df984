using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Nano;

/// <summary>
/// A file's bytes in the address space, read only: the system brings in the pages that are touched
/// and drops them again when memory is short. The file must not shrink while it is mapped: touching
/// a page beyond its end would end the process, so callers check its length first.
/// </summary>
public sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? file;
    private readonly MemoryMappedViewAccessor? view;
    private readonly byte* first;
    private bool disposed;

    /// <summary>Maps a file from its first byte to its last.</summary>
    /// <param name="handle">An open file, which stays open and the caller's.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <exception cref="IOException">The system cannot map it.</exception>
    /// <exception cref="UnauthorizedAccessException">The system does not allow it.</exception>
    public MappedFile(SafeFileHandle handle, long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        if (length == 0)
            return; // of nothing there is no map
        file = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None,
            leaveOpen: true);
        view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref first);
        first += view.PointerOffset;
    }

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>Some of its bytes, not copied. Valid until this is disposed.</summary>
    public ReadOnlySpan<byte> Slice(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (offset < 0 || length < 0 || offset > Length - length)
            throw new ArgumentOutOfRangeException(nameof(offset),
                $"{length} bytes from {offset} are not within {Length}");
        return new ReadOnlySpan<byte>(first + offset, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        view?.SafeMemoryMappedViewHandle.ReleasePointer();
        view?.Dispose();
        file?.Dispose();
    }
}
