namespace Nano;

/// <summary>The checks of attention's tensors and options.</summary>
internal static class AttentionChecks
{
    /// <exception cref="ArgumentException">Something does not fit; the message names it.</exception>
    public static void Check(Compute compute, Tensor q, Tensor k, Tensor v, in AttentionOptions options)
    {
        var (heads, keyHeads) = options;
        bool fits = heads > 0 && keyHeads > 0 && heads % keyHeads == 0 && q.Shape.Rank == 3 && k.Shape.Rank == 3
            && v.Shape.Rank == 3 && k.Shape[0] == v.Shape[0] && k.Shape[1] == v.Shape[1] && q.Shape[0] == k.Shape[0]
            && (!options.IsCausal || q.Shape[1] <= k.Shape[1]) && q.Shape[2] % heads == 0
            && k.Shape[2] % keyHeads == 0 && v.Shape[2] % keyHeads == 0
            && q.Shape[2] / heads == k.Shape[2] / keyHeads;
        if (!fits)
            throw new ArgumentException(
                $"attention: q {q}, k {k}, v {v} with {heads} heads and {keyHeads} key heads do not fit; wanted [B, "
                + $"Tq, H * D], [B, Tk, KV * D], [B, Tk, KV * Dv]{(options.IsCausal ? ", Tq <= Tk" : "")}");
        CheckNumbers(options);
        CheckTensors(compute, q, k, options);
    }

    /// <summary>The checks of options alone.</summary>
    public static void CheckNumbers(in AttentionOptions options)
    {
        if (!(options.Scale >= 0))
            throw Wrong($"the scale must be positive, or 0 for 1 / sqrt(D); got {options.Scale}");
        if (options.Window < 0)
            throw Wrong($"the window must be positive, or 0 for all keys; got {options.Window}");
        if (options.Sinks < 0)
            throw Wrong($"the first keys that are always seen cannot be fewer than none; got {options.Sinks}");
        if (!(options.SoftCap >= 0) || float.IsInfinity(options.SoftCap))
            throw Wrong($"the cap must be positive, or 0 for none; got {options.SoftCap}");
        if (!options.IsCausal && (options.Window > 0 || options.Sinks > 0))
            throw Wrong($"a window ({options.Window}) and sinks ({options.Sinks}) are for causal attention");
        OfHeads("slopes", options.Slopes, options.Heads);
        OfHeads("learned sinks", options.LearnedSink, options.Heads);
        if (options.RelativeBias is { } bias && bias.Table.Shape[1] != options.Heads)
            throw Wrong($"the table of biases {bias.Table} is not [buckets, {options.Heads}]");
    }

    private static void CheckTensors(Compute compute, Tensor q, Tensor k, in AttentionOptions options)
    {
        if (options.Segments is { } segments)
        {
            if (q.Shape[1] != k.Shape[1] || q.Shape.Rows != segments.Rows)
                throw Wrong($"{segments} do not fit q {q} and k {k}");
            if (options.Lengths is not null || options.RelativeBias is not null)
                throw Wrong("segments have no lengths beside their own, and no table of biases");
        }
        if (options.Lengths is not { } lengths)
            return;
        if (lengths.Type != DType.Int32 || lengths.Length != k.Shape[0])
            throw Wrong($"the lengths {lengths} are not one whole number for each of k {k}");
        foreach (int length in compute.OnlyPlans ? [] : lengths.Ids)
            if (length < 0 || length > k.Shape[1])
                throw Wrong($"a length of {length} is not within k {k}");
    }

    private static void OfHeads(string what, Tensor? values, int heads)
    {
        if (values is not null && (values.Type != DType.Float32 || values.Length != heads))
            throw Wrong($"{what} {values} are not one for each of {heads} heads");
    }

    private static ArgumentException Wrong(string what) => new($"attention: {what}");
}
