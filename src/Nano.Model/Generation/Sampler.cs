namespace Nano;

/// <summary>How the next token is chosen.</summary>
public sealed record SamplerOptions
{
    /// <summary>Divides the logits; 0 takes the most likely token.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Only this many of the most likely tokens are considered; 0 for all.</summary>
    public int TopK { get; init; } = 200;

    /// <summary>Only the smallest set of most likely tokens whose probabilities reach this sum; 1 for all (Holtzman et al., 2019).</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Seed of the draws; position i of a text draws from (seed, i).</summary>
    public ulong Seed { get; init; } = 1337;

    /// <exception cref="NanoException">A value is out of range.</exception>
    public void Validate()
    {
        if (!(Temperature >= 0) || double.IsInfinity(Temperature))
            throw new NanoException($"the temperature must be 0 or more, got {Temperature}");
        if (TopK < 0)
            throw new NanoException($"top-k must be 0 (all) or more, got {TopK}");
        if (!(TopP is > 0 and <= 1))
            throw new NanoException($"top-p must be above 0 and at most 1, got {TopP}");
    }
}

/// <summary>Draws tokens from logits. A draw is a pure function of logits, options and position.</summary>
public sealed class Sampler(SamplerOptions options)
{
    private ulong[] keys = [];
    private int[] order = [];
    private double[] weights = [];

    /// <summary>The id of the next token.</summary>
    /// <exception cref="NanoException">A logit is NaN or positive infinity, which no probability can be made of; the message names its token.</exception>
    public int Next(ReadOnlySpan<float> logits, long position)
    {
        for (int i = 0; i < logits.Length; i++)
            if (!(logits[i] < float.PositiveInfinity))
                throw new NanoException($"the model's logit for token {i} is {logits[i]}, not a number to choose by", "the weights are damaged or their training diverged; use another checkpoint");
        if (options.Temperature == 0)
            return ArgMax(logits);
        int count = Rank(logits);
        if (options.TopK > 0)
            count = Math.Min(count, options.TopK);
        double total = 0, max = logits[order[0]];
        for (int i = 0; i < count; i++)
            total += weights[i] = Math.Exp((logits[order[i]] - max) / options.Temperature);
        if (options.TopP < 1)
            (count, total) = Nucleus(count, total);
        double target = Philox.Uniform(options.Seed, 0, (ulong)position) * total;
        for (int i = 0; i < count - 1; i++)
            if ((target -= weights[i]) < 0)
                return order[i];
        return order[count - 1];
    }

    /// <summary>The index of the largest logit, the first of equals.</summary>
    public static int ArgMax(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best])
                best = i;
        return best;
    }

    /// <summary>Orders ids by falling logit, equal ones by rising id; returns how many there are.</summary>
    private int Rank(ReadOnlySpan<float> logits)
    {
        if (keys.Length != logits.Length)
            (keys, order, weights) = (new ulong[logits.Length], new int[logits.Length], new double[logits.Length]);
        for (int i = 0; i < logits.Length; i++)
        {
            // Float bits in an order that integers share (all bits flipped when negative, else the sign bit), then upside down.
            // Adding 0 makes both zeros the same.
            uint bits = BitConverter.SingleToUInt32Bits(logits[i] + 0f);
            uint rising = (bits >> 31) != 0 ? ~bits : bits | 0x80000000;
            keys[i] = ((ulong)~rising << 32) | (uint)i;
        }
        Array.Sort(keys);
        for (int i = 0; i < keys.Length; i++)
            order[i] = (int)(uint)keys[i];
        return order.Length;
    }

    private (int Count, double Total) Nucleus(int count, double total)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
            if ((sum += weights[i]) >= options.TopP * total)
                return (i + 1, sum);
        return (count, sum);
    }
}
