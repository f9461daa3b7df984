namespace Nano;

/// <summary>Attention as methods of <see cref="Compute"/>.</summary>
public static class AttentionExtensions
{
    /// <summary>
    /// Attention of queries q [B, Tq, H * D] to keys k [B, Tk, KV * D] and values v [B, Tk, KV * Dv].
    /// Row views are fine.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="options">Heads, scale, mask, and changes of the scores.</param>
    /// <returns>[B, Tq, H * Dv].</returns>
    /// <exception cref="ArgumentException">The shapes or the options do not fit.</exception>
    public static Tensor Attention(this Compute compute, Tensor q, Tensor k, Tensor v, in AttentionOptions options)
    {
        AttentionChecks.Check(compute, q, k, v, options);
        var segments = options.Segments;
        int keys = segments?.Longest ?? k.Shape[1], queries = segments is null ? q.Shape[1] : keys;
        // With segments, the sizes are those of the longest, as often as the rows are a multiple of it.
        int batch = segments is null ? q.Shape[0] : segments.Rows / Math.Max(1, keys);
        var sizes = Sizes(compute, options, batch, queries, keys, q.Shape[2] / options.Heads,
            v.Shape[2] / options.KeyHeads);
        var (bias, logSumExp, y) = Run(compute, q, CacheRows.Of(k), CacheRows.Of(v), sizes, options);
        compute.Record(new AttentionOp(q, k, v, options, sizes, bias, logSumExp, y));
        return y;
    }

    /// <summary>
    /// Causal attention: <see cref="Attention"/> with the options that most decoders need. The last
    /// query sees the last key.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="heads">H, query heads.</param>
    /// <param name="keyHeads">KV, key and value heads; divides H.</param>
    /// <param name="scale">See <see cref="AttentionOptions.Scale"/>.</param>
    /// <param name="window">See <see cref="AttentionOptions.Window"/>.</param>
    /// <param name="segments">See <see cref="AttentionOptions.Segments"/>.</param>
    /// <returns>[B, Tq, H * Dv].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor CausalAttention(this Compute compute, Tensor q, Tensor k, Tensor v, int heads,
        int keyHeads, float scale = 0, int window = 0, Segments? segments = null) =>
        compute.Attention(q, k, v,
            new AttentionOptions(heads, keyHeads) { Scale = scale, Window = window, Segments = segments });

    /// <summary>
    /// Attention of the last tokens q [1, Tq, H * D] of a text to all keys and values so far, which a cache holds in
    /// fewer bits from some row on; no gradient follows it.
    /// </summary>
    internal static Tensor CachedAttention(this Compute compute, Tensor q, CacheTable k, CacheTable v, int first,
        int keys, int valueDim, in AttentionOptions options)
    {
        var sizes = Sizes(compute, options, 1, q.Shape[1], keys, q.Shape[2] / options.Heads, valueDim);
        var (_, _, y) = Run(compute, q, k.From(first), v.From(first), sizes, options);
        GC.KeepAlive(q);
        GC.KeepAlive(k);
        GC.KeepAlive(v);
        return y;
    }

    private static AttentionSizes Sizes(Compute compute, in AttentionOptions options, int batch, int queries, int keys,
        int headDim, int valueDim) =>
        AttentionSizes.Of(batch, queries, keys, options.Heads, options.KeyHeads, headDim, valueDim,
            options.Scale == 0 ? (float)(1 / Math.Sqrt(headDim)) : options.Scale, compute.Width)
            .Masked(options.IsCausal, options.Window, options.Sinks);

    /// <summary>
    /// The biases by distance, the log of each row's normaliser (of segments, [H, length] of each in
    /// turn), and the output.
    /// </summary>
    private static (Tensor? Bias, Tensor LogSumExp, Tensor Y) Run(Compute compute, Tensor q, CacheRows k, CacheRows v,
        AttentionSizes sizes, in AttentionOptions options)
    {
        bool isStep = options.Segments is null && sizes.Queries <= AttentionSizes.StepQueries;
        var bias = Bias(compute, sizes, options, isStep);
        var logSumExp = compute.NewStatistic(new Shape(q.Shape[0], sizes.Heads, q.Shape[1]));
        var y = compute.New(new Shape(q.Shape[0], q.Shape[1], sizes.Heads * sizes.ValueDim));
        var call = new Call(compute, q, k, v, sizes, options, bias, isStep, logSumExp, y);
        switch (options.SoftCap > 0, bias is not null)
        {
            case (false, false): call.Run<PlainScores>(); break;
            case (true, false): call.Run<CappedScores>(); break;
            case (false, true): call.Run<BiasedScores>(); break;
            default: call.Run<CappedBiasedScores>(); break;
        }
        // The backward pass walks along queries.
        return (isStep && bias is not null && compute.Differentiates ? Bias(compute, sizes, options, false) : bias,
            logSumExp, y);
    }

    /// <summary>The arguments of a forward pass, whatever the changes of scores.</summary>
    private readonly record struct Call(Compute Compute, Tensor Q, CacheRows K, CacheRows V, AttentionSizes Sizes,
        AttentionOptions Options, Tensor? Bias, bool IsStep, Tensor LogSumExp, Tensor Y)
    {
        public unsafe void Run<R>() where R : unmanaged, IScoreRule
        {
            var terms = AttentionOp.Terms(Options, Sizes, Bias, IsStep);
            if (IsStep)
            {
                Compute.For(Sizes.Batch * Sizes.KeyHeads, 1, AttentionStep<R>.ScratchFloats(Sizes),
                    new AttentionStep<R>(Sizes, terms, Rows.Of(Q), K, V, LogSumExp.Pointer, Y.Pointer));
                return;
            }
            int parts = Sizes.Parts(Compute.Threads);
            var kernel = new AttentionForward<R>(Sizes, terms, parts, Rows.Of(Q), K, V, LogSumExp.Pointer, Y.Pointer);
            AttentionOp.Run(Compute, kernel, Options.Segments, Sizes, parts, AttentionForward<R>.ScratchFloats(Sizes));
        }
    }

    /// <summary>The biases of every head and distance; null if there are none.</summary>
    private static unsafe Tensor? Bias(Compute compute, AttentionSizes sizes, in AttentionOptions options,
        bool alongKeys)
    {
        var (slopes, relative) = (options.Slopes, options.RelativeBias);
        if (slopes is null && relative is null)
            return null;
        var bias = compute.New(new Shape(sizes.Heads, DistanceBias.Stride(sizes)));
        compute.For(sizes.Heads, 1, 0, new DistanceBias(sizes, alongKeys, slopes is null ? null : slopes.Pointer,
            relative is null ? default : Rows.Of(relative.Table), relative is null ? null : relative.Buckets.IdPointer,
            relative?.MaxDistance ?? 0, bias.Pointer));
        return bias;
    }
}
