namespace Nano;

/// <summary>
/// The bias by which experts are chosen (DeepSeek-AI, "DeepSeek-V3", 2024, after Wang et al., "Auxiliary-Loss-Free Load
/// Balancing", 2024). It has no gradient: after a step it rises for experts that fewer tokens chose than the mean, and
/// falls for those that more did. Counts are whole numbers, so that it depends on no order of summation.
/// </summary>
public static class RouterBias
{
    /// <summary>bias += rate * sign(mean load - load).</summary>
    /// <param name="loads">Tokens of each expert in the step, [E].</param>
    /// <param name="bias">[E]</param>
    /// <param name="rate">The change of a bias in a step.</param>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static void Update(ReadOnlySpan<long> loads, Span<float> bias, float rate)
    {
        if (loads.Length != bias.Length)
            throw new ArgumentException($"router bias: loads of {loads.Length} experts for {bias.Length} numbers");
        Int128 sum = 0;
        foreach (long load in loads)
            sum += load;
        for (int e = 0; e < bias.Length; e++)
            bias[e] += rate * Int128.Sign(sum - ((Int128)loads[e] * bias.Length));
    }
}
