namespace Nano;

/// <summary>
/// Memory for everything that lives equally long: the parameters, the gradients, the optimizer
/// state, or one training step. <see cref="Allocate"/> allocates the lowest free range,
/// <see cref="Return"/> returns one early, and <see cref="Reset"/> makes the whole arena empty but
/// retains its memory, so a step that repeats takes nothing from the system after the first time.
/// Memory that was never used is only reserved: the system finds pages for it when it is first
/// written.
/// </summary>
/// <param name="chunkFloats"> Floats of the first piece of memory. Later ones are sixteen times as
/// large, by default 64 MiB, which C libraries map on their own and give back to the system when
/// freed; what fits no piece gets one of its size. </param>
public sealed class Arena(long chunkFloats = 1 << 20) : IDisposable
{
    private const int AlignFloats = NativeBuffer.Alignment / sizeof(float);
    private readonly List<NativeBuffer> chunks = [];
    private readonly List<long> touched = []; // of each chunk, how many floats from its start have ever been allocated
    private readonly List<Range> free = []; // in order of address, never two that touch
    private long inUse;

    /// <summary>Free floats in a chunk.</summary>
    private readonly record struct Range(int Chunk, long Offset, long Length)
    {
        public long End => Offset + Length;
    }

    /// <summary>Number of resets so far; allocations of earlier generations are invalid.</summary>
    internal int Generation { get; private set; }

    /// <summary>Bytes held, in use or not.</summary>
    public long ReservedBytes => chunks.Sum(chunk => chunk.Length) * sizeof(float);

    /// <summary>The most bytes that were in use at one time, alignment included.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>
    /// Bytes of the memory held now that have ever been in use: what the arena costs of the
    /// machine's memory.
    /// </summary>
    public long TouchedBytes => touched.Sum() * sizeof(float);

    /// <summary>
    /// Allocates memory for the given number of floats, aligned to 64 bytes and not cleared; zeros
    /// the first time.
    /// </summary>
    public (NativeBuffer Buffer, long Offset) Allocate(long floats)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(floats);
        long rounded = RoundUp(floats);
        int at = 0;
        while (at < free.Count && free[at].Length < rounded)
            at++;
        if (at == free.Count)
            Add(new NativeBuffer(Math.Max(rounded, chunks.Count == 0 ? chunkFloats : 16 * chunkFloats)));
        var range = free[at];
        if (range.Length == rounded)
            free.RemoveAt(at);
        else
            free[at] = new Range(range.Chunk, range.Offset + rounded, range.Length - rounded);
        touched[range.Chunk] = Math.Max(touched[range.Chunk], range.Offset + rounded);
        inUse += rounded;
        PeakBytes = Math.Max(PeakBytes, inUse * sizeof(float));
        return (chunks[range.Chunk], range.Offset);
    }

    /// <summary>
    /// Returns a range that <see cref="Allocate"/> has allocated since the last <see cref="Reset"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is free already, or not from here.</exception>
    public void Return(NativeBuffer buffer, long offset, long floats)
    {
        var range = new Range(chunks.IndexOf(buffer), offset, RoundUp(floats));
        if (range.Length == 0)
            return;
        int at = 0;
        while (at < free.Count && (free[at].Chunk, free[at].Offset).CompareTo((range.Chunk, offset)) < 0)
            at++;
        bool before = at > 0 && free[at - 1].Chunk == range.Chunk,
            after = at < free.Count && free[at].Chunk == range.Chunk;
        if (range.Chunk < 0 || (before && free[at - 1].End > offset) || (after && free[at].Offset < range.End))
            throw new InvalidOperationException($"{floats} floats at {offset} are not in use in this arena");
        inUse -= range.Length;
        if (after && free[at].Offset == range.End)
        {
            range = range with { Length = range.Length + free[at].Length };
            free.RemoveAt(at);
        }
        if (before && free[at - 1].End == offset)
            free[at - 1] = free[at - 1] with { Length = free[at - 1].Length + range.Length };
        else
            free.Insert(at, range);
    }

    /// <summary>
    /// Empties the arena. Tensors allocated in it become invalid. Several chunks are replaced by
    /// one that fits all next time, if the system has that much in one piece.
    /// </summary>
    public void Reset()
    {
        if (chunks.Count > 1 && TryAllocate(chunks.Sum(chunk => chunk.Length)) is { } merged)
        {
            Dispose();
            Add(merged);
            return;
        }
        free.Clear();
        for (int i = 0; i < chunks.Count; i++)
            free.Add(new Range(i, 0, chunks[i].Length));
        inUse = 0;
        Generation++;
    }

    private static NativeBuffer? TryAllocate(long floats)
    {
        try
        {
            return new NativeBuffer(floats);
        }
        catch (NanoException)
        {
            return null;
        }
    }

    /// <summary>Frees all memory.</summary>
    public void Dispose()
    {
        foreach (var chunk in chunks)
            chunk.Dispose();
        chunks.Clear();
        touched.Clear();
        free.Clear();
        inUse = 0;
        Generation++;
    }

    private void Add(NativeBuffer chunk)
    {
        chunks.Add(chunk);
        touched.Add(0);
        free.Add(new Range(chunks.Count - 1, 0, chunk.Length));
    }

    private static long RoundUp(long floats) => floats > long.MaxValue - AlignFloats ? floats
        : (floats + AlignFloats - 1) / AlignFloats * AlignFloats;
}
