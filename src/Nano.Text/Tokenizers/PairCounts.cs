using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// The neighbours in a set of pieces, how often each pair occurs, and where; kept up to date as
/// pairs are merged, in time proportional to the places that change.
/// </summary>
internal sealed class PairCounts
{
    // All pieces behind each other; -1 stands between them and where a symbol was merged away.
    private readonly int[] symbols, next, previous;

    // The number of times that the piece of a position occurs.
    private readonly long[] weights;
    private readonly Dictionary<(int Left, int Right), Occurrences> pairs = [];

    // What counts were when they were put in; an entry that is out of date is put in again when its turn comes.
    private readonly PriorityQueue<(int Left, int Right), (long Count, int Left, int Right)> best =
        new(new MostFrequentFirst());

    private readonly HashSet<(int Left, int Right)> grown = [];

    /// <param name="pieces">Distinct pieces and how often each occurs.</param>
    /// <param name="byteIds">The symbol of each byte.</param>
    public PairCounts(IReadOnlyCollection<(byte[] Piece, long Count)> pieces, int[] byteIds)
    {
        int length = checked((int)pieces.Sum(piece => piece.Piece.Length + 1L));
        (symbols, next, previous, weights) = (new int[length], new int[length], new int[length], new long[length]);
        int at = 0;
        foreach (var (piece, count) in pieces)
        {
            for (int i = 0; i <= piece.Length; i++, at++)
                (symbols[at], next[at], previous[at], weights[at]) =
                    (i < piece.Length ? byteIds[piece[i]] : -1, i < piece.Length ? at + 1 : -1, i > 0 ? at - 1
                        : -1, count);
        }
        for (int i = 0; i + 1 < length; i++)
            if (symbols[i] >= 0 && symbols[i + 1] >= 0)
                Add(i, symbols[i], symbols[i + 1]);
        Announce();
    }

    /// <summary>
    /// The pair that occurs most often; of those that do equally often, the one with the smallest
    /// ids.
    /// </summary>
    /// <returns>Whether any occurs at least minCount times.</returns>
    public bool TryTakeBest(int minCount, out int left, out int right)
    {
        (left, right) = (-1, -1);
        while (best.TryDequeue(out var pair, out var then))
        {
            long count = pairs.TryGetValue(pair, out var occurrences) ? occurrences.Count : 0;
            if (count == then.Count && count >= minCount)
            {
                (left, right) = pair;
                return true;
            }
            if (count != then.Count && count >= minCount)
                best.Enqueue(pair, (count, pair.Left, pair.Right));
        }
        return false;
    }

    /// <summary>Makes one symbol of a pair wherever it occurs, from left to right.</summary>
    public void Merge(int left, int right, int merged)
    {
        pairs.Remove((left, right), out var occurrences);
        var positions = occurrences!.Positions;
        positions.Sort();
        foreach (int at in positions)
        {
            int second = next[at];
            if (symbols[at] != left || second < 0 || symbols[second] != right)
                continue;
            int before = previous[at], after = next[second];
            if (before >= 0)
                Remove(before, symbols[before], left);
            if (symbols[after] >= 0)
                Remove(after, right, symbols[after]);
            (symbols[at], symbols[second]) = (merged, -1);
            (next[at], previous[after]) = (after, at);
            if (before >= 0)
                Add(before, symbols[before], merged);
            if (symbols[after] >= 0)
                Add(at, merged, symbols[after]);
        }
        Announce();
    }

    private void Add(int at, int left, int right)
    {
        ref var occurrences = ref CollectionsMarshal.GetValueRefOrAddDefault(pairs, (left, right), out _);
        occurrences ??= new Occurrences();
        occurrences.Count += weights[at];
        occurrences.Positions.Add(at);
        grown.Add((left, right));
    }

    /// <summary>
    /// Removes one occurrence; its position stays in the list and is skipped later.
    /// </summary>
    private void Remove(int at, int left, int right)
    {
        if (pairs.TryGetValue((left, right), out var occurrences)) // the pair that is being merged is not
            occurrences.Count -= weights[at];
    }

    private void Announce()
    {
        foreach (var pair in grown)
            best.Enqueue(pair, (pairs[pair].Count, pair.Left, pair.Right));
        grown.Clear();
    }

    private sealed class Occurrences
    {
        public long Count { get; set; }

        public List<int> Positions { get; } = [];
    }

    private sealed class MostFrequentFirst : IComparer<(long Count, int Left, int Right)>
    {
        public int Compare((long Count, int Left, int Right) x, (long Count, int Left, int Right) y)
        {
            int order = y.Count.CompareTo(x.Count);
            if (order == 0)
                order = x.Left.CompareTo(y.Left);
            return order == 0 ? x.Right.CompareTo(y.Right) : order;
        }
    }
}
