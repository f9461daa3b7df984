using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// A block of 64-byte aligned memory outside the garbage-collected heap. The only place in Nano
/// that allocates it. From 2 MB on it begins at a multiple of 2 MB, where huge pages are to be had.
/// </summary>
public sealed unsafe class NativeBuffer : SafeHandle
{
    /// <summary>Bytes: one cache line, and one AVX-512 vector.</summary>
    public const int Alignment = 64;

    private readonly float* first;
    private readonly nuint mapped; // bytes from HugePages; 0 if the C library gave the memory

    /// <summary>
    /// Zeroed memory for the given number of floats. Of a large one the system finds the pages when
    /// they are first touched.
    /// </summary>
    /// <exception cref="NanoException">The system has no such amount of memory.</exception>
    public NativeBuffer(long floats) : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(floats);
        var bytes = ((UInt128)Math.Max(floats, 1) * sizeof(float)) + Alignment;
        if (bytes > (UInt128)nint.MaxValue)
            throw OutOfMemory(floats, null);
        (handle, mapped) = HugePages.Map((nuint)bytes);
        if (mapped == 0)
            SetHandle(Allocate((nuint)bytes, floats));
        first = (float*)(mapped > 0 ? HugePages.AlignUp(handle) : (handle + Alignment - 1) & -Alignment);
        Length = floats;
        // The collector sees a few bytes where this memory is; told how much hangs on them, it runs before
        // forgotten tensors fill the machine.
        GC.AddMemoryPressure(Math.Max(Length, 1) * sizeof(float));
    }

    /// <summary>Length in floats.</summary>
    public long Length { get; }

    /// <summary>The first float. Valid until the buffer is disposed.</summary>
    public float* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return first;
        }
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        if (mapped > 0)
            HugePages.Unmap(handle, mapped);
        else
            NativeMemory.Free((void*)handle);
        GC.RemoveMemoryPressure(Math.Max(Length, 1) * sizeof(float));
        return true;
    }

    private static nint Allocate(nuint bytes, long floats)
    {
        try
        {
            return (nint)NativeMemory.AllocZeroed(bytes);
        }
        catch (OutOfMemoryException e)
        {
            throw OutOfMemory(floats, e);
        }
    }

    private static NanoException OutOfMemory(long floats, Exception? inner) =>
        new($"out of memory: {(UInt128)floats * sizeof(float):N0} bytes were asked for",
            "use a smaller `batch`, `seq` or model", inner);
}
