namespace Nano;

/// <summary>
/// Bump allocation for everything that lives equally long: the parameters, the gradients, the optimizer state, or one training step.
/// Nothing is freed one by one; <see cref="Reset"/> makes the whole arena empty and keeps its memory, so a step that repeats
/// allocates nothing after the first time.
/// </summary>
public sealed class Arena(long chunkFloats = 1 << 20) : IDisposable
{
    private const int AlignFloats = NativeBuffer.Alignment / sizeof(float);
    private readonly List<NativeBuffer> chunks = [];
    private int current;
    private long used;

    /// <summary>How often the arena has been emptied: what was taken in an earlier generation is gone.</summary>
    internal int Generation { get; private set; }

    /// <summary>Bytes held, in use or not.</summary>
    public long ReservedBytes => chunks.Sum(chunk => chunk.Length) * sizeof(float);

    /// <summary>Takes memory for the given number of floats, aligned to 64 bytes, with whatever was in it before.</summary>
    public (NativeBuffer Buffer, long Offset) Take(long floats)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(floats);
        long rounded = floats > long.MaxValue - AlignFloats ? floats : (floats + AlignFloats - 1) / AlignFloats * AlignFloats;
        while (current < chunks.Count && rounded > chunks[current].Length - used)
        {
            current++;
            used = 0;
        }
        if (current == chunks.Count)
            chunks.Add(new NativeBuffer(Math.Max(rounded, chunkFloats)));
        long offset = used;
        used += rounded;
        return (chunks[current], offset);
    }

    /// <summary>Empties the arena. Tensors taken from it must no longer be used. Several chunks are replaced by one that fits all next time.</summary>
    public void Reset()
    {
        if (chunks.Count > 1)
        {
            long total = chunks.Sum(chunk => chunk.Length);
            Dispose();
            chunks.Add(new NativeBuffer(total));
        }
        current = 0;
        used = 0;
        Generation++;
    }

    /// <summary>Frees all memory.</summary>
    public void Dispose()
    {
        foreach (var chunk in chunks)
            chunk.Dispose();
        chunks.Clear();
        current = 0;
        used = 0;
        Generation++;
    }
}
