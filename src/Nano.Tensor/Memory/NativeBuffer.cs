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
        var bytes = (UInt128)Math.Max(floats, 1) * sizeof(float);
        if (bytes > (UInt128)nint.MaxValue)
            throw OutOfMemory(bytes, null);
        try
        {
            SetHandle((nint)NativeMemory.AlignedAlloc((nuint)bytes, Alignment));
        }
        catch (OutOfMemoryException e)
        {
            throw OutOfMemory(bytes, e);
        }
        NativeMemory.Clear((void*)handle, (nuint)bytes);
        Length = floats;
        // The collector sees a few bytes where this memory is; told how much hangs on them, it runs before forgotten tensors fill the machine.
        GC.AddMemoryPressure((long)bytes);
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
        GC.RemoveMemoryPressure(Math.Max(Length, 1) * sizeof(float));
        return true;
    }

    private static NanoException OutOfMemory(UInt128 bytes, Exception? inner) =>
        new($"out of memory: {bytes:N0} bytes were asked for", "use a smaller --batch, --seq or model", inner);
}
