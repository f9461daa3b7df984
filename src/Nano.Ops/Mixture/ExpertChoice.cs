namespace Nano;

/// <summary>
/// Routing in which experts choose (Zhou et al., "Mixture-of-Experts with Expert Choice Routing", 2022): of scores
/// [n, E] each expert takes the tokens of its highest ones, of equals the first, so that all have as many; a token may
/// have any number of experts. Which it has depends on all tokens of the batch, those behind it included: a model of
/// such layers is not causal.
/// <code>
/// rows = SelectRows(x, Tokens), an expert makes z of its rows, y = sum over a token's rows of score z
/// </code>
/// The choice has no gradient; those of the scores are gathered with them.
/// </summary>
public sealed class ExpertChoice
{
    /// <summary>Lets each expert take this many tokens.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="scores">[n, E]</param>
    /// <param name="taken">Tokens of each expert.</param>
    /// <exception cref="ArgumentException">There are fewer tokens.</exception>
    public ExpertChoice(Compute compute, Tensor scores, int taken)
    {
        int n = scores.Shape[0], E = scores.Shape.Rank == 2 ? scores.Shape[1] : 0;
        if (E == 0 || taken < 0 || taken > n)
            throw new ArgumentException($"expert choice: {taken} tokens for each expert do not fit scores {scores}");
        Taken = taken;
        Tokens = compute.New(new Shape(E * taken), DType.Int32);
        Places = compute.New(new Shape(E * taken), DType.Int32);
        int[] order = new int[n];
        float[] keys = new float[n];
        for (int e = 0; e < E && !compute.OnlyPlans; e++)
        {
            for (int token = 0; token < n; token++)
                (order[token], keys[token]) = (token, scores.Data[(token * E) + e]);
            Array.Sort(order, (a, b) => keys[b].CompareTo(keys[a]) is var by and not 0 ? by : a.CompareTo(b));
            Array.Sort(order, 0, taken);
            for (int i = 0; i < taken; i++)
                (Tokens.Ids[(e * taken) + i], Places.Ids[(e * taken) + i]) = (order[i], (order[i] * E) + e);
        }
        if (compute.OnlyPlans) // planned: any tokens
            for (int i = 0; i < E * taken; i++)
                (Tokens.Ids[i], Places.Ids[i]) = (i % Math.Max(1, n), i);
    }

    /// <summary>Tokens of each expert.</summary>
    public int Taken { get; }

    /// <summary>The token of each row, [E taken]: expert after expert, and of each in order.</summary>
    public Tensor Tokens { get; }

    /// <summary>The place of each row's score in [n, E].</summary>
    public Tensor Places { get; }

    /// <summary>
    /// For each token the sum of what experts made of it, weighed by the scores [n, E]: z [E taken, C] gives [n, C].
    /// </summary>
    /// <exception cref="ArgumentException">z does not fit.</exception>
    public Tensor Combine(Compute compute, Tensor z, Tensor scores)
    {
        if (z.Shape.Rows != Tokens.Length)
            throw new ArgumentException($"expert choice: z {z} does not fit {Tokens.Length} rows of experts");
        var weights = compute.SelectRows(scores.Reshape(new Shape((int)scores.Length, 1)), Places); // [E taken, 1]
        return compute.ScatterAdd(compute.Multiply(z, weights), Tokens, 0, scores.Shape[0]);
    }
}
