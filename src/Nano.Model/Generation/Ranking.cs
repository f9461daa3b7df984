namespace Nano;

/// <summary>
/// Ids by falling score, equal ones by rising id, as far as they are needed. The first few hundred
/// of fifty thousand are found in one pass that retains the best so far; only a request for a large
/// part of them sorts all.
/// </summary>
internal sealed class Ranking
{
    /// <summary>
    /// Below this fraction (1 / 8) of all ids, selecting the best in one pass is faster than a full
    /// sort.
    /// </summary>
    private const int PartWorthSelecting = 8;

    private ulong[] keys = [];

    /// <summary>Number of ids in order.</summary>
    public int Count { get; private set; }

    /// <summary>The id in place i, below <see cref="Count"/>.</summary>
    public int this[int i] => (int)(uint)keys[i];

    /// <summary>Puts the first n ids in order, n at most the number of scores. No score may be NaN.</summary>
    public void Rank(ReadOnlySpan<float> scores, int n)
    {
        if (keys.Length < scores.Length)
            keys = new ulong[scores.Length];
        Count = n <= scores.Length / PartWorthSelecting ? Select(scores, n) : SortAll(scores);
    }

    private int SortAll(ReadOnlySpan<float> scores)
    {
        for (int i = 0; i < scores.Length; i++)
            keys[i] = Key(scores[i], i);
        keys.AsSpan(0, scores.Length).Sort();
        return scores.Length;
    }

    /// <summary>
    /// Collects scores above the n-th best of those seen so far; when 2n have come together, only
    /// the best n stay.
    /// </summary>
    private int Select(ReadOnlySpan<float> scores, int n)
    {
        if (n == 0)
            return 0;
        int held = 0;
        float bound = float.NaN; // nothing is below or at NaN, so at first everything is taken
        for (int i = 0; i < scores.Length; i++)
        {
            if (scores[i] <= bound) // an equal score with a higher id comes later in the order
                continue;
            keys[held++] = Key(scores[i], i);
            if (held < 2 * n)
                continue;
            keys.AsSpan(0, held).Sort();
            held = n;
            bound = scores[this[n - 1]];
        }
        keys.AsSpan(0, held).Sort();
        return n;
    }

    /// <summary>
    /// Float bits in an order that integers share (all bits flipped when negative, else the sign
    /// bit), upside down, then the id. Adding 0 makes both zeros the same.
    /// </summary>
    private static ulong Key(float score, int id)
    {
        uint bits = BitConverter.SingleToUInt32Bits(score + 0f);
        uint rising = (bits >> 31) != 0 ? ~bits : bits | 0x80000000;
        return ((ulong)~rising << 32) | (uint)id;
    }
}
