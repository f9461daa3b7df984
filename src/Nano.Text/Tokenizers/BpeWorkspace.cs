using System.Text;

namespace Nano;

/// <summary>Reusable buffers for encoding, for one text at a time.</summary>
internal sealed class BpeWorkspace(MergeTable merges)
{
    private const int Kept = 1 << 23;

    private int[] ids = new int[256], symbols = new int[64];

    /// <summary>Pieces met before.</summary>
    public PieceCache Cache { get; } = new();

    /// <summary>Merges pieces.</summary>
    public BpeMerger Merger { get; } = new(merges);

    /// <summary>The text as UTF-8, with room after its end (see <see cref="PieceCache.Readable"/>).</summary>
    public byte[] Utf8 { get; private set; } = new byte[256];

    /// <summary>Number of ids.</summary>
    public int Count { get; set; }

    /// <summary>The ids so far.</summary>
    public ReadOnlySpan<int> Ids => ids.AsSpan(0, Count);

    /// <summary>Forgets the last text and checks the next one.</summary>
    /// <exception cref="NanoException">The text is not valid Unicode.</exception>
    public void Begin(ReadOnlySpan<char> text)
    {
        Count = 0;
        CheckPairs(text);
    }

    /// <summary>Refuses half a surrogate pair.</summary>
    /// <exception cref="NanoException">There is one.</exception>
    public static void CheckPairs(ReadOnlySpan<char> text)
    {
        for (int at = 0; text[at..].IndexOfAnyInRange('\uD800', '\uDFFF') is >= 0 and int found; at += 2)
        {
            at += found;
            if (!char.IsHighSurrogate(text[at]) || at + 1 == text.Length || !char.IsLowSurrogate(text[at + 1]))
                throw BpeTokenizer.HalfPair(text[at], at);
        }
    }

    /// <summary>Sets <see cref="Utf8"/> to a valid text, if wanted behind a space, and returns its length.</summary>
    public int SetText(ReadOnlySpan<char> text, bool behindSpace = false)
    {
        int most = checked(Encoding.UTF8.GetMaxByteCount(text.Length) + 1 + PieceCache.Readable);
        if (Utf8.Length < most)
            Utf8 = new byte[Math.Max(most, Math.Min(2 * Utf8.Length, Kept))];
        int begin = behindSpace ? 1 : 0;
        Utf8[0] = (byte)' ';
        return begin + Encoding.UTF8.GetBytes(text, Utf8.AsSpan(begin));
    }

    /// <summary>Room for more ids behind those that are there; <see cref="Count"/> says how many become so.</summary>
    public Span<int> Room(int count)
    {
        if (ids.Length - Count < count)
            Array.Resize(ref ids, checked(Math.Max(2 * ids.Length, Count + count)));
        return ids.AsSpan(Count);
    }

    /// <summary>Adds an id.</summary>
    public void Add(int id)
    {
        Room(1)[0] = id;
        Count++;
    }

    /// <summary>Room for the symbols of a piece.</summary>
    public Span<int> Symbols(int count)
    {
        if (symbols.Length < count)
            symbols = new int[Math.Max(count, Math.Min(2 * symbols.Length, Kept))];
        return symbols.AsSpan(0, count);
    }

    /// <summary>Gives back what an unusually long text took.</summary>
    public void Trim()
    {
        if (Utf8.Length > Kept)
            Utf8 = new byte[256];
        if (ids.Length > Kept)
            ids = new int[256];
        if (symbols.Length > Kept / 8)
            symbols = new int[64];
    }
}
