using System.Runtime.InteropServices;

namespace Nano;

/// <summary>Reusable buffers of <see cref="PipelineTokenizer"/>, for one text at a time.</summary>
internal sealed class PipelineWorkspace(MergeTable? merges)
{
    // Pieces of up to MaxKept UTF-16 units are cached with their ids.
    private const int MaxKept = 7, KeptIds = 1 << 20;

    private int[] ids = new int[256];
    private UnigramPath[] paths = [];

    /// <summary>Merges symbols, for models that have rules for that.</summary>
    public BpeMerger? Merger { get; } = merges is null ? null : new BpeMerger(merges);

    /// <summary>Number of ids.</summary>
    public int Count { get; set; }

    /// <summary>Pieces before and after a step.</summary>
    public List<TextPiece> Pieces { get; set; } = [];

    /// <summary>The other of the two lists.</summary>
    public List<TextPiece> Others { get; set; } = [];

    private PieceCache Cache { get; } = new();

    /// <summary>All ids.</summary>
    public int[] ToArray() => ids.AsSpan(0, Count).ToArray();

    /// <summary>The ids from a position on.</summary>
    public Span<int> From(int start) => ids.AsSpan(start, Count - start);

    /// <summary>Reverses the ids from a position on.</summary>
    public void Reverse(int start) => From(start).Reverse();

    /// <summary>Adds an id.</summary>
    public void Add(int id)
    {
        Room(1)[0] = id;
        Count++;
    }

    /// <summary>Adds the ids of the UTF-8 bytes of a text, or nothing if one of them has none.</summary>
    public bool TryAddBytes(ReadOnlySpan<char> text, int[] byteIds, out int added)
    {
        int before = Count;
        added = 0;
        Span<byte> bytes = stackalloc byte[4];
        foreach (var c in text.EnumerateRunes())
            foreach (byte b in bytes[..c.EncodeToUtf8(bytes)])
            {
                if (byteIds[b] < 0)
                {
                    Count = before;
                    return false;
                }
                Add(byteIds[b]);
            }
        added = Count - before;
        return true;
    }

    /// <summary>Adds the ids of a piece, looked up if it was met before.</summary>
    public void Encode(TokenModel model, ReadOnlySpan<char> piece)
    {
        if (piece.Length > MaxKept)
        {
            model.Encode(piece, this);
            return;
        }
        Span<byte> key = stackalloc byte[PieceCache.Readable];
        MemoryMarshal.AsBytes(piece).CopyTo(key);
        int known = Cache.Find(key, 0, 2 * piece.Length, Room(4));
        if (known > 0)
        {
            Count += known;
            return;
        }
        int before = Count;
        model.Encode(piece, this);
        Cache.Keep(key, 0, 2 * piece.Length, From(before));
    }

    /// <summary>Room for the ways to the positions of a text.</summary>
    public Span<UnigramPath> Paths(int count)
    {
        if (paths.Length < count)
            paths = new UnigramPath[count];
        return paths.AsSpan(0, count);
    }

    /// <summary>Gives back what an unusually long text took.</summary>
    public void Trim()
    {
        if (ids.Length > KeptIds)
            ids = new int[256];
        if (paths.Length > KeptIds)
            paths = [];
        Pieces.Clear();
        Others.Clear();
        if (Pieces.Capacity > KeptIds || Others.Capacity > KeptIds)
            (Pieces, Others) = ([], []);
    }

    private Span<int> Room(int count)
    {
        if (ids.Length - Count < count)
            Array.Resize(ref ids, checked(Math.Max(2 * ids.Length, Count + count)));
        return ids.AsSpan(Count);
    }
}
