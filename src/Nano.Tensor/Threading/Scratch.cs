namespace Nano;

/// <summary>
/// Working memory of one worker, handed to a kernel for the time of one call; grows to the largest
/// wish and stays.
/// </summary>
public sealed unsafe class Scratch : IDisposable
{
    private NativeBuffer? buffer;
    private long used, announced;

    /// <summary>Floats held.</summary>
    public long Length => buffer?.Length ?? 0;

    /// <summary>
    /// Makes room for a kernel that will take up to this many floats in all (64-byte alignment of
    /// each part included).
    /// </summary>
    public void Begin(long floats)
    {
        used = announced = 0;
        if (buffer is null || buffer.Length < floats)
        {
            buffer?.Dispose();
            buffer = null;
            buffer = new NativeBuffer(floats);
        }
        announced = floats;
    }

    /// <summary>The next part of what <see cref="Begin"/> made room for, aligned to 64 bytes.</summary>
    public float* Allocate(long floats)
    {
        long at = used;
        used += RoundUp(floats);
        if (buffer is null || used > announced)
            throw new InvalidOperationException($"a kernel allocates {used} floats of scratch, announced {announced}");
        return buffer.Pointer + at;
    }

    /// <summary>
    /// The size of a part rounded up to whole vectors of 64 bytes, as it counts in the total for
    /// <see cref="Begin"/>.
    /// </summary>
    public static long RoundUp(long floats) => (floats + 15) & ~15L;

    /// <inheritdoc/>
    public void Dispose() => buffer?.Dispose();
}
