namespace Nano;

/// <summary>
/// The sizes of an attention problem. One item of work is a batch entry and a key head, with all
/// query heads that share it.
/// </summary>
/// <param name="Batch">Entries of the batch.</param>
/// <param name="Queries">Tq.</param>
/// <param name="Keys">Tk.</param>
/// <param name="Heads">H.</param>
/// <param name="KeyHeads">KV.</param>
/// <param name="HeadDim">Channels of a query and a key.</param>
/// <param name="ValueDim">Channels of a value.</param>
/// <param name="Scale">Factor on the scores.</param>
/// <param name="PaddedDim">HeadDim in whole tiles.</param>
/// <param name="PaddedValueDim">ValueDim in whole tiles.</param>
/// <param name="IsCausal">Whether a query sees no key behind it.</param>
/// <param name="Window">The most keys that a query sees before the end of those it may.</param>
/// <param name="Sinks">The first keys, which every query sees that is not before them.</param>
internal readonly record struct AttentionSizes(int Batch, int Queries, int Keys, int Heads, int KeyHeads, int HeadDim,
    int ValueDim, float Scale, int PaddedDim, int PaddedValueDim, bool IsCausal, int Window, int Sinks)
{
    /// <summary>
    /// Keys per block, counted from position 0, whatever the number of queries: a cached step
    /// visits the blocks of the full pass. Also queries per block. Eight tiles of 12 rows, three of
    /// 32 columns; scratch relies on it being whole tiles at every width.
    /// </summary>
    public const int Block = 96;

    /// <summary>Queries per head up to which the kernel of decoding steps is the faster one.</summary>
    public const int StepQueries = 8;

    /// <summary>
    /// Blocks of queries that must share keys and values to repay a copy, which brings rows that
    /// lie far apart together.
    /// </summary>
    private const int UsesPerCopy = 4;

    /// <summary>The position of query 0 among the keys.</summary>
    public int FirstPosition => IsCausal ? Keys - Queries : 0;

    /// <summary>
    /// The end of the keys that query 0 may see; to the next one it is one key later. Without a
    /// causal mask it lies behind all keys.
    /// </summary>
    private int FirstEnd => IsCausal ? Keys - Queries + 1 : Keys + 1;

    /// <summary>True if some query does not see all keys before its end.</summary>
    public bool IsWindowed => Window < FirstEnd + Queries - 1;

    /// <summary>The end of the keys that a query may see, not clamped to the keys there are.</summary>
    public int EndOf(int query) => FirstEnd + query;

    /// <summary>
    /// The start of the first block of keys visible to the queries that see all keys up to
    /// <paramref name="end"/>.
    /// </summary>
    public int FirstBlock(int end) => Math.Max(0, end - Window) / Block * Block;

    /// <summary>
    /// The start of the block to visit first by queries that may see the keys up to
    /// <paramref name="end"/>.
    /// </summary>
    public int StartBlock(int end) => Sinks > 0 ? 0 : FirstBlock(end);

    /// <summary>The start of the block to visit after the one that starts at a key.</summary>
    public int NextBlock(int key, int end) =>
        key + Block < Sinks ? key + Block : Math.Max(key + Block, FirstBlock(end));

    /// <summary>True if a query sees none of the keys before an end.</summary>
    public bool SeesNone(int query, int keys) =>
        Math.Min(keys, EndOf(query)) <= (Sinks > 0 ? 0 : Math.Max(0, EndOf(query) - Window));

    /// <summary>Pairs of a query and a key that it sees, of one head and the keys before an end.</summary>
    public double Pairs(int keys)
    {
        double pairs = 0;
        for (int query = 0; query < Queries; query++)
        {
            int end = Math.Min(keys, EndOf(query)), first = Math.Max(0, EndOf(query) - Window);
            pairs += Math.Max(0, end - first) + Math.Min(Math.Min(Sinks, first), end);
        }
        return pairs;
    }

    /// <summary>Blocks of queries of one head.</summary>
    public int QueryBlocks => (Queries + Block - 1) / Block;

    /// <summary>Blocks of keys of one head.</summary>
    public int KeyBlocks => (Keys + Block - 1) / Block;

    /// <summary>Floats of a row that holds the channels of a key or of a value.</summary>
    public int WiderDim => Math.Max(PaddedDim, PaddedValueDim);

    /// <summary>Query heads that share a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>
    /// True if an item of work should copy its keys and values: they are read often enough, or the
    /// head dimension needs padding to whole tiles.
    /// </summary>
    public bool PaysToCopy(int parts) => PaddedDim != HeadDim || PaddedValueDim != ValueDim
        || QueryBlocks * Group > UsesPerCopy * parts;

    /// <summary>
    /// Into how many items the blocks of queries of one key head are split, so that every thread
    /// has a few.
    /// </summary>
    public int Parts(int threads) => threads == 1 ? 1
        : Math.Clamp(4 * threads / Math.Max(1, Batch * KeyHeads), 1, Math.Max(1, QueryBlocks * Group));

    /// <summary>
    /// True if the backward pass should run twice: 1.5 times the work, but split by blocks instead
    /// of by key heads.
    /// </summary>
    public bool PaysToPassTwice(int threads) => 3 * Batch * KeyHeads < 2 * threads && QueryBlocks > 2;

    /// <summary>The sizes for a single document of this length.</summary>
    public AttentionSizes ForSegment(int length)
    {
        var sizes = this with { Batch = 1, Queries = length, Keys = length };
        return sizes with { Window = Math.Min(Window, sizes.EndOf(length - 1)) };
    }

    /// <summary>The sizes of a causal problem without a window.</summary>
    public static AttentionSizes Of(int batch, int queries, int keys, int heads, int keyHeads, int headDim,
        int valueDim, float scale, SimdWidth width)
    {
        int tile = Gemm.TileN(width);
        return new(batch, queries, keys, heads, keyHeads, headDim, valueDim, scale,
            (headDim + tile - 1) / tile * tile, (valueDim + tile - 1) / tile * tile, true, keys, 0);
    }

    /// <summary>These with another mask; a window of 0 is none.</summary>
    public AttentionSizes Masked(bool isCausal, int window, int sinks)
    {
        var sizes = this with { IsCausal = isCausal, Sinks = sinks };
        int all = sizes.EndOf(Queries - 1);
        return sizes with { Window = window == 0 ? all : Math.Min(window, all) };
    }
}
