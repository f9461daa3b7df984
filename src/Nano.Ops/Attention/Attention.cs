namespace Nano;

/// <summary>
/// Attention with online softmax (Dao et al., "FlashAttention", 2022; Milakov and Gimelshein, 2018).
/// Per query i and head: s_j = scale q_i . k_j for the keys j that i sees, p = softmax(s), o_i =
/// sum_j p_j v_j. Heads share keys and values in groups: query head h uses key head h / (H / KV). A
/// causal query sees keys j &lt;= i + Tk - Tq; with a window w keys j &gt; i + Tk - Tq - w only
/// (Beltagy et al., "Longformer", 2020). No T x T matrix exists: keys are visited in blocks, and only
/// the log of each row's normaliser, L_i = log sum_j exp(s_j), is retained for the backward pass.
/// With segments (packed documents), each is a problem of its own size whose blocks of keys are
/// counted from its own start.
/// <para>
/// Backward, with p_ij = exp(s_ij - L_i) computed again: from o = p v, dv_j = sum_i p_ij do_i and
/// dp_ij = do_i . v_j; through the softmax, ds_ij = p_ij (dp_ij - sum_l p_il dp_il), and that sum
/// is do_i . o_i =: delta_i; from s = scale q k, dq_i = scale sum_j ds_ij k_j and dk_j = scale
/// sum_i ds_ij q_i.
/// </para>
/// <para>
/// A cap makes s = c tanh(x / c) of x = scale q k: dx = ds (1 - tanh^2(x / c)). A bias is added
/// behind the cap: ds is its gradient, summed over the pairs of its bucket. A learned sink z is one
/// more score, exp(z) in the sum, without a value: dz = -sum_i exp(z - L_i) delta_i.
/// </para>
/// </summary>
internal readonly record struct AttentionOp(Tensor Q, Tensor K, Tensor V, AttentionOptions Options,
    AttentionSizes Sizes, Tensor? Bias, Tensor LogSumExp, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Q.WantsGradient || K.WantsGradient || V.WantsGradient
        || Table is { WantsGradient: true } || Options.LearnedSink is { WantsGradient: true };

    public Work ForwardWork => Work.Of("attention forward", KeyProduct + ValueProduct, Q, K, V, Y, LogSumExp);

    public Work? BackwardWork =>
        Work.Of("attention backward", Wants switch
        {
            (true, true) => (3 * KeyProduct) + (2 * ValueProduct),
            (true, false) => (2 * KeyProduct) + ValueProduct,
            (false, true) => 2 * (KeyProduct + ValueProduct),
            _ => 0
        }, Q, K, V, Y, Y, LogSumExp, Q, K, V);

    /// <summary>
    /// Operations of a product over the channels of keys, for all pairs of a query and a key that it
    /// sees. The softmax is not counted.
    /// </summary>
    private double KeyProduct => 2.0 * Sizes.Heads * Sizes.HeadDim * Pairs;

    /// <summary>Likewise over the channels of values.</summary>
    private double ValueProduct => 2.0 * Sizes.Heads * Sizes.ValueDim * Pairs;

    /// <summary>Pairs of a query and a key that it sees, of one head.</summary>
    private double Pairs
    {
        get
        {
            if (Options is { Lengths: null, Segments: null })
                return Sizes.Batch * Sizes.Pairs(Sizes.Keys);
            double pairs = 0;
            for (int i = 0; i < (Options.Segments?.Count ?? 0); i++)
                pairs += Sizes.ForSegment(Options.Segments!.LengthOf(i)).Pairs(Options.Segments.LengthOf(i));
            for (int i = 0; i < (Options.Lengths?.Length ?? 0); i++)
                pairs += Sizes.Pairs(Options.Lengths!.Ids[i]);
            return pairs;
        }
    }

    private Tensor? Table => Options.RelativeBias?.Table;

    /// <summary>True, for what is computed per query and per key, if a gradient of it is wanted.</summary>
    private (bool Queries, bool Keys) Wants => (Q.WantsGradient || Table is { WantsGradient: true },
        K.WantsGradient || V.WantsGradient);

    public void Backward(Compute compute)
    {
        if (Options.IsCausal && Q.Shape[1] != K.Shape[1])
            throw new InvalidOperationException(
                "attention: a cached step (fewer queries than keys) has no backward pass");
        // One thread owns a key head and the query heads that share it; views that overlap elsewhere would
        // have two owners.
        Overlap.RefusePartial("attention", Q, K);
        Overlap.RefusePartial("attention", Q, V);
        Overlap.RefusePartial("attention", K, V);
        switch (Options.SoftCap > 0, Bias is not null)
        {
            case (false, false): Backward<PlainScores>(compute); break;
            case (true, false): Backward<CappedScores>(compute); break;
            case (false, true): Backward<BiasedScores>(compute); break;
            default: Backward<CappedBiasedScores>(compute); break;
        }
        BackwardOfSink(compute);
    }

    private unsafe void Backward<R>(Compute compute) where R : unmanaged, IScoreRule
    {
        if (Wants is (false, false))
            return;
        var (dq, dk, dv) = (Q.TargetIfWanted(compute), K.TargetIfWanted(compute), V.TargetIfWanted(compute));
        var table = Table.TargetIfWanted(compute);
        float* sums = table.Pointer == null ? null : compute.New(new Shape(Sizes.Batch, Sizes.Heads, Sizes.QueryBlocks,
            DistanceBiasBackward.Stride(Sizes))).Pointer;
        var kernel = new AttentionBackward<R>(Sizes, Terms(Options, Sizes, Bias, false), AttentionPass.Both, 1,
            Rows.Of(Q), Rows.Of(K), Rows.Of(V), LogSumExp.Pointer, Y.Pointer, Y.Gradient.Pointer, dq, dk, dv)
        { DistanceSums = sums };
        long scratch = AttentionBackward<R>.ScratchFloats(Sizes);
        int parts = Sizes.Parts(compute.Threads);
        if (Wants == (true, true) && !Sizes.PaysToPassTwice(compute.Threads))
            Run(compute, kernel, Options.Segments, Sizes, 1, scratch);
        else
        {
            if (Wants.Queries)
                Run(compute, kernel with { Pass = AttentionPass.Queries, Parts = parts }, Options.Segments, Sizes,
                    parts, scratch);
            if (Wants.Keys)
                Run(compute, kernel with { Pass = AttentionPass.Keys, Parts = Sizes.KeyBlocks }, Options.Segments,
                    Sizes, Sizes.KeyBlocks, scratch);
        }
        if (Options.RelativeBias is { } bias && table.Pointer != null)
            compute.For(Sizes.Heads, 1, DistanceBiasBackward.ScratchFloats(bias.Table.Shape[0]),
                new DistanceBiasBackward(Sizes, sums, bias.Buckets.IdPointer, bias.MaxDistance, bias.Table.Shape[0],
                    table, bias.Table.RowStride));
    }

    private unsafe void BackwardOfSink(Compute compute)
    {
        var target = Options.LearnedSink.TargetIfWanted(compute);
        if (target.Pointer == null)
            return;
        var segments = Options.Segments;
        compute.For(Sizes.Heads, 1, 0, new SinkBackward(Sizes.Heads, Sizes.ValueDim, segments?.Count ?? Sizes.Batch,
            Sizes.Queries, segments is null ? null : segments.Starts.IdPointer, Options.LearnedSink!.Pointer,
            LogSumExp.Pointer, Y.Pointer, Y.Gradient.Pointer, target));
    }

    /// <summary>The further inputs of kernels, with biases in the order of their lanes.</summary>
    internal static unsafe ScoreTerms Terms(in AttentionOptions options, AttentionSizes sizes, Tensor? bias,
        bool alongKeys) =>
        new(options.Lengths is null ? null : options.Lengths.IdPointer,
            options.LearnedSink is null ? null : options.LearnedSink.Pointer, options.SoftCap,
            bias is null ? null : bias.Pointer + DistanceBias.Origin(sizes, alongKeys), DistanceBias.Stride(sizes));

    /// <summary>
    /// Runs a kernel with this many items of work per key head, over whole rows of the batch or over
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
