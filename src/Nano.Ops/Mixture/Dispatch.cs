namespace Nano;

/// <summary>
/// The order in which experts see tokens: choices [n, k] of a router, sorted by expert and then by token (a counting
/// sort). A token's k rows are always added in order of the experts' numbers, so that its bits depend on no other.
/// <code>
/// rows = SelectRows(x, Tokens), an expert makes z of its rows, y = sum over a token's rows of w z
/// </code>
/// </summary>
public sealed class Dispatch
{
    private readonly int[] starts; // [E + 1], the first row of each expert

    /// <summary>Sorts choices [n, k] of E experts.</summary>
    /// <exception cref="ArgumentException">An expert is not below E.</exception>
    public Dispatch(Compute compute, Tensor experts, int count)
    {
        var chosen = experts.Ids;
        int k = experts.Shape[1];
        starts = new int[count + 1];
        for (int slot = 0; slot < chosen.Length; slot++)
        {
            int e = compute.OnlyPlans ? slot % count : chosen[slot]; // planned: evenly, as a trained router chooses
            if ((uint)e >= (uint)count)
                throw new ArgumentException($"dispatch: expert {e} of {count}");
            starts[e + 1]++;
        }
        for (int e = 0; e < count; e++)
            starts[e + 1] += starts[e];
        Tokens = compute.New(new Shape(chosen.Length), DType.Int32);
        Slots = compute.New(new Shape(chosen.Length), DType.Int32);
        if (compute.OnlyPlans)
            return;
        int[] next = starts[..count];
        for (int slot = 0; slot < chosen.Length; slot++)
        {
            int row = next[chosen[slot]]++;
            (Tokens.Ids[row], Slots.Ids[row]) = (slot / k, slot);
        }
    }

    /// <summary>The token of each row [n k].</summary>
    public Tensor Tokens { get; }

    /// <summary>The number of tokens of each expert.</summary>
    public IEnumerable<int> Loads => starts.Zip(starts.Skip(1), (start, end) => end - start);

    /// <summary>The place of each row in the choices [n k].</summary>
    public Tensor Slots { get; }

    /// <summary>The rows of an expert.</summary>
    public (int Start, int Count) Of(int expert) => (starts[expert], starts[expert + 1] - starts[expert]);

    /// <summary>
    /// For each token the sum of what experts made of it, weighed: z [n k, C] in the order of experts and weights
    /// [n, k] give [n, C].
    /// </summary>
    /// <exception cref="ArgumentException">z or the weights do not fit the order.</exception>
    public Tensor Combine(Compute compute, Tensor z, Tensor weights)
    {
        int slots = (int)Slots.Length;
        if (z.Shape.Rows != slots || weights.Length != slots || weights.Shape.Rank != 2)
            throw new ArgumentException($"combine: z {z} and weights {weights} do not fit {slots} rows of experts");
        var ofRows = compute.SelectRows(weights.Reshape(new Shape(slots, 1)), Slots); // [n k, 1]
        return compute.ScatterAdd(compute.Multiply(z, ofRows), Tokens, 0, weights.Shape[0]);
    }
}
