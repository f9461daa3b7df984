namespace Nano;

/// <summary>
/// The gradients that a pass over the blocks of <see cref="AttentionBackward{R}"/> computes.
/// </summary>
internal enum AttentionPass
{
    /// <summary>All gradients: five products per pair of blocks. An item is a batch entry and a key head.</summary>
    Both,

    /// <summary>dq: three products. An item is a part of the blocks of queries that share a key head.</summary>
    Queries,

    /// <summary>dk and dv: four products. An item is one block of keys.</summary>
    Keys,
}

/// <summary>
/// The backward pass of the attention op, block by block; see there for the derivation. One item of
/// work owns the gradients that it computes, so nothing is added across threads: dk and dv gather
/// over heads and query blocks in order, dq over key blocks in order. Where there are fewer key heads
/// than threads, dq and then dk and dv have passes of their own, which compute the same sums in the
/// same order; scores are then computed twice.
/// <para>
/// Gradients of keys are computed row by row (see <see cref="AttentionBlock"/>) unless L and delta
/// of every query of the block are finite. Then so are the query, hence its scores (an infinity
/// anywhere in it leaves only infinities and NaN in softmax; where a cap, a sink or lengths might
/// hide that, the queries are looked at too), and its do. Likewise dq, also if that
/// of the last query (with a window, of any query), which multiplies every key of the block, is not
/// finite: L does not tell of a key whose score is -infinity.
/// </para>
/// </summary>
/// <typeparam name="R">The changes of scores.</typeparam>
internal readonly unsafe struct AttentionBackward<R>(AttentionSizes sizes, ScoreTerms terms, AttentionPass pass,
    int parts, Rows q, Rows k, Rows v, float* logSumExp, float* y, float* dy, GradientTarget dq, GradientTarget dk,
    GradientTarget dv) : IAttentionKernel<AttentionBackward<R>> where R : unmanaged, IScoreRule
{
    private const int Block = AttentionSizes.Block;

    /// <summary>The gradients to compute.</summary>
    public AttentionPass Pass { get; init; } = pass;

    /// <summary>Items of work per key head.</summary>
    public int Parts { get; init; } = parts;

    /// <summary>
    /// Receives ds of each block of queries, summed by distance (see
    /// <see cref="DistanceBiasBackward"/>), where a table of biases wants a gradient; else null.
    /// </summary>
    public float* DistanceSums { get; init; }

    /// <summary>Linear in the number of keys.</summary>
    public static long ScratchFloats(AttentionSizes s) =>
        (2 * (long)s.Keys * (s.PaddedDim + s.PaddedValueDim))
            + (Block * (Math.Max((long)s.HeadDim, s.ValueDim) + s.ValueDim + s.PaddedDim + s.PaddedValueDim))
            + (Block * (long)s.WiderDim) + ((R.Caps && R.Biases ? 3 : 2) * Block * Block) + (3 * Block) + 512;

    /// <summary>Scratch of one item of work.</summary>
    private readonly struct Buffers(Scratch scratch, AttentionSizes s)
    {
        public readonly float* Keys = scratch.Allocate((long)s.Keys * s.PaddedDim); // [keys of the item, D padded]
        public readonly float* Values = scratch.Allocate((long)s.Keys * s.PaddedValueDim);
        public readonly float* DKeys = scratch.Allocate((long)s.Keys * s.PaddedDim);
        public readonly float* DValues = scratch.Allocate((long)s.Keys * s.PaddedValueDim);
        public readonly float* Query = scratch.Allocate((long)Block * s.PaddedDim); // [queries, D padded], scaled
        public readonly float* DOutput = scratch.Allocate((long)Block * s.PaddedValueDim);
        public readonly float* DQuery = scratch.Allocate((long)Block * s.WiderDim); // the outputs, then dq
        // [channels, queries]: the outputs, then the scaled queries
        public readonly float* QueryT = scratch.Allocate(Block * (long)Math.Max(s.HeadDim, s.ValueDim));
        public readonly float* DOutputT = scratch.Allocate((long)Block * s.ValueDim);
        public readonly float* P = scratch.Allocate(Block * Block); // [keys, queries]
        public readonly float* DP = scratch.Allocate(Block * Block); // dp, then ds
        public readonly float* Slopes = R.Caps && R.Biases ? scratch.Allocate(Block * Block) : null; // of the cap
        public readonly float* LogSumExp = scratch.Allocate(Block);
        public readonly float* Delta = scratch.Allocate(Block);
        public readonly float* Zeros = scratch.Allocate(Block); // where the chains of scores start
    }

    /// <summary>The keys of an item of work, [Begin, End), and their rows.</summary>
    private readonly record struct KeyRange(int Begin, int End, Rows Keys, Rows Values);

    public AttentionBackward<R> ForSegment(nint first, int length)
    {
        nint yFirst = first * sizes.Heads * sizes.ValueDim;
        return new(sizes.ForSegment(length), terms, Pass, Parts, q.From(first, 0), k.From(first, 0), v.From(first, 0),
            logSumExp + (first * sizes.Heads), y + yFirst, dy + yFirst, dq.At(first * q.Stride),
            dk.At(first * k.Stride), dv.At(first * v.Stride));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        var buffers = new Buffers(scratch, sizes);
        new Span<float>(buffers.Zeros, Block).Clear();
        for (nint item = begin; item < end; item++)
        {
            var (head, part) = ((int)(item / Parts), (int)(item % Parts));
            if (Pass == AttentionPass.Keys && part >= sizes.KeyBlocks) // of a segment that is not the longest
                continue;
            if (Pass == AttentionPass.Keys)
                Item<S, V>(head / sizes.KeyHeads, head % sizes.KeyHeads, part * Block,
                    Math.Min((part + 1) * Block, sizes.Keys), 0, 1, buffers);
            else
                Item<S, V>(head / sizes.KeyHeads, head % sizes.KeyHeads, 0, sizes.Keys, part, Parts, buffers);
        }
    }

    /// <summary>
    /// Keys [keyBegin, keyEnd) of a key head, with every step-th block of the queries that share
    /// it, heads outermost.
    /// </summary>
    private void Item<S, V>(int batch, int keyHead, int keyBegin, int keyEnd, int firstBlock, int step, Buffers buffers)
        where S : ISimd<V> where V : unmanaged
    {
        int headDim = sizes.HeadDim, valueDim = sizes.ValueDim, count = keyEnd - keyBegin;
        nint row = (batch * (nint)sizes.Keys) + keyBegin, column = keyHead * headDim, vColumn = keyHead * valueDim;
        Rows keys = k.From(row, column), values = v.From(row, vColumn);
        if (sizes.PaysToCopy(step))
            (keys, values) = (keys.Copied<S, V>(count, headDim, sizes.PaddedDim, buffers.Keys),
                values.Copied<S, V>(count, valueDim, sizes.PaddedValueDim, buffers.Values));
        if (Pass != AttentionPass.Queries)
        {
            new Span<float>(buffers.DKeys, count * sizes.PaddedDim).Clear();
            new Span<float>(buffers.DValues, count * sizes.PaddedValueDim).Clear();
        }
        for (int i = firstBlock; i < sizes.QueryBlocks * sizes.Group; i += step)
            QueryBlock<S, V>(batch, (keyHead * sizes.Group) + (i / sizes.QueryBlocks), i % sizes.QueryBlocks * Block,
                new KeyRange(keyBegin, keyEnd, keys, values), buffers);
        if (Pass != AttentionPass.Queries)
        {
            if (dk.Pointer != null)
                PutRows<S, V>(count, headDim, buffers.DKeys, sizes.PaddedDim, 1, dk.At((row * k.Stride) + column),
                    k.Stride);
            if (dv.Pointer != null)
                PutRows<S, V>(count, valueDim, buffers.DValues, sizes.PaddedValueDim, 1,
                    dv.At((row * v.Stride) + vColumn), v.Stride);
        }
    }

    private void QueryBlock<S, V>(int batch, int head, int first, KeyRange range, Buffers buffers) where S : ISimd<V>
        where V : unmanaged
    {
        int rows = Math.Min(Block, sizes.Queries - first), tile = 2 * S.Lanes, width = (rows + tile - 1) / tile * tile;
        int visible = sizes.EndOf(first);
        if (Pass == AttentionPass.Keys && (range.Begin >= visible + rows - 1
            || range.End <= visible - sizes.Window && range.Begin >= sizes.Sinks))
            return;
        Prepare<S, V>(batch, head, first, rows, width, buffers);
        bool finite = AttentionBlock.AllFinite<S, V>(width, buffers.LogSumExp)
            && AttentionBlock.AllFinite<S, V>(width, buffers.Delta)
            && (!terms.ChecksQueries<R>() || AttentionBlock.AllFinite<S, V>(rows * sizes.PaddedDim, buffers.Query));
        var sums = SumsOf(batch, head, first);
        Walk<S, V>(Pass, batch, head, first, rows, width, !finite, range, sums, buffers);
        if (Pass == AttentionPass.Keys || dq.Pointer == null)
            return;
        int firstChecked = sizes.IsWindowed ? 0 : rows - 1;
        if (finite && !AttentionBlock.AllFinite<S, V>((rows - firstChecked) * sizes.PaddedDim,
            buffers.DQuery + (firstChecked * sizes.PaddedDim)))
            Walk<S, V>(AttentionPass.Queries, batch, head, first, rows, width, true, range, null, buffers);
        PutRows<S, V>(rows, sizes.HeadDim, buffers.DQuery, sizes.PaddedDim, sizes.Scale,
            dq.At((((batch * (nint)sizes.Queries) + first) * q.Stride) + (head * sizes.HeadDim)), q.Stride);
    }

    /// <summary>
    /// The sum of ds at distance 0 from a block's first query, with all sums of the block set to 0;
    /// null where they are not wanted.
    /// </summary>
    private float* SumsOf(int batch, int head, int first)
    {
        if (DistanceSums == null || Pass == AttentionPass.Keys)
            return null;
        int stride = DistanceBiasBackward.Stride(sizes);
        float* sums = DistanceSums + (((((batch * (nint)sizes.Heads) + head) * sizes.QueryBlocks) + (first / Block))
            * stride);
        new Span<float>(sums, stride).Clear();
        return sums + DistanceBias.Origin(sizes, false);
    }

    /// <summary>Adds what a block of queries gives to the gradients of keys and values, and computes dq.</summary>
    private void Walk<S, V>(AttentionPass pass, int batch, int head, int first, int rows, int width, bool rowByRow,
        KeyRange range, float* sums, Buffers buffers) where S : ISimd<V> where V : unmanaged
    {
        int padded = sizes.PaddedDim, paddedValue = sizes.PaddedValueDim, tile = 2 * S.Lanes,
            visible = sizes.EndOf(first),
            end = Math.Min(Math.Min(range.End, terms.KeysOf(batch, sizes.Keys)), visible + rows - 1);
        new Span<float>(buffers.DQuery, rows * padded).Clear();
        int start = Math.Max(range.Begin, sizes.StartBlock(visible));
        for (int key = start; key < end; key = sizes.NextBlock(key, visible))
        {
            var block = new AttentionBlock(rows, Math.Min(Block, end - key), visible - key, sizes.Window,
                sizes.Sinks - key, width, rowByRow);
            int keyRow = key - range.Begin;
            for (int column = 0; column < width; column += tile)
            {
                int count = block.Scores<S, V>(column, sizes.HeadDim, range.Keys.From(keyRow, 0), buffers.QueryT,
                    buffers.Zeros, buffers.P);
                block.Scores<S, V>(column, sizes.ValueDim, range.Values.From(keyRow, 0), buffers.DOutputT,
                    buffers.Zeros, buffers.DP);
                float* bias = terms.BiasOf(head) + first + column - key;
                SoftmaxBackward<S, V>(count, width, column, bias, buffers);
                SoftmaxBackward<S, V>(count, width, column + S.Lanes, bias + S.Lanes, buffers);
                block.Mask(column, tile, count, 0, buffers.P);
                block.Mask(column, tile, count, 0, buffers.DP);
                if (sums != null)
                    SumByDistance<S, V>(count, Math.Min(tile, rows - column), buffers.DP + column, width,
                        sums + column - key);
                if (R.Caps && R.Biases)
                {
                    block.Mask(column, tile, count, 0, buffers.Slopes);
                    for (int row = 0; row < count; row++)
                        for (int i = (row * width) + column; i < (row * width) + column + tile; i += S.Lanes)
                            S.Store(buffers.DP + i,
                                S.Multiply(S.Load(buffers.DP + i), S.Load(buffers.Slopes + i)));
                }
            }
            if (pass != AttentionPass.Queries) // dv += p^T do, dk += ds^T q
            {
                if (dv.Pointer != null)
                    block.AddToKeys<S, V>(paddedValue, buffers.P, new(buffers.DOutput, paddedValue),
                        new(buffers.DValues + ((nint)keyRow * paddedValue), paddedValue));
                if (dk.Pointer != null)
                    block.AddToKeys<S, V>(padded, buffers.DP, new(buffers.Query, padded),
                        new(buffers.DKeys + ((nint)keyRow * padded), padded));
            }
            if (pass != AttentionPass.Keys) // dq += ds k
                block.AddToQueries<S, V>(padded, buffers.DP, range.Keys.From(keyRow, 0), new(buffers.DQuery, padded));
        }
    }

    /// <summary>
    /// Scaled queries and do, as rows and transposed, and delta = do . o of each query in the order
    /// of the tiles that compute dp = do . v: a query that sees a single key has o = v, hence dp -
    /// delta = 0 to the last bit and no gradient at its score, as it must be.
    /// </summary>
    private void Prepare<S, V>(int batch, int head, int first, int rows, int width, Buffers buffers) where S : ISimd<V>
        where V : unmanaged
    {
        int headDim = sizes.HeadDim, valueDim = sizes.ValueDim, padded = sizes.PaddedValueDim;
        nint channels = sizes.Heads * valueDim, row = (batch * (nint)sizes.Queries) + first,
            yFirst = (row * channels) + (head * valueDim);
        Pack.Copy<S, V>(rows, valueDim, y + yFirst, channels, padded, padded, buffers.DQuery);
        Pack.Copy<S, V>(rows, valueDim, dy + yFirst, channels, padded, padded, buffers.DOutput);
        Pack.Transpose(valueDim, rows, buffers.DQuery, padded, width, width, buffers.QueryT);
        Pack.Transpose(valueDim, rows, buffers.DOutput, padded, width, width, buffers.DOutputT);
        for (int column = 0; column < width; column += 2 * S.Lanes)
            Deltas<S, V>(valueDim, width, buffers.DOutputT + column, buffers.QueryT + column, buffers.Delta + column);
        padded = sizes.PaddedDim;
        AttentionBlock.CopyScaled<S, V>(rows, headDim, q.From(row, head * headDim), sizes.Scale, padded,
            buffers.Query);
        Pack.Transpose(headDim, rows, buffers.Query, padded, width, width, buffers.QueryT);
        new ReadOnlySpan<float>(logSumExp + (((batch * (nint)sizes.Heads) + head) * sizes.Queries) + first, rows)
            .CopyTo(new Span<float>(buffers.LogSumExp, rows));
        new Span<float>(buffers.LogSumExp + rows, width - rows).Clear();
    }

    private static void Deltas<S, V>(int headDim, int row, float* dOutput, float* output, float* delta)
        where S : ISimd<V> where V : unmanaged
    {
        V first = S.Splat(0), second = first;
        for (int d = 0; d < headDim; d++, dOutput += row, output += row)
        {
            first = S.Fma(S.Load(dOutput), S.Load(output), first);
            second = S.Fma(S.Load(dOutput + S.Lanes), S.Load(output + S.Lanes), second);
        }
        S.Store(delta, first);
        S.Store(delta + S.Lanes, second);
    }

    /// <summary>
    /// For a vector of queries, scores become p = exp(s - L), and dp becomes ds = p (dp - delta), of
    /// the scaled product where no bias is between.
    /// </summary>
    private void SoftmaxBackward<S, V>(int keys, int row, int column, float* bias, Buffers buffers)
        where S : ISimd<V> where V : unmanaged
    {
        V lse = S.Load(buffers.LogSumExp + column), delta = S.Load(buffers.Delta + column);
        float* products = buffers.P + column, dp = buffers.DP + column;
        for (int key = 0; key < keys; key++, products += row, dp += row, bias--)
        {
            V s = S.Load(products), slope = default;
            if (R.Caps)
                s = terms.Capped<S, V>(s, out slope);
            if (R.Biases)
                s = S.Add(s, S.Load(bias));
            V p = SimdMath.ExpNormalOrZero<S, V>(S.Subtract(s, lse));
            S.Store(products, p);
            V ds = S.Multiply(p, S.Subtract(S.Load(dp), delta));
            if (R.Caps && R.Biases)
                S.Store(buffers.Slopes + (key * row) + column, slope);
            else if (R.Caps)
                ds = S.Multiply(ds, slope);
            S.Store(dp, ds);
        }
    }

    /// <summary>sums[query - key] += ds[key, query]: each sum in the order of the keys.</summary>
    private static void SumByDistance<S, V>(int keys, int queries, float* ds, int row, float* sums)
        where S : ISimd<V> where V : unmanaged
    {
        for (int key = 0; key < keys; key++, ds += row, sums--)
            new ElementwiseLoop<Scaled>(new Scaled(ds, 1, new(sums, true))).Run<S, V>(0, queries, null!);
    }

    private static void PutRows<S, V>(int rows, int columns, float* from, int fromStride, float factor,
        GradientTarget to, nint stride) where S : ISimd<V> where V : unmanaged
    {
        for (int r = 0; r < rows; r++)
            new ElementwiseLoop<Scaled>(new Scaled(from + (r * (nint)fromStride), factor, to.At(r * stride)))
                .Run<S, V>(0, columns, null!);
    }
}
