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
        (2 * (long)s.HeadDim * s.PaddedKeys) + (3 * (long)s.PaddedKeys * s.PaddedDim) + (3 * (long)Block * s.PaddedDim) + (2 * Block * Block) + (2 * Block) + 128;

    /// <summary>Scratch of one item of work.</summary>
    private readonly struct Buffers(Scratch scratch, AttentionSizes s)
    {
        public readonly float* KeysT = scratch.Take((long)s.HeadDim * s.PaddedKeys); // blocks of [D, 64]
        public readonly float* ValuesT = scratch.Take((long)s.HeadDim * s.PaddedKeys); // blocks of [D, 64]
        public readonly float* Keys = scratch.Take((long)s.PaddedKeys * s.PaddedDim); // [Tk, D padded]
        public readonly float* DKeys = scratch.Take((long)s.PaddedKeys * s.PaddedDim);
        public readonly float* DValues = scratch.Take((long)s.PaddedKeys * s.PaddedDim);
        public readonly float* Query = scratch.Take((long)Block * s.PaddedDim); // [64, D padded]
        public readonly float* DQuery = scratch.Take((long)Block * s.PaddedDim);
        public readonly float* DOutput = scratch.Take((long)Block * s.PaddedDim);
        public readonly float* P = scratch.Take(Block * Block); // [64 queries, 64 keys]
        public readonly float* DP = scratch.Take(Block * Block); // dp, then ds
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
            AttentionForward.PackKeys<S, V>(sizes, k + kFirst, kStride, buffers.KeysT);
            AttentionForward.PackKeys<S, V>(sizes, v + vFirst, vStride, buffers.ValuesT);
            Pack.Copy<S, V>(sizes.Keys, headDim, k + kFirst, kStride, padded, padded, buffers.Keys);
            new Span<float>(buffers.DKeys, sizes.Keys * padded).Clear();
            new Span<float>(buffers.DValues, sizes.Keys * padded).Clear();
            for (int head = keyHead * group; head < (keyHead + 1) * group; head++)
                for (int query = 0; query < sizes.Queries; query += Block)
                    QueryBlock<S, V>(batch, head, query, Math.Min(Block, sizes.Queries - query), buffers);
            PutRows<S, V>(sizes.Keys, buffers.DKeys, dk.At(kFirst), kStride);
            PutRows<S, V>(sizes.Keys, buffers.DValues, dv.At(vFirst), vStride);
        }
    }

    private void QueryBlock<S, V>(int batch, int head, int first, int rows, Buffers buffers) where S : ISimd<V> where V : unmanaged
    {
        int headDim = sizes.HeadDim, padded = sizes.PaddedDim;
        nint width = sizes.Heads * headDim, row = (batch * (nint)sizes.Queries) + first;
        nint qFirst = (row * qStride) + (head * headDim), yFirst = (row * width) + (head * headDim);
        float* lse = logSumExp + (((batch * (nint)sizes.Heads) + head) * sizes.Queries) + first;
        Pack.Copy<S, V>(rows, headDim, q + qFirst, qStride, padded, padded, buffers.Query);
        Pack.Copy<S, V>(rows, headDim, dy + yFirst, width, padded, padded, buffers.DOutput);
        new Span<float>(buffers.DQuery, rows * padded).Clear();
        Deltas(rows, headDim, dy + yFirst, y + yFirst, width, buffers.Delta);
        for (int key = 0; sizes.Visible(first + rows - 1, key) is > 0 and var deepest; key += Block)
        {
            // s = q k^T, dp = do v^T
            Tiles.Multiply<S, V>(rows, Block, headDim, buffers.Query, padded, 1, buffers.KeysT + ((nint)key * headDim), Block, buffers.Zeros, 0, buffers.P, Block, null);
            Tiles.Multiply<S, V>(rows, Block, headDim, buffers.DOutput, padded, 1, buffers.ValuesT + ((nint)key * headDim), Block, buffers.Zeros, 0, buffers.DP, Block, null);
            for (int r = 0; r < rows; r++)
                SoftmaxBackward<S, V>(sizes.Visible(first + r, key), buffers.P + (r * Block), buffers.DP + (r * Block), lse[r], buffers.Delta[r]);
            // dv += p^T do, dk += ds^T q, dq += ds k
            nint keyRow = (nint)key * padded;
            Tiles.Multiply<S, V>(deepest, padded, rows, buffers.P, 1, Block, buffers.DOutput, padded, buffers.DValues + keyRow, padded, buffers.DValues + keyRow, padded, null);
            Tiles.Multiply<S, V>(deepest, padded, rows, buffers.DP, 1, Block, buffers.Query, padded, buffers.DKeys + keyRow, padded, buffers.DKeys + keyRow, padded, null);
            Tiles.Multiply<S, V>(rows, padded, deepest, buffers.DP, Block, 1, buffers.Keys + keyRow, padded, buffers.DQuery, padded, buffers.DQuery, padded, null);
        }
        PutRows<S, V>(rows, buffers.DQuery, dq.At(qFirst), qStride);
    }

    /// <summary>
    /// delta = do . o for each row, in the order of the tiles that compute dp = do . v: a query that sees a single key has o = v, hence
    /// dp - delta = 0 to the last bit and no gradient at its score, as it must be. Four rows at a time, since one chain waits for itself.
    /// </summary>
    private static void Deltas(int rows, int headDim, float* dOutput, float* output, nint stride, float* delta)
    {
        int r = 0;
        for (; r <= rows - 4; r += 4, dOutput += 4 * stride, output += 4 * stride)
        {
            float d0 = 0, d1 = 0, d2 = 0, d3 = 0;
            for (nint i = 0; i < headDim; i++)
            {
                d0 = MathF.FusedMultiplyAdd(dOutput[i], output[i], d0);
                d1 = MathF.FusedMultiplyAdd(dOutput[stride + i], output[stride + i], d1);
                d2 = MathF.FusedMultiplyAdd(dOutput[(2 * stride) + i], output[(2 * stride) + i], d2);
                d3 = MathF.FusedMultiplyAdd(dOutput[(3 * stride) + i], output[(3 * stride) + i], d3);
            }
            (delta[r], delta[r + 1], delta[r + 2], delta[r + 3]) = (d0, d1, d2, d3);
        }
        for (; r < rows; r++, dOutput += stride, output += stride)
        {
            delta[r] = 0;
            for (nint i = 0; i < headDim; i++)
                delta[r] = MathF.FusedMultiplyAdd(dOutput[i], output[i], delta[r]);
        }
    }

    /// <summary>Scores become p = exp(scale s - L), and dp becomes ds = scale p (dp - delta); both zero where masked.</summary>
    private void SoftmaxBackward<S, V>(int visible, float* p, float* dp, float lse, float delta) where S : ISimd<V> where V : unmanaged
    {
        int whole = AttentionForward.MaskRow(p, visible);
        new ElementwiseLoop<ScoreGradient>(new ScoreGradient(p, dp, sizes.Scale, lse, delta)).Run<S, V>(0, whole, null!);
        if (visible < Block)
            new Span<float>(dp + visible, Block - visible).Clear();
    }

    private readonly struct ScoreGradient(float* p, float* dp, float scale, float lse, float delta) : IElementwise
    {
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V probability = SimdMath.ExpNonPositive<S, V>(S.Fma(S.Load(p + i), S.Splat(scale), S.Splat(-lse)));
            S.Store(p + i, probability);
            S.Store(dp + i, S.Multiply(S.Multiply(probability, S.Splat(scale)), S.Subtract(S.Load(dp + i), S.Splat(delta))));
        }
    }

    private void PutRows<S, V>(int rows, float* from, GradientTarget to, nint stride) where S : ISimd<V> where V : unmanaged
    {
        for (int r = 0; r < rows; r++)
            new ElementwiseLoop<AddTo>(new AddTo(from + (r * (nint)sizes.PaddedDim), to.At(r * stride))).Run<S, V>(0, sizes.HeadDim, null!);
    }

    private readonly struct AddTo(float* x, GradientTarget y) : IElementwise
    {
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged => y.Put<S, V>(i, S.Load(x + i));
    }
}
