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
}
