namespace Nano;

/// <summary>
/// One pass of a bfloat16 product: rows of one operand times panels of the other. An item of work is a block of
/// rows by a block of panels. Its rows are packed a K-block at a time. A transposed block lives in scratch, as
/// rows by columns, and is transposed into C when its chains are done.
/// </summary>
internal readonly unsafe struct BFloat16Blocks : IKernel
{
    private const int TileM = DotTile.Rows, TileN = DotPairs.Columns;

    /// <summary>Tiles per block: 96 rows x 512 steps are 104 KB of a second-level cache.</summary>
    private const int BlockTiles = 8;

    /// <summary>Panels per block: 16 times 512 steps are 512 KB, a transposed block of 96 x 512 sums is 192 KB.</summary>
    private const int BlockPanels = 16;

    private readonly int rows, columns, steps, rowBlock, panelBlock, rowParts, panelParts;
    private readonly Matrix read; // [rows, steps]
    private readonly uint* panels;
    private readonly float* bias;
    private readonly ChainStart start;
    private readonly Matrix target; // C of the loops [rows, columns]
    private readonly bool emitted;

    public BFloat16Blocks(int rows, int columns, int steps, Matrix read, uint* panels, ChainStart start, float* bias,
        Matrix target, int threads, bool emitted)
    {
        (this.rows, this.columns, this.steps, this.read, this.start, this.target, this.emitted) =
            (rows, columns, steps, read, start, target, emitted);
        this.panels = panels;
        this.bias = bias;
        // Large blocks, but at least four for each thread if there is that much work: panels are parted
        // first, then rows.
        int wanted = threads == 1 ? 1 : 4 * threads, tiles = Parts(rows, TileM), panelCount = Parts(columns, TileN);
        rowParts = Parts(tiles, BlockTiles);
        panelParts = Math.Clamp(Parts(wanted, rowParts), Parts(panelCount, BlockPanels), panelCount);
        rowParts = Math.Clamp(Parts(wanted, panelParts), rowParts, tiles);
        rowBlock = Parts(tiles, rowParts) * TileM;
        rowParts = Parts(rows, rowBlock);
        panelBlock = Parts(panelCount, panelParts);
        panelParts = Parts(panelCount, panelBlock);

        static int Parts(int whole, int part) => (whole + part - 1) / part;
    }

    public nint Items => (nint)rowParts * panelParts;

    public long ScratchFloats => PairRows.Floats(rowBlock) + Scratch.RoundUp(TileM * TileN)
        + (Transposes ? Scratch.RoundUp((long)rowBlock * panelBlock * TileN) : 0);

    /// <summary>True if C^T is computed: then the loops' C lies with its columns side by side.</summary>
    private bool Transposes => target.PerColumn != 1;

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        uint* packed = (uint*)scratch.Allocate(PairRows.Floats(rowBlock));
        float* edge = scratch.Allocate(TileM * TileN);
        float* sums = Transposes ? scratch.Allocate((long)rowBlock * panelBlock * TileN) : null;
        for (nint item = begin; item < end; item++)
        {
            int row = (int)(item / panelParts) * rowBlock, height = Math.Min(rowBlock, rows - row);
            int first = (int)(item % panelParts) * panelBlock * TileN,
                width = Math.Min(panelBlock * TileN, columns - first);
            var to = target.From(row, first);
            int padded = (width + TileN - 1) / TileN * TileN;
            var c = Transposes ? new Rows(sums, padded) : new Rows(to.Pointer, to.PerRow);
            for (int r = 0; r < height && start != ChainStart.FromC; r++)
                StartRow(new Span<float>(c.At(r), width), row + r, first);
            if (Transposes && start == ChainStart.FromC)
                Pack.Transpose(height, width, to.Pointer, to.PerColumn, padded, padded, sums);
            Chains<S, V>(row, height, Transposes ? padded : width, panels + ((nint)first * ((steps + 1) / 2)), c, packed,
                edge);
            if (Transposes)
                Pack.Transpose(width, height, sums, padded, 0, to.PerColumn, to.Pointer);
        }
    }

    /// <summary>The starts of a row's chains, unless they are in C.</summary>
    private void StartRow(Span<float> sums, int row, int column)
    {
        if (start == ChainStart.Zero)
            sums.Clear();
        else if (Transposes)
            sums.Fill(bias[row]);
        else
            new ReadOnlySpan<float>(bias + column, sums.Length).CopyTo(sums);
    }

    /// <summary>All chains of a block, a K-block at a time.</summary>
    private void Chains<S, V>(int firstRow, int height, int width, uint* blockPanels, Rows c, uint* packed,
        float* edge) where S : ISimd<V> where V : unmanaged
    {
        int pairs = (steps + 1) / 2;
        for (int k = 0; k < steps; k += PairRows.KBlock)
        {
            int depth = Math.Min(PairRows.KBlock, steps - k), visitPairs = (depth + 1) / 2;
            PairRows.Pack<S, V>(read.From(firstRow, k), rows - firstRow, height, depth, packed);
            for (int column = 0; column < width; column += TileN)
                for (int row = 0; row < height; row += TileM)
                {
                    var (tileRows, tileColumns) = (Math.Min(TileM, height - row), Math.Min(TileN, width - column));
                    uint* panel = blockPanels + ((nint)column * pairs) + (k / 2 * TileN);
                    var part = c.From(row, column);
                    if (tileColumns == TileN)
                    {
                        Tile<S, V>(tileRows, visitPairs, PairRows.Tile(packed, row), panel, part);
                        continue;
                    }
                    var whole = part.Copied<S, V>(tileRows, tileColumns, TileN, edge);
                    Tile<S, V>(tileRows, visitPairs, PairRows.Tile(packed, row), panel, whole);
                    Pack.Copy<S, V>(tileRows, tileColumns, edge, TileN, tileColumns, part.Stride, part.First);
                }
        }
    }

    private void Tile<S, V>(int tileRows, int pairs, uint* a, uint* panel, Rows c) where S : ISimd<V> where V : unmanaged
    {
        bool byRow = read.PerColumn == 1;
        if (emitted)
            DotTile.Code(tileRows, byRow)(pairs, a, panel, c.First, c.Stride * sizeof(float));
        else
            DotPairs.Multiply<S, V>(tileRows, pairs, a, byRow ? PairRows.RowStride : 1,
                byRow ? 1 : PairRows.StepStride, panel, c.First, c.Stride);
    }
}
