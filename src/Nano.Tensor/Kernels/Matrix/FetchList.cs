using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Nano;

/// <summary>Something that asks the cache for a line every few steps of a tile.</summary>
internal interface IFetch
{
    /// <summary>Asks for the next line.</summary>
    void Next();
}

/// <summary>Fetches nothing.</summary>
internal readonly struct NoFetch : IFetch
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next()
    {
    }
}

/// <summary>
/// The lines that a tile asks the cache for, one every <see cref="Tiles.FetchEvery"/> steps: many requests at
/// once would wait for each other, and the tile for them.
/// </summary>
internal unsafe struct FetchList : IFetch
{
    private const int ShortDepth = 256;

    private readonly float** lines;
    private int steps, room, count; // entries that the tile takes, that may be used, that are
    private float** next;

    /// <summary>A list for tiles of up to this depth.</summary>
    public FetchList(Scratch scratch, int depth)
    {
        lines = (float**)scratch.Allocate(Floats(depth));
        next = lines;
    }

    /// <summary>The scratch of a list, in floats.</summary>
    public static long Floats(int depth) => Scratch.RoundUp(Room(depth) * (sizeof(float*) / sizeof(float)));

    private static int Room(int depth) => (depth + Tiles.FetchEvery - 1) / Tiles.FetchEvery;

    /// <summary>
    /// Empties the list, for a tile of this depth. A tile that is soon done would ask too late for what the next one
    /// needs: there everything is asked for at once.
    /// </summary>
    public void Begin(int depth)
    {
        (steps, room, count) = (Room(depth), depth < ShortDepth ? 0 : Room(depth), 0);
        next = lines;
    }

    /// <summary>Adds a line, which may lie anywhere; what does not fit is asked for at once.</summary>
    public void Add(float* line)
    {
        if (count < room)
            lines[count++] = line;
        else
            Fetch(line);
    }

    /// <summary>The list with a line that is there in its free places.</summary>
    public readonly FetchList Filled()
    {
        new Span<nint>(lines + count, steps - count).Fill((nint)lines);
        return this;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Next() => Fetch(*next++);

    /// <summary>
    /// Asks the cache for the line that holds p, where the processor can be asked; p may lie anywhere.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(float* p)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(p);
    }

    /// <summary>Asks the second-level cache for the line, for what is wanted later.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FetchLater(void* p)
    {
        if (Sse.IsSupported)
            Sse.Prefetch1(p);
    }
}
