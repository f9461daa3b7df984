using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The forward pass of the attention op: for every block of queries, walk the blocks
/// of keys from position 0 and keep a running maximum m, a running normaliser l and a running
/// output o per query, rescaled when m grows. Both products run on the same tiles as every other
/// matrix product. A query's arithmetic depends on itself and the visible keys alone. The last
/// query of a block sees every value that the block multiplies: its output is finite only if they
/// all are, else the block is done again row by row (see <see cref="AttentionBlock"/>). With a
/// window, blocks before that of the block's first query are skipped, and only all queries together
/// see every value.
/// </summary>
/// <typeparam name="R">The changes of scores.</typeparam>
internal readonly unsafe struct AttentionForward<R>(AttentionSizes sizes, ScoreTerms terms, int parts, Rows q,
    CacheRows k, CacheRows v, float* logSumExp, float* y) : IAttentionKernel<AttentionForward<R>>
    where R : unmanaged, IScoreRule
{
    private const int Block = AttentionSizes.Block;

    /// <summary>Independent chains of maxima and sums over the keys of a block.</summary>
    private const int KeyChains = 4;

    public static long ScratchFloats(AttentionSizes s) =>
        ((long)s.Keys * (s.PaddedDim + s.PaddedValueDim)) + (Block * Block) + (Block * (s.HeadDim + (long)s.WiderDim))
            + (4 * Block) + 256;

    public AttentionForward<R> ForSegment(nint first, int length) =>
        new(sizes.ForSegment(length), terms, parts, q.From(first, 0), k.From(first, 0), v.From(first, 0),
            logSumExp + (first * sizes.Heads), y + (first * sizes.Heads * sizes.ValueDim));

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int headDim = sizes.HeadDim, valueDim = sizes.ValueDim, group = sizes.Heads / sizes.KeyHeads;
        float* keys = scratch.Allocate((long)sizes.Keys * sizes.PaddedDim); // [Tk, D padded]
        float* values = scratch.Allocate((long)sizes.Keys * sizes.PaddedValueDim); // [Tk, Dv padded]
        var state = new State(scratch, sizes);
        for (nint item = begin; item < end; item++)
        {
            var (head, part) = ((int)(item / parts), (int)(item % parts));
            int batch = head / sizes.KeyHeads, keyHead = head % sizes.KeyHeads;
            nint row = batch * (nint)sizes.Keys;
            CacheRows kHead = k.From(row, keyHead * headDim), vHead = v.From(row, keyHead * valueDim);
            bool copies = sizes.PaysToCopy(parts) || !k.AreFloats;
            Rows kRows = copies ? kHead.Copied<S, V>(sizes.Keys, headDim, sizes.PaddedDim, 0, keys) : kHead.Floats,
                vRows = copies ? vHead.Copied<S, V>(sizes.Keys, valueDim, sizes.PaddedValueDim, 0, values)
                    : vHead.Floats;
            for (int i = (sizes.QueryBlocks * group) - 1 - part; i >= 0; i -= parts)
                QueryBlock<S, V>(batch, (keyHead * group) + (i % group), i / group * Block, kRows, vRows, state);
        }
    }

    /// <summary>The running state of a block of queries.</summary>
    private readonly struct State(Scratch scratch, AttentionSizes s)
    {
        public readonly float* Queries = scratch.Allocate((long)s.HeadDim * Block); // [D, queries], scaled
        public readonly float* Scores = scratch.Allocate(Block * Block); // [keys, queries]: scores, then probabilities
        public readonly float* Output = scratch.Allocate((long)Block * s.WiderDim); // [queries, Dv padded]
        public readonly float* Max = scratch.Allocate(Block);
        public readonly float* Sum = scratch.Allocate(Block);
        public readonly float* Rescale = scratch.Allocate(Block);
        public readonly float* Zeros = scratch.Allocate(Block); // where the chains of scores start
    }

    private void QueryBlock<S, V>(int batch, int head, int first, Rows keys, Rows values, State state)
        where S : ISimd<V> where V : unmanaged
    {
        int rows = Math.Min(Block, sizes.Queries - first);
        Walk<S, V>(batch, head, first, rows, false, keys, values, state);
        int firstChecked = sizes.IsWindowed ? 0 : rows - 1;
        if (!AttentionBlock.AllFinite<S, V>((rows - firstChecked) * sizes.PaddedValueDim,
            state.Output + (firstChecked * sizes.PaddedValueDim)))
            Walk<S, V>(batch, head, first, rows, true, keys, values, state);
        PutRows<S, V>(batch, head, first, rows, state);
    }

    /// <summary>Maxima, sums and outputs of a block of queries.</summary>
    private void Walk<S, V>(int batch, int head, int first, int rows, bool rowByRow, Rows keys,
        Rows values, State state)
        where S : ISimd<V> where V : unmanaged
    {
        int headDim = sizes.HeadDim, padded = sizes.PaddedDim, tile = 2 * S.Lanes;
        int width = (rows + tile - 1) / tile * tile;
        new Span<float>(state.Zeros, Block).Clear();
        new Span<float>(state.Max, width).Fill(terms.FirstMax(head, sizes.IsWindowed));
        new Span<float>(state.Sum, width).Fill(terms.Sinks == null ? 0 : 1);
        var queries = q.From((batch * (nint)sizes.Queries) + first, head * headDim);
        AttentionBlock.CopyScaled<S, V>(rows, headDim, queries, sizes.Scale, padded, state.Output);
        Pack.Transpose(headDim, rows, state.Output, padded, width, width, state.Queries);
        padded = sizes.PaddedValueDim;
        new Span<float>(state.Output, rows * padded).Clear();
        int visible = sizes.EndOf(first), end = Math.Min(visible + rows - 1, terms.KeysOf(batch, sizes.Keys));
        for (int key = sizes.StartBlock(visible); key < end; key = sizes.NextBlock(key, visible))
        {
            var block = new AttentionBlock(rows, Math.Min(Block, end - key), visible - key, sizes.Window,
                sizes.Sinks - key, width, rowByRow);
            for (int column = 0; column < width; column += tile)
            {
                int count = block.Scores<S, V>(column, headDim, keys.From(key, 0), state.Queries, state.Zeros,
                    state.Scores);
                if (R.Caps || R.Biases)
                    terms.Change<R, S, V>(count, tile, state.Scores + column, width,
                        terms.BiasOf(head) + first + column - key);
                block.Mask(column, tile, count, float.NegativeInfinity, state.Scores);
                for (; count % KeyChains != 0; count++)
                    new Span<float>(state.Scores + (count * width) + column, tile).Fill(float.NegativeInfinity);
                Absorb<S, V>(count, width, column, state);
                Absorb<S, V>(count, width, column + S.Lanes, state);
            }
            Rescale<S, V>(rows, state);
            block.AddToQueries<S, V>(padded, state.Scores, values.From(key, 0), new(state.Output, padded));
        }
    }

    /// <summary>
    /// One step of online softmax for a vector of queries: scores become exp(s - m) with the new
    /// maximum m; what was summed before is to be rescaled by exp(m before - m). The largest
    /// becomes 1 exactly. Keys are taken by fours, each in a chain of its own.
    /// </summary>
    private static void Absorb<S, V>(int keys, nint row, int column, State state) where S : ISimd<V> where V : unmanaged
    {
        float* s = state.Scores + column, end = s + (keys * row);
        V before = S.Load(state.Max + column), m0 = before, m1 = before, m2 = before, m3 = before;
        for (float* p = s; p < end; p += 4 * row)
        {
            m0 = S.Max(m0, S.Load(p));
            m1 = S.Max(m1, S.Load(p + row));
            m2 = S.Max(m2, S.Load(p + (2 * row)));
            m3 = S.Max(m3, S.Load(p + (3 * row)));
        }
        V max = S.Max(S.Max(m0, m1), S.Max(m2, m3)), s0 = S.Splat(0), s1 = s0, s2 = s0, s3 = s0;
        for (float* p = s; p < end; p += 4 * row)
        {
            s0 = S.Add(s0, Exponential<S, V>(p, max));
            s1 = S.Add(s1, Exponential<S, V>(p + row, max));
            s2 = S.Add(s2, Exponential<S, V>(p + (2 * row), max));
            s3 = S.Add(s3, Exponential<S, V>(p + (3 * row), max));
        }
        V rescale = SimdMath.ExpNormalOrZero<S, V>(S.Subtract(before, max));
        S.Store(state.Max + column, max);
        S.Store(state.Sum + column, S.Fma(S.Load(state.Sum + column), rescale, S.Add(S.Add(s0, s2), S.Add(s1, s3))));
        S.Store(state.Rescale + column, rescale);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Exponential<S, V>(float* s, V max) where S : ISimd<V> where V : unmanaged
    {
        V p = SimdMath.ExpNormalOrZero<S, V>(S.Subtract(S.Load(s), max));
        S.Store(s, p);
        return p;
    }

    private void Rescale<S, V>(int rows, State state) where S : ISimd<V> where V : unmanaged
    {
        int padded = sizes.PaddedValueDim;
        for (int r = 0; r < rows; r++)
            if (state.Rescale[r] != 1)
                new ElementwiseLoop<Scaled>(new Scaled(state.Output + (r * padded), state.Rescale[r],
                    new(state.Output + (r * padded), false))).Run<S, V>(0, padded, null!);
    }

    /// <summary>The outputs and L of a block of queries; zeros of one that sees no key.</summary>
    private void PutRows<S, V>(int batch, int head, int first, int rows, State state) where S : ISimd<V>
        where V : unmanaged
    {
        int keys = terms.KeysOf(batch, sizes.Keys);
        nint width = sizes.Heads * sizes.ValueDim, row = (batch * (nint)sizes.Queries) + first;
        float* lse = logSumExp + (((batch * (nint)sizes.Heads) + head) * sizes.Queries) + first;
        new ElementwiseLoop<LogSum>(new LogSum(state.Max, state.Sum, lse)).Run<S, V>(0, rows, null!);
        for (int r = 0; r < rows; r++)
        {
            bool isEmpty = terms.Sinks == null && sizes.SeesNone(first + r, keys);
            if (isEmpty)
                lse[r] = 0;
            new ElementwiseLoop<Scaled>(new Scaled(state.Output + (r * sizes.PaddedValueDim),
                isEmpty ? 0 : 1 / state.Sum[r], new(y + ((row + r) * width) + (head * sizes.ValueDim), false)))
                .Run<S, V>(0, sizes.ValueDim, null!);
        }
    }

    /// <summary>L = m + log l</summary>
    private readonly struct LogSum(float* max, float* sum, float* logSumExp) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(logSumExp + i, S.Add(S.Load(max + i), SimdMath.Log<S, V>(S.Load(sum + i))));
    }
}
