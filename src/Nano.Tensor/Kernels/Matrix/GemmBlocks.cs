namespace Nano;

/// <summary>
/// One pass of a product: rows of one operand, read in place, times panels of the other. An item of
/// work is a block of <see cref="BlockGrid"/>. A transposed block lives in scratch, as rows by
/// columns, and is transposed into C when its chains are done.
/// </summary>
internal readonly unsafe struct GemmBlocks : IKernel
{
    private const int TileM = BlockSizes.TileM;

    /// <summary>Floats per cache line.</summary>
    private const int Line = 16;

    private readonly int rows, steps, panelWidth;
    private readonly BlockGrid grid;
    private readonly Matrix read; // [rows, steps]
    private readonly float* panels, bias;
    private readonly ChainStart start;
    private readonly Matrix target; // C of the loops [rows, columns]
    private readonly BlockSizes sizes;

    public GemmBlocks(int rows, int columns, int steps, Matrix read, float* panels, int panelWidth, ChainStart start,
        float* bias, Matrix target, BlockSizes sizes, int threads, int tileN)
    {
        (this.rows, this.steps, this.read, this.start, this.target, this.sizes) =
            (rows, steps, read, start, target, sizes);
        this.panels = panels;
        this.panelWidth = panelWidth;
        this.bias = bias;
        grid = new BlockGrid(rows, columns, tileN, threads);
    }

    public nint Items => grid.Items;

    /// <summary>True if C^T is computed: then the loops' C lies with its columns side by side.</summary>
    private bool Transposes => target.PerColumn != 1;

    /// <summary>
    /// True if the rows of a block are copied, K-block by K-block, because they would push each other out.
    /// </summary>
    private bool Copies => read.PerColumn == 1 && sizes.IsCrowded(read.PerRow);

    /// <summary>A line more than a K-block apart, copied rows are spread over the sets.</summary>
    private int CopyStride => sizes.KBlock + Line;

    public long ScratchFloats(int tileN) =>
        Scratch.RoundUp(TileM * tileN) + Scratch.RoundUp((long)grid.RowBlock * tileN) + FetchList.Floats(sizes.KBlock)
            + (Transposes ? Scratch.RoundUp((long)grid.RowBlock * grid.Width) : 0)
            + (Copies ? Scratch.RoundUp((long)grid.RowBlock * CopyStride) : 0);

    /// <summary>A worker's memory.</summary>
    private readonly struct Buffers(Scratch scratch, in GemmBlocks product, int tileN)
    {
        public readonly float* Edge = scratch.Allocate(TileM * tileN); // the tile of a last, narrow column
        public readonly float* Starts = scratch.Allocate((long)product.grid.RowBlock * tileN); // of chains
        public readonly FetchList List = new(scratch, product.sizes.KBlock);
        public readonly float* Transposed = // [rows, columns] of a block
            product.Transposes ? scratch.Allocate((long)product.grid.RowBlock * product.grid.Width) : null;
        public readonly float* Copy = // [rows of a block, K-block]
            product.Copies ? scratch.Allocate((long)product.grid.RowBlock * product.CopyStride) : null;
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int tileN = 2 * S.Lanes;
        var buffers = new Buffers(scratch, this, tileN);
        new Span<float>(buffers.Starts, tileN).Clear();
        for (nint item = begin; item < end; item++)
        {
            var (row, height) = grid.RowsOf(item);
            var (first, width) = grid.ColumnsOf(item);
            int nextRow = item + 1 < end ? grid.RowsOf(item + 1).Row : row;
            var block = new Block(row, height, first, width, nextRow);
            var to = target.From(row, first);
            if (Transposes)
                TransposedBlock<S, V>(block, to, buffers);
            else
                Chains<S, V>(block, start switch
                {
                    ChainStart.FromC => new Rows(to.Pointer, to.PerRow),
                    ChainStart.Bias => new Rows(bias + first, 0),
                    _ => new Rows(buffers.Starts, 0),
                }, oneStart: start == ChainStart.Zero, new Rows(to.Pointer, to.PerRow), buffers);
        }
    }

    /// <summary>A block of C^T, in scratch, transposed into C at the end.</summary>
    private void TransposedBlock<S, V>(Block block, Matrix to, Buffers buffers) where S : ISimd<V> where V : unmanaged
    {
        int tileN = 2 * S.Lanes, padded = (block.Width + S.Lanes - 1) / S.Lanes * S.Lanes;
        var sums = new Rows(buffers.Transposed, padded);
        if (start == ChainStart.FromC)
            Pack.Transpose(block.Height, block.Width, to.Pointer, to.PerColumn, padded, padded, sums.First);
        else
            for (int r = 0; r < block.Height; r++)
                new Span<float>(buffers.Starts + (r * tileN), tileN)
                    .Fill(start == ChainStart.Bias ? bias[block.Row + r] : 0);
        bool fromC = start == ChainStart.FromC;
        Chains<S, V>(block with { Width = padded }, fromC ? sums : new Rows(buffers.Starts, tileN), !fromC, sums,
            buffers);
        Pack.Transpose(block.Width, block.Height, sums.First, padded, 0, to.PerColumn, to.Pointer);
    }

    /// <summary>
    /// Rows [Row, Row + Height) and Width columns from Column on; NextRow is where this thread goes
    /// afterwards.
    /// </summary>
    private readonly struct Block(int row, int height, int column, int width, int nextRow)
    {
        public readonly int Row = row, Height = height, Column = column, NextRow = nextRow;

        public int Width { get; init; } = width;
    }

    /// <summary>
    /// All chains of a block, a K-block at a time; meanwhile what comes next is fetched into the cache.
    /// </summary>
    /// <param name="block">The block.</param>
    /// <param name="from">The start of the chains: a row for each row of the block.</param>
    /// <param name="oneStart">True if these are one tile wide and serve all columns.</param>
    /// <param name="to">C, or the scratch of a transposed block.</param>
    /// <param name="buffers">The worker's memory.</param>
    private void Chains<S, V>(Block block, Rows from, bool oneStart, Rows to, Buffers buffers) where S : ISimd<V>
        where V : unmanaged
    {
        int tileN = 2 * S.Lanes, visits = (block.Height + TileM - 1) / TileM * ((block.Width + tileN - 1) / tileN);
        for (int k = 0; k == 0 || k < steps; k += sizes.KBlock)
        {
            int depth = Math.Min(sizes.KBlock, steps - k), visit = 0;
            var a = read.From(block.Row, k);
            if (Copies)
            {
                Pack.Copy<S, V>(block.Height, depth, a.Pointer, a.PerRow, depth, CopyStride, buffers.Copy);
                a = new Matrix(buffers.Copy, CopyStride);
            }
            for (int column = 0; column < block.Width; column += tileN)
                for (int row = 0; row < block.Height; row += TileM, visit++)
                {
                    var list = buffers.List;
                    list.Begin(depth);
                    if (k + depth < steps)
                        ListRows(block.Row, k + depth, visit, visits, ref list);
                    else if (block.NextRow != block.Row)
                        ListRows(block.NextRow, 0, visit, visits, ref list);
                    if (k == 0 && !Transposes)
                        ListNextTile(block, to, row, column, tileN, ref list);
                    Tiles.Multiply<S, V, FetchList>(Math.Min(TileM, block.Height - row),
                        Math.Min(tileN, block.Width - column), depth, a.From(row, 0),
                        PanelAt(block.Column + column, k),
                        from.From(row, oneStart ? 0 : column), to.From(row, column), buffers.Edge, list.Filled());
                }
            (from, oneStart) = (to, false);
        }
    }

    /// <summary>The panel of a column, from a step on.</summary>
    private Rows PanelAt(int column, int k) =>
        new(panels + (((((nint)(column / panelWidth) * steps) + k) * panelWidth) + (column % panelWidth)), panelWidth);

    /// <summary>
    /// Lists the lines of one of several equal parts of a block of rows and a K-block. Rows lie kilobytes
    /// apart, where no hardware prefetcher follows: without this, dX = dY W at 64 tokens runs at 148 instead
    /// of 197 GFLOP/s.
    /// </summary>
    private void ListRows(int row, int k, int part, int parts, ref FetchList list)
    {
        int height = Math.Min(grid.RowBlock, rows - row), depth = Math.Min(sizes.KBlock, steps - k);
        var (outer, inner, stride) = read.PerColumn == 1 ? (height, depth, read.PerRow)
            : (depth, height, read.PerColumn);
        int lines = (inner + Line - 1) / Line;
        int first = (int)((long)outer * lines * part / parts), last = (int)((long)outer * lines * (part + 1) / parts);
        float* next = read.From(row, k).Pointer;
        var (i, line) = Math.DivRem(first, lines);
        for (; first < last; first++)
        {
            list.Add(next + (i * stride) + (line * Line));
            if (++line == lines)
                (i, line) = (i + 1, 0);
        }
    }

    /// <summary>
    /// Lists the tile of C that comes after this one, down the rows and then to the next columns.
    /// </summary>
    private static void ListNextTile(Block block, Rows to, int row, int column, int tileN, ref FetchList list)
    {
        (row, column) = row + TileM < block.Height ? (row + TileM, column) : (0, column + tileN);
        if (column >= block.Width)
            return;
        for (int r = row; r < Math.Min(row + TileM, block.Height); r++)
            for (int c = column; c < Math.Min(column + tileN, block.Width); c += Line)
                list.Add(to.At(r) + c);
    }
}
