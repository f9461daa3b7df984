namespace Nano;

/// <summary>
/// The forward pass of <see cref="CausalAttentionOp"/>: for every block of queries, walk the blocks of keys from position 0 and keep a
/// running maximum m, a running normaliser l and a running output o per row, rescaled when m grows. Both products run on the same tiles as
/// every other matrix product. A row's arithmetic depends on its own query and the visible keys alone.
/// </summary>
internal readonly unsafe struct AttentionForward(AttentionSizes sizes, float* q, float* k, float* v, nint qStride, nint kStride, nint vStride,
    float* logSumExp, float* y) : IKernel
{
    private const int Block = AttentionSizes.Block;

    public static long ScratchFloats(AttentionSizes s) =>
        ((long)s.HeadDim * s.PaddedKeys) + ((long)s.PaddedKeys * s.PaddedDim) + (Block * Block) + (Block * (long)s.PaddedDim) + (3 * Block) + 64;

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int headDim = sizes.HeadDim, padded = sizes.PaddedDim, group = sizes.Heads / sizes.KeyHeads;
        float* keys = scratch.Take((long)headDim * sizes.PaddedKeys); // blocks of [D, 64]: K^T
        float* values = scratch.Take((long)sizes.PaddedKeys * padded); // [Tk, D padded]
        var work = new Rows(scratch.Take(Block * Block), scratch.Take(Block * padded), scratch.Take(Block), scratch.Take(Block), scratch.Take(Block));
        new Span<float>(work.Zeros, Block).Clear();
        for (nint item = begin; item < end; item++)
        {
            int batch = (int)(item / sizes.KeyHeads), keyHead = (int)(item % sizes.KeyHeads);
            float* kHead = k + (batch * sizes.Keys * kStride) + (keyHead * headDim);
            PackKeys<S, V>(sizes, kHead, kStride, keys);
            Pack.Copy<S, V>(sizes.Keys, headDim, v + (batch * sizes.Keys * vStride) + (keyHead * headDim), vStride, padded, padded, values);
            for (int head = keyHead * group; head < (keyHead + 1) * group; head++)
                for (int query = 0; query < sizes.Queries; query += Block)
                    QueryBlock<S, V>(batch, head, query, Math.Min(Block, sizes.Queries - query), keys, values, work);
        }
    }

    /// <summary>K^T in blocks: element (d, j) of block b at [b][d][j], zero beyond the last key.</summary>
    public static void PackKeys<S, V>(AttentionSizes sizes, float* from, nint stride, float* to) where S : ISimd<V> where V : unmanaged
    {
        for (int first = 0; first < sizes.Keys; first += Block)
            Pack.Transpose(sizes.HeadDim, Math.Min(Block, sizes.Keys - first), from + (first * stride), stride, Block, Block, to + ((nint)first * sizes.HeadDim));
    }

    /// <summary>
    /// Hides the scores from visible on: -infinity up to the next multiple of 16, so that the loops over the row need no tail (its
    /// exponential adds zero), and zero beyond. Returns where the zeros start.
    /// </summary>
    public static int MaskRow(float* row, int visible)
    {
        if (visible == Block)
            return Block;
        int whole = (visible + 15) & ~15;
        new Span<float>(row + visible, whole - visible).Fill(float.NegativeInfinity);
        new Span<float>(row + whole, Block - whole).Clear();
        return whole;
    }

    private void QueryBlock<S, V>(int batch, int head, int first, int rows, float* keys, float* values, Rows work) where S : ISimd<V> where V : unmanaged
    {
        int headDim = sizes.HeadDim, padded = sizes.PaddedDim;
        float* qRow = q + (((batch * (nint)sizes.Queries) + first) * qStride) + (head * headDim);
        new Span<float>(work.Output, rows * padded).Clear();
        new Span<float>(work.Max, rows).Fill(float.NegativeInfinity);
        new Span<float>(work.Sum, rows).Clear();
        for (int key = 0; sizes.Visible(first + rows - 1, key) is > 0 and var deepest; key += Block)
        {
            Tiles.Multiply<S, V>(rows, Block, headDim, qRow, qStride, 1, keys + ((nint)key * headDim), Block, work.Zeros, 0, work.Scores, Block, null);
            for (int r = 0; r < rows; r++)
                work.Absorb<S, V>(r, sizes.Visible(first + r, key), sizes.Scale, padded);
            Tiles.Multiply<S, V>(rows, padded, deepest, work.Scores, Block, 1, values + ((nint)key * padded), padded, work.Output, padded, work.Output, padded, null);
        }
        nint width = sizes.Heads * headDim;
        for (int r = 0; r < rows; r++)
        {
            float* to = y + (((batch * (nint)sizes.Queries) + first + r) * width) + (head * headDim);
            new ElementwiseLoop<ScaleOp.Scaled>(new ScaleOp.Scaled(work.Output + (r * padded), 1 / work.Sum[r], new(to, false))).Run<S, V>(0, headDim, null!);
            logSumExp[(((batch * (nint)sizes.Heads) + head) * sizes.Queries) + first + r] = MathF.FusedMultiplyAdd(work.Max[r], sizes.Scale, SimdMath.Log<SimdScalar, float>(work.Sum[r]));
        }
    }

    /// <summary>The running state of a block of queries.</summary>
    private readonly struct Rows(float* scores, float* output, float* max, float* sum, float* zeros)
    {
        public readonly float* Scores = scores; // [64, 64]: scores, then probabilities
        public readonly float* Output = output; // [64, D padded]
        public readonly float* Max = max;
        public readonly float* Sum = sum;
        public readonly float* Zeros = zeros; // where the chains of scores start

        /// <summary>
        /// One step of online softmax for row r: scores s = q . k become exp(scale (s - m)) with the new maximum m; what was summed before is
        /// rescaled by exp(scale (m before - m)). The largest becomes 1 exactly. Masked scores become zero, which adds nothing to any chain.
        /// </summary>
        public void Absorb<S, V>(int r, int visible, float scale, int padded) where S : ISimd<V> where V : unmanaged
        {
            float* row = Scores + (r * Block);
            int whole = MaskRow(row, visible);
            if (visible == 0)
                return;
            float before = Max[r], max = SimdScalar.Max(before, RowReduce.Max<S, V>(whole, row));
            float sum = RowReduce.Sum<S, V, ExpTerm>(whole, new ExpTerm(row, max, scale, row));
            Max[r] = max;
            float rescale = before == max ? 1 : before == float.NegativeInfinity ? 0 : SimdMath.Exp<SimdScalar, float>((before - max) * scale);
            Sum[r] = MathF.FusedMultiplyAdd(Sum[r], rescale, sum);
            if (rescale == 1 || before == float.NegativeInfinity) // nothing to rescale
                return;
            float* to = Output + (r * padded);
            new ElementwiseLoop<ScaleOp.Scaled>(new ScaleOp.Scaled(to, rescale, new(to, false))).Run<S, V>(0, padded, null!);
        }
    }
}
