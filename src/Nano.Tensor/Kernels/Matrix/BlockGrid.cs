namespace Nano;

/// <summary>
/// The cut of a product C [rows, columns] into items of work, each a block of rows by a block of panels, in an order
/// that lets each thread read as much as it can of what no other reads: rows come first if there are more rows than
/// columns, and each thread reads a part of the rows alone; else panels come first, and a thread mostly reads those
/// that it has packed.
/// </summary>
internal readonly struct BlockGrid
{
    /// <summary>
    /// Products of fewer multiply-adds than this run on the calling thread: two dispatches cost a
    /// few microseconds.
    /// </summary>
    private const long WorthSharing = 1 << 20;

    private readonly int rows, columns, rowParts, panelParts, tileN, panelBlock;
    private readonly bool rowsFirst;

    /// <summary>
    /// Large blocks, but at least four for each thread if there is that much work: panels are parted
    /// first, then rows. Unless rows come first, each thread has panels of its own if there are enough.
    /// </summary>
    public BlockGrid(int rows, int columns, int tileN, int threads)
    {
        (this.rows, this.columns, this.tileN, rowsFirst) = (rows, columns, tileN, rows > columns);
        int wanted = threads == 1 ? 1 : 4 * threads, tiles = Parts(rows, BlockSizes.TileM),
            panels = Parts(columns, tileN);
        rowParts = Parts(tiles, BlockSizes.BlockTiles);
        int least = Math.Max(Parts(panels, BlockSizes.BlockPanels), Parts(wanted, rowParts));
        panelParts = Math.Min(rowsFirst ? least : Parts(least, threads) * threads, panels);
        rowParts = Math.Clamp(Parts(wanted, panelParts), rowParts, tiles);
        RowBlock = Parts(tiles, rowParts) * BlockSizes.TileM;
        rowParts = Parts(rows, RowBlock);
        panelBlock = Parts(panels, panelParts);
        panelParts = Parts(panels, panelBlock);
        Items = (nint)rowParts * panelParts;
    }

    /// <summary>Rows of a block.</summary>
    public int RowBlock { get; }

    /// <summary>Columns of a block, of whole panels.</summary>
    public int Width => panelBlock * tileN;

    /// <summary>Blocks in all.</summary>
    public nint Items { get; }

    /// <summary>The first row of an item, and its number of rows.</summary>
    public (int Row, int Height) RowsOf(nint item)
    {
        int row = (int)(rowsFirst ? item / panelParts : item % rowParts) * RowBlock;
        return (row, Math.Min(RowBlock, rows - row));
    }

    /// <summary>The first column of an item, and its number of columns.</summary>
    public (int Column, int Width) ColumnsOf(nint item)
    {
        int column = (int)(rowsFirst ? item % panelParts : item / rowParts) * Width;
        return (column, Math.Min(Width, columns - column));
    }

    /// <summary>The threads that a product of these sizes is worth.</summary>
    public static int Threads(Compute compute, int m, int n, int k) =>
        (long)m * n * k >= WorthSharing ? compute.Threads : 1;

    /// <summary>Items per chunk: four chunks for each thread, or one in all.</summary>
    public static nint Chunk(nint items, int threads) =>
        Math.Max(1, threads == 1 ? items : items / (4 * threads));

    private static int Parts(int whole, int part) => (whole + part - 1) / part;
}
