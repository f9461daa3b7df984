namespace Nano;

/// <summary>
/// The backward pass of <see cref="CausalAttentionOp"/>, block by block; see there for the derivation. One item of work owns the
/// gradients of one key head and of the query heads that share it, so nothing is added across threads: dk and dv gather over heads
/// and query blocks in order, dq over key blocks in order.
/// </summary>
internal readonly unsafe struct AttentionBackward(AttentionSizes sizes, float* q, float* k, float* v, nint qStride, nint kStride, nint vStride,
    float* logSumExp, float* y, float* dy, GradientTarget dq, GradientTarget dk, GradientTarget dv) : IKernel
{
    private const int Block = AttentionSizes.Block;

    public static long ScratchFloats(AttentionSizes s) =>
        (4 * (long)s.Keys * s.PaddedDim) + (Block * ((2 * (long)s.HeadDim) + (3 * s.PaddedDim))) + (2 * Block * Block) + (3 * Block) + 512;

    /// <summary>Scratch of one item of work.</summary>
    private readonly struct Buffers(Scratch scratch, AttentionSizes s)
    {
        public readonly float* Keys = scratch.Take((long)s.Keys * s.PaddedDim); // [Tk, D padded]
        public readonly float* Values = scratch.Take((long)s.Keys * s.PaddedDim);
        public readonly float* DKeys = scratch.Take((long)s.Keys * s.PaddedDim);
        public readonly float* DValues = scratch.Take((long)s.Keys * s.PaddedDim);
        public readonly float* Query = scratch.Take((long)Block * s.PaddedDim); // [queries, D padded], scaled
        public readonly float* DOutput = scratch.Take((long)Block * s.PaddedDim);
        public readonly float* DQuery = scratch.Take((long)Block * s.PaddedDim);
        public readonly float* QueryT = scratch.Take((long)Block * s.HeadDim); // [D, queries]: the outputs, then the scaled queries
        public readonly float* DOutputT = scratch.Take((long)Block * s.HeadDim);
        public readonly float* P = scratch.Take(Block * Block); // [keys, queries]
        public readonly float* DP = scratch.Take(Block * Block); // dp, then ds
        public readonly float* LogSumExp = scratch.Take(Block);
        public readonly float* Delta = scratch.Take(Block);
        public readonly float* Zeros = scratch.Take(Block); // where the chains of scores start
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        var buffers = new Buffers(scratch, sizes);
        new Span<float>(buffers.Zeros, Block).Clear();
        int headDim = sizes.HeadDim, padded = sizes.PaddedDim, group = sizes.Heads / sizes.KeyHeads;
        for (nint item = begin; item < end; item++)
        {
            int batch = (int)(item / sizes.KeyHeads), keyHead = (int)(item % sizes.KeyHeads);
            nint kFirst = (batch * sizes.Keys * kStride) + (keyHead * headDim), vFirst = (batch * sizes.Keys * vStride) + (keyHead * headDim);
            Pack.Copy<S, V>(sizes.Keys, headDim, k + kFirst, kStride, padded, buffers.Keys);
            Pack.Copy<S, V>(sizes.Keys, headDim, v + vFirst, vStride, padded, buffers.Values);
            new Span<float>(buffers.DKeys, sizes.Keys * padded).Clear();
            new Span<float>(buffers.DValues, sizes.Keys * padded).Clear();
            for (int head = keyHead * group; head < (keyHead + 1) * group; head++)
                for (int query = 0; query < sizes.Queries; query += Block)
                    QueryBlock<S, V>(batch, head, query, Math.Min(Block, sizes.Queries - query), buffers);
            PutRows<S, V>(sizes.Keys, buffers.DKeys, 1, dk.At(kFirst), kStride);
            PutRows<S, V>(sizes.Keys, buffers.DValues, 1, dv.At(vFirst), vStride);
        }
    }

    private void QueryBlock<S, V>(int batch, int head, int first, int rows, Buffers buffers) where S : ISimd<V> where V : unmanaged
    {
        int padded = sizes.PaddedDim, tile = 2 * S.Lanes, width = (rows + tile - 1) / tile * tile;
        Prepare<S, V>(batch, head, first, rows, width, buffers);
        new Span<float>(buffers.DQuery, rows * padded).Clear();
        int visible = sizes.Keys - sizes.Queries + first + 1;
        for (int key = 0; key < visible + rows - 1; key += Block)
        {
            var block = new AttentionBlock(rows, Math.Min(Block, visible + rows - 1 - key), visible - key, width);
            nint keyRow = (nint)key * padded;
            for (int column = 0; column < width; column += tile)
            {
                int count = block.Scores<S, V>(column, sizes.HeadDim, buffers.Keys + keyRow, padded, buffers.QueryT, buffers.Zeros, buffers.P);
                block.Scores<S, V>(column, sizes.HeadDim, buffers.Values + keyRow, padded, buffers.DOutputT, buffers.Zeros, buffers.DP);
                block.Mask(column, tile, count, float.NegativeInfinity, buffers.P);
                block.Mask(column, tile, count, 0, buffers.DP);
                SoftmaxBackward<S, V>(count, width, column, buffers);
                SoftmaxBackward<S, V>(count, width, column + S.Lanes, buffers);
            }
            // dv += p^T do, dk += ds^T q, dq += ds k
            block.AddToKeys<S, V>(padded, buffers.P, buffers.DOutput, padded, buffers.DValues + keyRow, padded);
            block.AddToKeys<S, V>(padded, buffers.DP, buffers.Query, padded, buffers.DKeys + keyRow, padded);
            block.AddToQueries<S, V>(padded, buffers.DP, buffers.Keys + keyRow, padded, buffers.DQuery, padded);
        }
        PutRows<S, V>(rows, buffers.DQuery, sizes.Scale, dq.At((((batch * (nint)sizes.Queries) + first) * qStride) + (head * sizes.HeadDim)), qStride);
    }

    /// <summary>
    /// Scaled queries and do, as rows and transposed, and delta = do . o of each query in the order of the tiles that compute dp = do . v:
    /// a query that sees a single key has o = v, hence dp - delta = 0 to the last bit and no gradient at its score, as it must be.
    /// </summary>
    private void Prepare<S, V>(int batch, int head, int first, int rows, int width, Buffers buffers) where S : ISimd<V> where V : unmanaged
    {
        int headDim = sizes.HeadDim, padded = sizes.PaddedDim;
        nint channels = sizes.Heads * headDim, row = (batch * (nint)sizes.Queries) + first, yFirst = (row * channels) + (head * headDim);
        Pack.Copy<S, V>(rows, headDim, y + yFirst, channels, padded, buffers.DQuery);
        Pack.Copy<S, V>(rows, headDim, dy + yFirst, channels, padded, buffers.DOutput);
        Pack.Transpose(headDim, rows, buffers.DQuery, padded, width, buffers.QueryT);
        Pack.Transpose(headDim, rows, buffers.DOutput, padded, width, buffers.DOutputT);
        for (int column = 0; column < width; column += 2 * S.Lanes)
            Deltas<S, V>(headDim, width, buffers.DOutputT + column, buffers.QueryT + column, buffers.Delta + column);
        Pack.Copy<S, V>(rows, headDim, q + (row * qStride) + (head * headDim), qStride, padded, buffers.Query);
        AttentionBlock.CopyScaled<S, V>(rows, padded, buffers.Query, padded, sizes.Scale, padded, buffers.Query);
        Pack.Transpose(headDim, rows, buffers.Query, padded, width, buffers.QueryT);
        new ReadOnlySpan<float>(logSumExp + (((batch * (nint)sizes.Heads) + head) * sizes.Queries) + first, rows).CopyTo(new Span<float>(buffers.LogSumExp, rows));
        new Span<float>(buffers.LogSumExp + rows, width - rows).Clear();
    }

    private static void Deltas<S, V>(int headDim, int row, float* dOutput, float* output, float* delta) where S : ISimd<V> where V : unmanaged
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
    private static void SoftmaxBackward<S, V>(int keys, int row, int column, Buffers buffers) where S : ISimd<V> where V : unmanaged
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

    private void PutRows<S, V>(int rows, float* from, float factor, GradientTarget to, nint stride) where S : ISimd<V> where V : unmanaged
    {
        for (int r = 0; r < rows; r++)
            new ElementwiseLoop<ScaleOp.Scaled>(new ScaleOp.Scaled(from + (r * (nint)sizes.PaddedDim), factor, to.At(r * stride))).Run<S, V>(0, sizes.HeadDim, null!);
    }
}
