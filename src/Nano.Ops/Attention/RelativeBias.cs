namespace Nano;

/// <summary>
/// A learned bias of each head for each bucket of distances r = key - query (Raffel et al.,
/// "Exploring the Limits of Transfer Learning", 2019). Short distances have a bucket each; longer
/// ones share buckets whose widths grow with the logarithm. Layers may share a table: its gradient
/// is the sum of theirs.
/// </summary>
public sealed class RelativeBias
{
    /// <param name="table">[buckets, H].</param>
    /// <param name="isBidirectional">Whether keys behind the query have buckets of their own.</param>
    /// <param name="maxDistance">The distance from which on all share the last bucket.</param>
    /// <exception cref="ArgumentException">The table or the distance does not fit.</exception>
    public RelativeBias(Tensor table, bool isBidirectional, int maxDistance)
    {
        if (table.Shape.Rank != 2)
            throw new ArgumentException($"relative bias: the table is [buckets, H], got {table}");
        (Table, MaxDistance) = (table, maxDistance);
        var buckets = new int[(2 * maxDistance) + 1];
        for (int i = 0; i < buckets.Length; i++)
            buckets[i] = Bucket(i - maxDistance, table.Shape[0], isBidirectional, maxDistance);
        Buckets = Tensor.FromIds(new Shape(buckets.Length), buckets);
    }

    /// <summary>[buckets, H].</summary>
    public Tensor Table { get; }

    /// <summary>The distance from which on all share the last bucket.</summary>
    public int MaxDistance { get; }

    /// <summary>The buckets of the distances from -MaxDistance to MaxDistance, ids.</summary>
    internal Tensor Buckets { get; }

    /// <summary>
    /// The bucket of a distance r = key - query. Both directions: the upper half is for r &gt; 0. One
    /// direction: r &gt; 0 counts as 0. Of n buckets for a side the first e = n / 2 have one distance
    /// d = |r| each; then min(n - 1, e + floor(ln(d / e) / ln(maxDistance / e) (n - e))).
    /// </summary>
    /// <exception cref="ArgumentException">There are too few buckets, or the largest distance is among the short
    /// ones.</exception>
    public static int Bucket(int distance, int buckets, bool isBidirectional, int maxDistance)
    {
        int side = isBidirectional ? buckets / 2 : buckets, exact = side / 2;
        if (exact < 1 || maxDistance <= exact || maxDistance > MostDistance)
            throw new ArgumentException(
                $"relative bias: {buckets} buckets for {(isBidirectional ? "both directions" : "one direction")} and a "
                + $"largest distance of {maxDistance} do not fit; wanted at least 2 a side, and a distance from "
                + $"{exact + 1} to {MostDistance}");
        int first = isBidirectional && distance > 0 ? side : 0;
        long d = isBidirectional ? Math.Abs((long)distance) : Math.Max(-(long)distance, 0);
        if (d < exact)
            return first + (int)d;
        double steps = Math.Log((double)d / exact) / Math.Log((double)maxDistance / exact) * (side - exact);
        return first + Math.Min(side - 1, exact + (int)Math.Floor(Math.Min(steps, side)));
    }

    private const int MostDistance = 1 << 24;
}
