namespace Nano;

/// <summary>
/// The gradients that a pass over the blocks of <see cref="AttentionBackward"/> computes.
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
/// The backward pass of the attention op, block by block; see there for the
/// derivation. One item of work owns the gradients that it computes, so nothing is added across
/// threads: dk and dv gather over heads and query blocks in order, dq over key blocks in order.
/// Where there are fewer key heads than threads, dq and then dk and dv have passes of their own,
/// which compute the same sums in the same order; scores are then computed twice.
/// <para>
/// Gradients of keys are computed row by row (see <see cref="AttentionBlock"/>) unless L and delta
/// of every query of the block are finite. Then so are the query, hence its scores (an infinity
/// anywhere in it leaves only infinities and NaN in softmax), and its do. Likewise dq, also if that
/// of the last query (with a window, of any query), which multiplies every key of the block, is not
/// finite: L does not tell of a key whose score is -infinity.
/// </para>
/// </summary>
internal readonly unsafe struct AttentionBackward(AttentionSizes sizes, AttentionPass pass, int parts, Rows q, Rows k,
    Rows v, float* logSumExp, float* y, float* dy, GradientTarget dq, GradientTarget dk, GradientTarget dv)
    : IAttentionKernel<AttentionBackward>
{
    private const int Block = AttentionSizes.Block;

    /// <summary>The gradients to compute.</summary>
    public AttentionPass Pass { get; init; } = pass;

    /// <summary>Items of work per key head.</summary>
    public int Parts { get; init; } = parts;

    /// <summary>Linear in the number of keys.</summary>
    public static long ScratchFloats(AttentionSizes s) =>
        (4 * (long)s.Keys * s.PaddedDim) + (Block * ((2 * (long)s.HeadDim) + (3 * s.PaddedDim))) + (2 * Block * Block)
            + (3 * Block) + 512;

    /// <summary>Scratch of one item of work.</summary>
    private readonly struct Buffers(Scratch scratch, AttentionSizes s)
    {
        public readonly float* Keys = scratch.Allocate((long)s.Keys * s.PaddedDim); // [keys of the item, D padded]
        public readonly float* Values = scratch.Allocate((long)s.Keys * s.PaddedDim);
        public readonly float* DKeys = scratch.Allocate((long)s.Keys * s.PaddedDim);
        public readonly float* DValues = scratch.Allocate((long)s.Keys * s.PaddedDim);
        public readonly float* Query = scratch.Allocate((long)Block * s.PaddedDim); // [queries, D padded], scaled
        public readonly float* DOutput = scratch.Allocate((long)Block * s.PaddedDim);
        public readonly float* DQuery = scratch.Allocate((long)Block * s.PaddedDim);
        // [D, queries]: the outputs, then the scaled queries
        public readonly float* QueryT = scratch.Allocate((long)Block * s.HeadDim);
        public readonly float* DOutputT = scratch.Allocate((long)Block * s.HeadDim);
        public readonly float* P = scratch.Allocate(Block * Block); // [keys, queries]
        public readonly float* DP = scratch.Allocate(Block * Block); // dp, then ds
        public readonly float* LogSumExp = scratch.Allocate(Block);
        public readonly float* Delta = scratch.Allocate(Block);
        public readonly float* Zeros = scratch.Allocate(Block); // where the chains of scores start
    }

    /// <summary>The keys of an item of work, [Begin, End), and their rows.</summary>
    private readonly record struct KeyRange(int Begin, int End, Rows Keys, Rows Values);

    public AttentionBackward ForSegment(nint first, int length)
    {
        nint yFirst = first * sizes.Heads * sizes.HeadDim;
        return new(sizes.ForSegment(length), Pass, Parts, q.From(first, 0), k.From(first, 0), v.From(first, 0),
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
            if (Pass == AttentionPass.Keys && part >= sizes.QueryBlocks) // of a segment that is not the longest
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
        int headDim = sizes.HeadDim, padded = sizes.PaddedDim, count = keyEnd - keyBegin;
        nint row = (batch * (nint)sizes.Keys) + keyBegin, column = keyHead * headDim;
        Rows keys = k.From(row, column), values = v.From(row, column);
        if (sizes.PaysToCopy(step))
            (keys, values) = (keys.Copied<S, V>(count, headDim, padded, buffers.Keys), values.Copied<S, V>(count,
                headDim, padded, buffers.Values));
        if (Pass != AttentionPass.Queries)
        {
            new Span<float>(buffers.DKeys, count * padded).Clear();
            new Span<float>(buffers.DValues, count * padded).Clear();
        }
        for (int i = firstBlock; i < sizes.QueryBlocks * sizes.Group; i += step)
            QueryBlock<S, V>(batch, (keyHead * sizes.Group) + (i / sizes.QueryBlocks), i % sizes.QueryBlocks * Block,
                new KeyRange(keyBegin, keyEnd, keys, values), buffers);
        if (Pass != AttentionPass.Queries)
        {
            if (dk.Pointer != null)
                PutRows<S, V>(count, buffers.DKeys, 1, dk.At((row * k.Stride) + column), k.Stride);
            if (dv.Pointer != null)
                PutRows<S, V>(count, buffers.DValues, 1, dv.At((row * v.Stride) + column), v.Stride);
        }
    }

    private void QueryBlock<S, V>(int batch, int head, int first, KeyRange range, Buffers buffers) where S : ISimd<V>
        where V : unmanaged
    {
        int rows = Math.Min(Block, sizes.Queries - first), tile = 2 * S.Lanes, width = (rows + tile - 1) / tile * tile;
        if (range.Begin >= first + rows || range.End <= first + 1 - sizes.Window)
            return;
        Prepare<S, V>(batch, head, first, rows, width, buffers);
        bool finite = AttentionBlock.AllFinite<S, V>(width, buffers.LogSumExp)
            && AttentionBlock.AllFinite<S, V>(width, buffers.Delta);
        Walk<S, V>(Pass, first, rows, width, !finite, range, buffers);
        if (Pass == AttentionPass.Keys)
            return;
        int firstChecked = sizes.IsWindowed ? 0 : rows - 1;
        if (finite && !AttentionBlock.AllFinite<S, V>((rows - firstChecked) * sizes.PaddedDim,
            buffers.DQuery + (firstChecked * sizes.PaddedDim)))
            Walk<S, V>(AttentionPass.Queries, first, rows, width, true, range, buffers);
        PutRows<S, V>(rows, buffers.DQuery, sizes.Scale,
            dq.At((((batch * (nint)sizes.Queries) + first) * q.Stride) + (head * sizes.HeadDim)), q.Stride);
    }

    /// <summary>Adds what a block of queries gives to the gradients of keys and values, and computes dq.</summary>
    private void Walk<S, V>(AttentionPass pass, int first, int rows, int width, bool rowByRow, KeyRange range,
        Buffers buffers)
        where S : ISimd<V> where V : unmanaged
    {
        int padded = sizes.PaddedDim, tile = 2 * S.Lanes, visible = first + 1,
            end = Math.Min(range.End, visible + rows - 1);
        new Span<float>(buffers.DQuery, rows * padded).Clear();
        for (int key = Math.Max(range.Begin, sizes.FirstBlock(visible)); key < end; key += Block)
        {
            var block = new AttentionBlock(rows, Math.Min(Block, end - key), visible - key, sizes.Window,
                width, rowByRow);
            int keyRow = key - range.Begin;
            for (int column = 0; column < width; column += tile)
            {
                int count = block.Scores<S, V>(column, sizes.HeadDim, range.Keys.From(keyRow, 0), buffers.QueryT,
                    buffers.Zeros, buffers.P);
                block.Scores<S, V>(column, sizes.HeadDim, range.Values.From(keyRow, 0), buffers.DOutputT,
                    buffers.Zeros, buffers.DP);
                block.Mask(column, tile, count, float.NegativeInfinity, buffers.P);
                block.Mask(column, tile, count, 0, buffers.DP);
                SoftmaxBackward<S, V>(count, width, column, buffers);
                SoftmaxBackward<S, V>(count, width, column + S.Lanes, buffers);
            }
            if (pass != AttentionPass.Queries) // dv += p^T do, dk += ds^T q
            {
                nint at = (nint)keyRow * padded;
                if (dv.Pointer != null)
                    block.AddToKeys<S, V>(padded, buffers.P, new(buffers.DOutput, padded),
                        new(buffers.DValues + at, padded));
                if (dk.Pointer != null)
                    block.AddToKeys<S, V>(padded, buffers.DP, new(buffers.Query, padded),
                        new(buffers.DKeys + at, padded));
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
        int headDim = sizes.HeadDim, padded = sizes.PaddedDim;
        nint channels = sizes.Heads * headDim, row = (batch * (nint)sizes.Queries) + first,
            yFirst = (row * channels) + (head * headDim);
        Pack.Copy<S, V>(rows, headDim, y + yFirst, channels, padded, padded, buffers.DQuery);
        Pack.Copy<S, V>(rows, headDim, dy + yFirst, channels, padded, padded, buffers.DOutput);
        Pack.Transpose(headDim, rows, buffers.DQuery, padded, width, width, buffers.QueryT);
        Pack.Transpose(headDim, rows, buffers.DOutput, padded, width, width, buffers.DOutputT);
        for (int column = 0; column < width; column += 2 * S.Lanes)
            Deltas<S, V>(headDim, width, buffers.DOutputT + column, buffers.QueryT + column, buffers.Delta + column);
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

    /// <summary>For a vector of queries, scores become p = exp(s - L), and dp becomes ds = p (dp - delta).</summary>
    private static void SoftmaxBackward<S, V>(int keys, int row, int column, Buffers buffers) where S : ISimd<V>
        where V : unmanaged
    {
        V lse = S.Load(buffers.LogSumExp + column), delta = S.Load(buffers.Delta + column);
        float* s = buffers.P + column, dp = buffers.DP + column;
        for (int key = 0; key < keys; key++, s += row, dp += row)
        {
            V p = SimdMath.ExpNormalOrZero<S, V>(S.Subtract(S.Load(s), lse));
            S.Store(s, p);
            S.Store(dp, S.Multiply(p, S.Subtract(S.Load(dp), delta)));
        }
    }

    private void PutRows<S, V>(int rows, float* from, float factor, GradientTarget to, nint stride) where S : ISimd<V>
        where V : unmanaged
    {
        for (int r = 0; r < rows; r++)
            new ElementwiseLoop<Scaled>(new Scaled(from + (r * (nint)sizes.PaddedDim), factor, to.At(r * stride)))
                .Run<S, V>(0, sizes.HeadDim, null!);
    }
}
