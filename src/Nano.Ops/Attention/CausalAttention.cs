namespace Nano;

/// <summary>
/// Causal attention with online softmax (Dao et al., "FlashAttention", 2022; Milakov and
/// Gimelshein, 2018). Per query i and head: s_j = scale q_i . k_j for keys j &lt;= i + Tk - Tq, p =
/// softmax(s), o_i = sum_j p_j v_j. Heads share keys and values in groups: query head h uses key
/// head h / (H / KV). With a window w, query i sees keys j &gt; i + Tk - Tq - w only (Beltagy et
/// al., "Longformer", 2020). No T x T matrix exists: keys are visited in blocks, and only the log
/// of each row's normaliser, L_i = log sum_j exp(s_j), is retained for the backward pass. With
/// segments
/// (packed documents), each is a problem of its own size whose blocks of keys are counted from its
/// own start.
/// <para>
/// Backward, with p_ij = exp(s_ij - L_i) computed again: from o = p v, dv_j = sum_i p_ij do_i and
/// dp_ij = do_i . v_j; through the softmax, ds_ij = p_ij (dp_ij - sum_l p_il dp_il), and that sum
/// is do_i . o_i =: delta_i; from s = scale q k, dq_i = scale sum_j ds_ij k_j and dk_j = scale
/// sum_i ds_ij q_i.
/// </para>
/// </summary>
internal readonly record struct CausalAttentionOp(Tensor Q, Tensor K, Tensor V, int Heads, int KeyHeads, float Scale,
    int Window, Segments? Segments, Tensor LogSumExp, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Q.WantsGradient || K.WantsGradient || V.WantsGradient;

    public Work ForwardWork => Work.Of("attention forward", 2 * ProductFlops, Q, K, V, Y, LogSumExp);

    public Work? BackwardWork =>
        Work.Of("attention backward", (Wants.Queries, Wants.Keys) switch
        {
            (true, true) => 5,
            (true, false) => 3,
            _ => 4
        } * ProductFlops, Q, K, V, Y, Y, LogSumExp, Q, K, V);

    /// <summary>
    /// Operations of one product over the pairs of a query and a key that it sees. Forward has two
    /// such products, backward five; the softmax is not counted.
    /// </summary>
    private double ProductFlops
    {
        get
        {
            double pairs = 0; // of one head
            if (Segments is null)
                pairs = Q.Shape[0] * Pairs(Q.Shape[1], K.Shape[1], Window);
            for (int i = 0; i < (Segments?.Count ?? 0); i++)
                pairs += Pairs(Segments!.LengthOf(i), Segments.LengthOf(i), Window);
            return 2.0 * Q.Shape[2] * pairs;

            static double Pairs(int queries, int keys, int window)
            {
                int earlier = keys - queries;
                window = window == 0 ? keys : window;
                return Triangle(keys) - Triangle(earlier) - Triangle(keys - window) + Triangle(earlier - window);
            }

            static double Triangle(double n) => n < 0 ? 0 : n * (n + 1) / 2;
        }
    }

    /// <summary>True, for queries and for keys and values, if they want a gradient.</summary>
    private (bool Queries, bool Keys) Wants => (Q.WantsGradient, K.WantsGradient || V.WantsGradient);

    public unsafe void Backward(Compute compute)
    {
        if (Q.Shape[1] != K.Shape[1])
            throw new InvalidOperationException(
                "attention: a cached step (fewer queries than keys) has no backward pass");
        // One thread owns a key head and the query heads that share it; views that overlap elsewhere would
        // have two owners.
        Overlap.RefusePartial("attention", Q, K);
        Overlap.RefusePartial("attention", Q, V);
        Overlap.RefusePartial("attention", K, V);
        var sizes = AttentionSizes.Of(Q, K, Heads, KeyHeads, Scale, Window, compute.Width, Segments);
        var (dq, dk, dv) = (Q.TargetIfWanted(compute), K.TargetIfWanted(compute), V.TargetIfWanted(compute));
        var kernel = new AttentionBackward(sizes, AttentionPass.Both, 1, Rows.Of(Q), Rows.Of(K), Rows.Of(V),
            LogSumExp.Pointer, Y.Pointer, Y.Gradient.Pointer, dq, dk, dv);
        if (Wants == (true, true) && !sizes.PaysToPassTwice(compute.Threads))
        {
            Run(compute, kernel, Segments, sizes, 1, AttentionBackward.ScratchFloats(sizes));
            return;
        }
        int parts = sizes.Parts(compute.Threads);
        if (Wants.Queries)
            Run(compute, kernel with { Pass = AttentionPass.Queries, Parts = parts }, Segments, sizes, parts,
                AttentionBackward.ScratchFloats(sizes));
        if (Wants.Keys)
            Run(compute, kernel with { Pass = AttentionPass.Keys, Parts = sizes.QueryBlocks }, Segments, sizes,
                sizes.QueryBlocks, AttentionBackward.ScratchFloats(sizes));
    }

    /// <summary>
    /// Runs a kernel with this many items of work per key head, over whole rows of the batch or
    /// over
    /// segments.
    /// </summary>
    internal static unsafe void Run<K>(Compute compute, in K kernel, Segments? segments, AttentionSizes sizes,
        int parts, long scratchFloats) where K : unmanaged, IAttentionKernel<K>
    {
        nint each = (nint)sizes.KeyHeads * parts;
        if (segments is null)
            compute.For(sizes.Batch * each, 1, scratchFloats, kernel);
        else
            compute.For(segments.Count * each, 1, scratchFloats,
                new AttentionSegments<K>(kernel, segments.Starts.IdPointer, each, scratchFloats));
    }
}

