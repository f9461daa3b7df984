namespace Nano;

/// <summary>
/// The sizes of an attention problem. One item of work is a batch entry and a key head, with all
/// query heads that share it.
/// </summary>
internal readonly record struct AttentionSizes(int Batch, int Queries, int Keys, int Heads, int KeyHeads, int HeadDim,
    float Scale, int PaddedDim, int Window)
{
    /// <summary>
    /// Keys per block, counted from position 0, whatever the number of queries: a cached step
    /// visits the blocks of the full pass. Also queries per block. Eight tiles of 12 rows, three of
    /// 32 columns; scratch relies on it being whole tiles at every width.
    /// </summary>
    public const int Block = 96;

    /// <summary>
    /// Blocks of queries that must share keys and values to repay a copy, which brings rows that
    /// lie far apart together.
    /// </summary>
    private const int UsesPerCopy = 4;

    /// <summary>True if some query does not see all keys before it.</summary>
    public bool IsWindowed => Window < Keys;

    /// <summary>
    /// The start of the first block of keys visible to the queries that see all keys up to
    /// <paramref name="end"/>.
    /// </summary>
    public int FirstBlock(int end) => Math.Max(0, end - Window) / Block * Block;

    /// <summary>Blocks of queries of one head.</summary>
    public int QueryBlocks => (Queries + Block - 1) / Block;

    /// <summary>Query heads that share a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>
    /// True if an item of work should copy its keys and values: they are read often enough, or the
    /// head dimension needs padding to whole tiles.
    /// </summary>
    public bool PaysToCopy(int parts) => PaddedDim != HeadDim || QueryBlocks * Group > UsesPerCopy * parts;

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
    public AttentionSizes ForSegment(int length) =>
        this with { Batch = 1, Queries = length, Keys = length, Window = Math.Min(Window, length) };

    /// <summary>
    /// The sizes of a problem; with segments, those of the longest, as often as the rows are a
    /// multiple of it.
    /// </summary>
    public static AttentionSizes Of(Tensor q, Tensor k, int heads, int keyHeads, float scale, int window,
        SimdWidth width, Segments? segments)
    {
        int keys = segments?.Longest ?? k.Shape[1], queries = segments is null ? q.Shape[1] : keys;
        int batch = segments is null ? q.Shape[0] : segments.Rows / Math.Max(1, keys);
        return Of(batch, queries, keys, heads, keyHeads, q.Shape[2] / heads, scale, window, width);
    }

    /// <summary>The sizes of a problem; a window of 0 is none.</summary>
    public static AttentionSizes Of(int batch, int queries, int keys, int heads, int keyHeads, int headDim, float scale,
        int window, SimdWidth width)
    {
        int tile = Gemm.TileN(width);
        return new AttentionSizes(batch, queries, keys, heads, keyHeads, headDim, scale,
            (headDim + tile - 1) / tile * tile, window == 0 ? keys : Math.Min(window, keys));
    }
}
