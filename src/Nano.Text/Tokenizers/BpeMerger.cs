using System.Buffers;

namespace Nano;

/// <summary>
/// Byte-pair encoding of one piece (Sennrich et al. 2016, arXiv:1508.07909): again and again the
/// two neighbours of lowest rank, the leftmost of equal ones, become one symbol. Short pieces are
/// searched through for each merge; long ones keep their pairs in a queue, in linear time.
/// </summary>
internal sealed class BpeMerger(MergeTable merges)
{
    private const int Short = 64;

    private RankQueue? queue;

    /// <summary>Merges symbols in place and returns how many are left.</summary>
    public int Run(Span<int> symbols) => symbols.Length <= Short ? RunShort(symbols) : RunLong(symbols);

    private int RunShort(Span<int> symbols)
    {
        int count = symbols.Length;
        Span<int> ranks = stackalloc int[Short], ids = stackalloc int[Short]; // of symbol i with i + 1
        for (int i = 0; i + 1 < count; i++)
            ranks[i] = merges.Find(symbols[i], symbols[i + 1], out ids[i]);
        while (count > 1)
        {
            int at = 0;
            for (int i = 1; i + 1 < count; i++)
                at = ranks[i] < ranks[at] ? i : at;
            if (ranks[at] == MergeTable.None)
                break;
            symbols[at] = ids[at];
            count--;
            symbols[(at + 2)..(count + 1)].CopyTo(symbols[(at + 1)..]);
            if (at + 1 < count)
            {
                ranks[(at + 2)..count].CopyTo(ranks[(at + 1)..]);
                ids[(at + 2)..count].CopyTo(ids[(at + 1)..]);
                ranks[at] = merges.Find(symbols[at], symbols[at + 1], out ids[at]);
            }
            if (at > 0)
                ranks[at - 1] = merges.Find(symbols[at - 1], symbols[at], out ids[at - 1]);
        }
        return count;
    }

    private int RunLong(Span<int> symbols)
    {
        int n = symbols.Length;
        int[] memory = ArrayPool<int>.Shared.Rent(checked(4 * n));
        // Neighbours of each symbol that is left, and the rank and result of its pair with the next.
        Span<int> next = memory.AsSpan(0, n), previous = memory.AsSpan(n, n), ranks = memory.AsSpan(2 * n, n),
            ids = memory.AsSpan(3 * n, n);
        queue ??= new RankQueue(merges.RankCount);
        for (int i = 0; i < n; i++)
        {
            (next[i], previous[i], ranks[i]) = (i + 1, i - 1, MergeTable.None);
            if (i + 1 < n)
                ranks[i] = merges.Find(symbols[i], symbols[i + 1], out ids[i]);
            if (ranks[i] != MergeTable.None)
                queue.Push(ranks[i], i);
        }
        while (queue.TryPop(out int rank, out int at))
        {
            if (ranks[at] != rank) // a neighbour has changed since
                continue;
            int gone = next[at], after = next[gone];
            symbols[at] = ids[at];
            ranks[gone] = MergeTable.None;
            next[at] = after;
            ranks[at] = after < n ? merges.Find(symbols[at], symbols[after], out ids[at]) : MergeTable.None;
            if (after < n)
                previous[after] = at;
            if (ranks[at] != MergeTable.None)
                queue.Push(ranks[at], at);
            int before = previous[at];
            if (before >= 0 && (ranks[before] = merges.Find(symbols[before], symbols[at], out ids[before]))
                != MergeTable.None)
                queue.Push(ranks[before], before);
        }
        int count = 0;
        for (int i = 0; i < n; i = next[i])
            symbols[count++] = symbols[i];
        queue.Trim();
        ArrayPool<int>.Shared.Return(memory);
        return count;
    }
}