/// <summary>Causal attention as a method of <see cref="Compute"/>.</summary>
public static class CausalAttentionExtensions
{
    /// <summary>
    /// Causal attention. q [B, Tq, H * D], k and v [B, Tk, KV * D] with Tq &lt;= Tk; the last query
    /// sees the last key. Row views are fine.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="heads">H, query heads.</param>
    /// <param name="keyHeads">KV, key and value heads; divides H.</param>
    /// <param name="scale">Factor on the scores; 0 means 1 / sqrt(D).</param>
    /// <param name="window">The most keys that a query sees, the last of them its own; 0 for all
    /// before it.</param>
    /// <param name="segments">The documents within which rows see each other, with Tq = Tk; null
    /// for one document per entry of the batch.</param>
    /// <returns>[B, Tq, H * D].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor CausalAttention(this Compute compute, Tensor q, Tensor k, Tensor v, int heads,
        int keyHeads, float scale = 0, int window = 0, Segments? segments = null)
    {
        bool fits = heads > 0 && keyHeads > 0 && heads % keyHeads == 0 && q.Shape.Rank == 3 && k.Shape.Rank == 3
            && k.Shape == v.Shape && q.Shape[0] == k.Shape[0]
            && q.Shape[1] <= k.Shape[1] && q.Shape[2] % heads == 0 && k.Shape[2] % keyHeads == 0
            && q.Shape[2] / heads == k.Shape[2] / keyHeads;
        if (!fits)
            throw new ArgumentException(
                $"attention: q {q}, k {k}, v {v} with {heads} heads and {keyHeads} key heads do not fit; wanted [B, "
                + "Tq, H * D], [B, Tk, KV * D] twice, Tq <= Tk");
        if (!(scale >= 0))
            throw new ArgumentException($"attention: the scale must be positive, or 0 for 1 / sqrt(D); got {scale}");
        if (window < 0)
            throw new ArgumentException($"attention: the window must be positive, or 0 for all keys; got {window}");
        if (segments is not null && (q.Shape[1] != k.Shape[1] || q.Shape.Rows != segments.Rows))
            throw new ArgumentException($"attention: {segments} do not fit q {q} and k {k}");
        var sizes = AttentionSizes.Of(q, k, heads, keyHeads,
            scale == 0 ? (float)(1 / Math.Sqrt(q.Shape[2] / heads)) : scale, window, compute.Width, segments);
        var (logSumExp, y) = Run(compute, q, CacheRows.Of(k), CacheRows.Of(v), sizes, segments);
        compute.Record(new CausalAttentionOp(q, k, v, heads, keyHeads, sizes.Scale, window, segments, logSumExp, y));
        return y;
    }

    /// <summary>
    /// Attention of the last tokens q [1, Tq, H * D] of a text to all keys and values so far, which a cache holds in
    /// fewer bits from some row on; no gradient follows it.
    /// </summary>
    internal static Tensor CachedAttention(this Compute compute, Tensor q, CacheTable k, CacheTable v, int first,
        int keys, int heads, int keyHeads, int window)
    {
        int headDim = q.Shape[2] / heads;
        var sizes = AttentionSizes.Of(1, q.Shape[1], keys, heads, keyHeads, headDim, (float)(1 / Math.Sqrt(headDim)),
            window, compute.Width);
        var (_, y) = Run(compute, q, k.From(first), v.From(first), sizes, null);
        GC.KeepAlive(q);
        GC.KeepAlive(k);
        GC.KeepAlive(v);
        return y;
    }

    /// <summary>The log of each row's normaliser (of segments, [H, length] of each in turn), and the output.</summary>
    private static unsafe (Tensor LogSumExp, Tensor Y) Run(Compute compute, Tensor q, CacheRows k, CacheRows v,
        AttentionSizes sizes, Segments? segments)
    {
        var logSumExp = compute.NewStatistic(new Shape(q.Shape[0], sizes.Heads, q.Shape[1]));
        var y = compute.New(q.Shape);
        if (segments is null && sizes.Queries <= AttentionStep.MaxQueries)
            compute.For(sizes.Batch * sizes.KeyHeads, 1, AttentionStep.ScratchFloats(sizes),
                new AttentionStep(sizes, Rows.Of(q), k, v, logSumExp.Pointer, y.Pointer));
        else
        {
            int parts = sizes.Parts(compute.Threads);
            var kernel = new AttentionForward(sizes, parts, Rows.Of(q), k, v, logSumExp.Pointer, y.Pointer);
            CausalAttentionOp.Run(compute, kernel, segments, sizes, parts, AttentionForward.ScratchFloats(sizes));
        }
        return (logSumExp, y);
    }
}
