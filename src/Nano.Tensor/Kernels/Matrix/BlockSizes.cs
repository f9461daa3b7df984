namespace Nano;

/// <summary>
/// The sizes by which a matrix product is cut, from those of the caches. They decide its speed, never a bit
/// of its result.
/// </summary>
/// <param name="KBlock">
/// k per visit of a tile, whose sums are loaded and stored once in that many steps.
/// </param>
/// <param name="PanelFloats">Floats of one pass's panels: a part of the last-level cache.</param>
/// <param name="Caches">The caches, for the rule of crowded rows.</param>
internal readonly record struct BlockSizes(int KBlock, int PanelFloats, CacheSizes Caches)
{
    /// <summary>Rows of a register tile.</summary>
    public const int TileM = 12;

    /// <summary>
    /// Tiles per block: 96 rows by a K-block lie in the second-level cache, and as many are being fetched.
    /// </summary>
    public const int BlockTiles = 8;

    /// <summary>Panels per block: a transposed block of 96 x 512 sums is 192 KB.</summary>
    public const int BlockPanels = 16;

    private const int LongestKBlock = 512, ShortestKBlock = 128;

    /// <summary>
    /// The K-block is the longest with which a block's rows, those that are being fetched and a panel's part take at
    /// most half of L2; panels take an eighth of L3, from 4 to 16 MB.
    /// </summary>
    public static BlockSizes For(CacheSizes caches)
    {
        int kBlock = LongestKBlock;
        while (kBlock > ShortestKBlock && ((2 * TileM * BlockTiles) + 32) * sizeof(float) * kBlock > caches.L2 / 2)
            kBlock /= 2;
        return new BlockSizes(kBlock, Math.Clamp(caches.L3 / 8, 4 << 20, 16 << 20) / sizeof(float), caches);
    }

    /// <summary>True if rows of A with this stride, in floats, are better copied than read in place.</summary>
    public bool IsCrowded(nint stride) => Caches.IsCrowded(TileM, (long)stride * sizeof(float));
}
