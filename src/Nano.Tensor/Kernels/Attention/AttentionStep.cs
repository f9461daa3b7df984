using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// The attention op for a few queries over many keys, as in decoding with a cache:
/// the arithmetic of <see cref="AttentionForward{R}"/>, hence its bits, but with SIMD lanes along
/// keys, since there are no queries to fill them with. The queries of all heads that share a key
/// head are the rows, so each block of keys is transposed once, in the L1 cache. Where queries see
/// different keys, the last one (with a window, all together) tells as there whether all values are
/// finite; if not, rows are multiplied one by one.
/// </summary>
/// <typeparam name="R">The changes of scores.</typeparam>
internal readonly unsafe struct AttentionStep<R>(AttentionSizes sizes, ScoreTerms terms, Rows q, CacheRows k,
    CacheRows v, float* logSumExp, float* y) : IKernel where R : unmanaged, IScoreRule
{
    private const int Block = AttentionSizes.Block;

    private static int RowsOf(AttentionSizes s) => s.Queries * (s.Heads / s.KeyHeads);

    public static long ScratchFloats(AttentionSizes s) =>
        (Block * ((long)s.HeadDim + s.WiderDim)) + (RowsOf(s) * ((long)s.HeadDim + s.PaddedValueDim + Block + 2))
            + Block + 256;

    /// <summary>The running state of all rows of an item of work.</summary>
    private readonly struct State(Scratch scratch, AttentionSizes s)
    {
        public readonly float* KeysT = scratch.Allocate((long)Block * s.HeadDim); // [D, keys]
        // [keys, channels padded]: keys, then values, where they are not read in place
        public readonly float* Rows = scratch.Allocate((long)Block * s.WiderDim);
        public readonly float* Queries = scratch.Allocate((long)RowsOf(s) * s.HeadDim); // [rows, D], scaled
        public readonly float* Output = scratch.Allocate((long)RowsOf(s) * s.PaddedValueDim); // [rows, Dv padded]
        public readonly float* Scores = scratch.Allocate((long)RowsOf(s) * Block); // [rows, keys]
        public readonly float* Max = scratch.Allocate(RowsOf(s));
        public readonly float* Sum = scratch.Allocate(RowsOf(s));
        public readonly float* Zeros = scratch.Allocate(Block); // where the chains of scores start
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int rows = RowsOf(sizes), valueDim = sizes.ValueDim, padded = sizes.PaddedValueDim;
        var state = new State(scratch, sizes);
        new Span<float>(state.Zeros, Block).Clear();
        for (nint item = begin; item < end; item++)
        {
            int batch = (int)(item / sizes.KeyHeads), keyHead = (int)(item % sizes.KeyHeads);
            Walk<S, V>(batch, keyHead, false, state);
            bool finite = sizes.IsWindowed ? AttentionBlock.AllFinite<S, V>(rows * padded, state.Output)
                : sizes.Queries == 1
                    || AttentionBlock.AllFinite<S, V>(padded, state.Output + ((sizes.Queries - 1) * padded));
            if (!finite)
                Walk<S, V>(batch, keyHead, true, state);
            for (int r = 0; r < rows; r++)
            {
                bool isEmpty = terms.Sinks == null
                    && sizes.SeesNone(r % sizes.Queries, terms.KeysOf(batch, sizes.Keys));
                AttentionBlock.CopyScaled<S, V>(1, valueDim, new(state.Output + (r * padded), 0),
                    isEmpty ? 0 : 1 / state.Sum[r], 0,
                    y + (((TokenOf(batch, r) * sizes.Heads) + HeadOf(keyHead, r)) * valueDim));
                logSumExp[(((batch * (nint)sizes.Heads) + HeadOf(keyHead, r)) * sizes.Queries) + (r % sizes.Queries)] =
                    isEmpty ? 0 : state.Max[r] + SimdMath.Log<SimdScalar, float>(state.Sum[r]);
            }
        }
    }

    /// <summary>Maxima, sums and outputs of the rows of an item of work.</summary>
    private void Walk<S, V>(int batch, int keyHead, bool rowByRow, State state) where S : ISimd<V> where V : unmanaged
    {
        int rows = RowsOf(sizes), headDim = sizes.HeadDim, count = terms.KeysOf(batch, sizes.Keys);
        CacheRows keys = k.From(batch * (nint)sizes.Keys, keyHead * headDim),
            values = v.From(batch * (nint)sizes.Keys, keyHead * sizes.ValueDim);
        for (int r = 0; r < rows; r++)
            AttentionBlock.CopyScaled<S, V>(1, headDim,
                q.From(TokenOf(batch, r), HeadOf(keyHead, r) * headDim), sizes.Scale, 0, state.Queries + (r * headDim));
        new Span<float>(state.Output, rows * sizes.PaddedValueDim).Clear();
        for (int r = 0; r < rows; r++)
            state.Max[r] = terms.FirstMax(HeadOf(keyHead, r), false);
        new Span<float>(state.Sum, rows).Fill(terms.Sinks == null ? 0 : 1);
        int visible = sizes.EndOf(0), end = Math.Min(count, sizes.EndOf(sizes.Queries - 1));
        for (int key = sizes.StartBlock(visible); key < end; key = sizes.NextBlock(key, visible))
            KeyBlock<S, V>(keyHead, key, Math.Min(Block, end - key), rowByRow, keys.From(key, 0),
                values.From(key, 0), state);
    }

    /// <summary>The row of q [B * Tq, H * D] to which a row belongs.</summary>
    private nint TokenOf(int batch, int row) => (batch * (nint)sizes.Queries) + (row % sizes.Queries);

    private int HeadOf(int keyHead, int row) => (keyHead * (sizes.Heads / sizes.KeyHeads)) + (row / sizes.Queries);

    /// <summary>One block of keys, from a key on.</summary>
    private void KeyBlock<S, V>(int keyHead, int key, int keys, bool rowByRow, CacheRows k, CacheRows v, State state)
        where S : ISimd<V> where V : unmanaged
    {
        int rows = RowsOf(sizes), headDim = sizes.HeadDim, padded = sizes.PaddedValueDim, tile = 2 * S.Lanes,
            width = (keys + tile - 1) / tile * tile;
        if (k.AreFloats)
            TransposeKeys(keys, headDim, k.Floats, k.From(Block, 0).Floats, v.From(Block, 0).Floats, width,
                state.KeysT);
        else // the copy has asked for the next block
            TransposeKeys(keys, headDim, k.Copied<S, V>(keys, headDim, sizes.PaddedDim, Block, state.Rows), default,
                default, width, state.KeysT);
        Tiles.Multiply<S, V>(rows, width, headDim, new(state.Queries, headDim), new(state.KeysT, width),
            new(state.Zeros, 0), new(state.Scores, Block), null);
        for (int r = 0; r < rows; r++)
        {
            if (R.Caps || R.Biases)
                terms.Change<R, S, V>(1, width, state.Scores + (r * Block), 0,
                    terms.BiasOf(HeadOf(keyHead, r)) + key - (r % sizes.Queries));
            var (sinks, first, end) = Visible(r, key, keys);
            if (sinks > 0 || first < end)
                Absorb<S, V>(r, sinks, first, end, state);
            else
                new Span<float>(state.Scores + (r * Block), keys).Clear();
        }
        var values = v.AreFloats && padded == sizes.ValueDim ? v.Floats
            : v.Copied<S, V>(keys, sizes.ValueDim, padded, Block, state.Rows);
        if (!rowByRow)
            Add<S, V>(0, rows, 0, keys, values, state);
        for (int r = 0; r < rows && rowByRow; r++)
        {
            var (sinks, first, end) = Visible(r, key, keys);
            Add<S, V>(r, 1, 0, sinks, values, state);
            Add<S, V>(r, 1, first, end, values, state);
        }
    }

    /// <summary>The values of keys [first, end), weighed, are added to the outputs of rows.</summary>
    private void Add<S, V>(int row, int rows, int first, int end, Rows values, State state) where S : ISimd<V>
        where V : unmanaged
    {
        int padded = sizes.PaddedValueDim;
        var output = new Rows(state.Output + (row * padded), padded);
        Tiles.Multiply<S, V>(rows, padded, end - first, new(state.Scores + (row * Block) + first, Block),
            values.From(first, 0), output, output, null);
    }

    /// <summary>
    /// to[d * width + key] = k[key, d], four by four. Rows of one head lie far apart, which no hardware
    /// prefetcher follows: every four by four asks for one line of the keys and one of the values of the next
    /// block, so that memory works while this block is computed. A method of its own has the registers to itself.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TransposeKeys(int keys, int headDim, Rows k, Rows nextKeys, Rows nextValues, nint width,
        float* to)
    {
        int wholeKeys = keys & ~3, wholeDim = headDim & ~3;
        for (int key = 0; key < wholeKeys; key += 4)
        {
            float* from = k.At(key), at = to + key;
            for (nint d = 0; d < wholeDim; d += 4, at += 4 * width)
            {
                nint row = key + ((d >> 2) & 3), column = d & -16; // lines of 16 floats, of four rows in turn
                FetchList.FetchLater(nextKeys.At(row) + column);
                FetchList.FetchLater(nextValues.At(row) + column);
                var (first, second, third, fourth) = Pack.LoadTransposed(from + d, k.Stride);
                first.Store(at);
                second.Store(at + width);
                third.Store(at + (2 * width));
                fourth.Store(at + (3 * width));
            }
        }
        for (int key = 0; key < keys; key++)
            for (int d = key < wholeKeys ? wholeDim : 0; d < headDim; d++)
                to[(d * width) + key] = k.At(key)[d];
    }

    /// <summary>The keys of a block from a key on that a row sees: the sinks, and a range behind them.</summary>
    private (int Sinks, int First, int End) Visible(int row, int key, int keys)
    {
        int end = sizes.EndOf(row % sizes.Queries) - key, first = Math.Clamp(end - sizes.Window, 0, keys);
        end = Math.Clamp(end, 0, keys);
        return (Math.Clamp(sizes.Sinks - key, 0, Math.Min(first, end)), first, end);
    }

    /// <summary>
    /// One step of online softmax for a row, see <see cref="AttentionForward{R}"/>: key j of the block
    /// belongs to chain j mod 4.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Absorb<S, V>(int r, int sinks, int first, int end, State state) where S : ISimd<V> where V : unmanaged
    {
        float* row = state.Scores + (r * Block);
        new Span<float>(row + sinks, first - sinks).Fill(float.NegativeInfinity);
        new Span<float>(row + end, Block - end).Fill(float.NegativeInfinity);
        float before = state.Max[r], max = SimdScalar.Max(before, RowReduce.Max<S, V>(Block, row));
        new ElementwiseLoop<Exponential>(new Exponential(row, max)).Run<S, V>(0, Block, null!);
        var chains = Vector128<float>.Zero;
        for (int key = 0; key < end; key += Vector128<float>.Count)
            chains += Vector128.Load(row + key);
        var two = chains + Vector128.Shuffle(chains, Vector128.Create(2, 3, 2, 3));
        float rescale = SimdMath.ExpNormalOrZero<SimdScalar, float>(before - max);
        state.Max[r] = max;
        state.Sum[r] = MathF.FusedMultiplyAdd(state.Sum[r], rescale, two[0] + two[1]);
        if (rescale != 1)
            AttentionBlock.CopyScaled<S, V>(1, sizes.PaddedValueDim, new(state.Output + (r * sizes.PaddedValueDim), 0),
                rescale, 0, state.Output + (r * sizes.PaddedValueDim));
    }

    /// <summary>x becomes exp(x - max).</summary>
    private readonly struct Exponential(float* x, float max) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(x + i, SimdMath.ExpNormalOrZero<S, V>(S.Subtract(S.Load(x + i), S.Splat(max))));
    }
}
