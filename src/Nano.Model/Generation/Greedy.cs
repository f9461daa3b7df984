namespace Nano;

/// <summary>The likeliest text, token by token, of any model that gives logits.</summary>
internal static class Greedy
{
    /// <summary>Writes tokens; each is a step of the compute.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="written">What has been written, at least one token.</param>
    /// <param name="count">The most tokens to write.</param>
    /// <param name="logits">Logits [1, T, V] behind ids [1, T]: first all that has been written, then the last
    /// token.</param>
    /// <param name="end">The id behind which nothing more is written, or null.</param>
    public static List<int> Write(Compute c, ReadOnlySpan<int> written, int count, Func<Tensor, Tensor> logits,
        int? end = null)
    {
        List<int> made = [];
        int[] next = written.ToArray();
        while (made.Count < count && (made.Count == 0 || made[^1] != end))
        {
            c.NextStep();
            var rows = logits(Tensor.FromIds(new Shape(1, next.Length), next));
            made.Add(Sampler.ArgMax(rows.Data[^rows.Shape.Columns..]));
            next = [made[^1]];
        }
        return made;
    }

    /// <summary>Writes about a memory, which is computed once, and through a cache.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="written">What has been written, at least one token.</param>
    /// <param name="count">The most tokens to write.</param>
    /// <param name="end">The id behind which nothing more is written, or null.</param>
    /// <param name="channels">Channels of the decoder's own keys.</param>
    /// <param name="remember">Keys and values of the memory for each block of the decoder.</param>
    /// <param name="decode">Logits [1, T, V] behind new ids [1, T], which extend the cache.</param>
    public static List<int> WriteAbout(Compute c, ReadOnlySpan<int> written, int count, int? end, int channels,
        Func<List<(Tensor K, Tensor V)>> remember,
        Func<Tensor, IReadOnlyList<(Tensor K, Tensor V)>, KvCache, Tensor> decode)
    {
        using var kept = new Arena(); // the memory outlives the steps of the compute
        c.NextStep();
        var memory = remember().ConvertAll(pair => (pair.K.CopyTo(kept), pair.V.CopyTo(kept)));
        using var cache = new KvCache(memory.Count, written.Length + count, channels);
        return Write(c, written, count, ids => decode(ids, memory, cache), end);
    }
}
