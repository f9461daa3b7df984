using System.Runtime.InteropServices;

namespace Nano;

/// <summary>A block of 64-byte aligned memory outside the garbage-collected heap. The only place in Nano that allocates it.</summary>
public sealed unsafe class NativeBuffer : SafeHandle
{
    /// <summary>Bytes: one cache line, and one AVX-512 vector.</summary>
    public const int Alignment = 64;

    /// <summary>Allocates zeroed memory for the given number of floats.</summary>
    /// <exception cref="NanoException">The system has no such amount of memory.</exception>
    public NativeBuffer(long floats) : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(floats);
        nuint bytes = checked((nuint)Math.Max(floats, 1) * sizeof(float));
        try
        {
            SetHandle((nint)NativeMemory.AlignedAlloc(bytes, Alignment));
        }
        catch (OutOfMemoryException e)
        {
            throw new NanoException($"out of memory: {bytes:N0} bytes were asked for", "use a smaller --batch, --seq or model", e);
        }
        NativeMemory.Clear((void*)handle, bytes);
        Length = floats;
    }

    /// <summary>Length in floats.</summary>
    public long Length { get; }

    /// <summary>The first float. Valid until the buffer is disposed.</summary>
    public float* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (float*)handle;
        }
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }
}
