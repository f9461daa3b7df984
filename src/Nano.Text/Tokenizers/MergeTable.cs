using System.Numerics;

namespace Nano;

/// <summary>
/// One rule of byte-pair encoding: two neighbours become one token. The lowest rank goes first;
/// equal ranks from left to right.
/// </summary>
internal readonly record struct Merge(int Left, int Right, int Rank, int Id);

/// <summary>Finds the rule for two neighbours.</summary>
internal sealed class MergeTable
{
    /// <summary>The rank of neighbours that do not merge.</summary>
    public const int None = int.MaxValue;

    private const ulong Free = ulong.MaxValue;

    private readonly ulong[] keys;
    private readonly (int Rank, int Id)[] values;
    private readonly int shift;

    /// <param name="merges">Ranks are not negative; of several rules for the same neighbours the first counts.</param>
    public MergeTable(IReadOnlyCollection<Merge> merges)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, merges.Count * 3L / 2));
        shift = 64 - BitOperations.Log2((uint)size);
        keys = new ulong[size];
        values = new (int, int)[size];
        Array.Fill(keys, Free);
        foreach (var merge in merges)
        {
            int at = Slot(Key(merge.Left, merge.Right));
            if (keys[at] != Free)
                continue;
            keys[at] = Key(merge.Left, merge.Right);
            values[at] = (merge.Rank, merge.Id);
            RankCount = Math.Max(RankCount, merge.Rank + 1);
        }
    }

    /// <summary>One more than the highest rank.</summary>
    public int RankCount { get; }

    /// <summary>
    /// The rank of the rule for two neighbours, or <see cref="None"/>, and what they become.
    /// Negative symbols never merge.
    /// </summary>
    public int Find(int left, int right, out int id)
    {
        id = -1;
        if ((left | right) < 0)
            return None;
        int at = Slot(Key(left, right));
        if (keys[at] == Free)
            return None;
        (int rank, id) = values[at];
        return rank;
    }

    /// <summary>All rules by rank; of equal ranks, by their parts.</summary>
    public IEnumerable<Merge> InOrder() => keys.Zip(values).Where(of => of.First != Free)
        .Select(of => new Merge((int)(of.First >> 32), (int)of.First, of.Second.Rank, of.Second.Id))
        .OrderBy(merge => merge.Rank).ThenBy(merge => merge.Left).ThenBy(merge => merge.Right);

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong key)
    {
        int at = (int)((key * 0x9E3779B97F4A7C15) >> shift);
        while (keys[at] != key && keys[at] != Free)
            at = (at + 1) & (keys.Length - 1);
        return at;
    }
}
