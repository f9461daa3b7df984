namespace Nano;

/// <summary>
/// One pass of a bfloat16 product: rows of one operand times panels of the other. An item of work
/// is a block of <see cref="BlockGrid"/>. Its rows are packed a K-block at a time. A transposed
/// block lives in scratch, as rows by columns, and is transposed into C when its chains are done.
/// </summary>
internal readonly unsafe struct BFloat16Blocks : IKernel
{
    private const int TileM = DotTile.Rows, TileN = DotPairs.Columns;

    /// <summary>Floats per cache line.</summary>
    private const int Line = 16;

    private readonly int rows, steps;
    private readonly BlockGrid grid;
    private readonly Matrix read; // [rows, steps]
    private readonly uint* panels;
    private readonly float* bias;
    private readonly ChainStart start;
    private readonly Matrix target; // C of the loops [rows, columns]
    private readonly bool emitted;

    public BFloat16Blocks(int rows, int columns, int steps, Matrix read, uint* panels, ChainStart start, float* bias,
        Matrix target, int threads, bool emitted)
    {
        (this.rows, this.steps, this.read, this.start, this.target, this.emitted) =
            (rows, steps, read, start, target, emitted);
        this.panels = panels;
        this.bias = bias;
        grid = new BlockGrid(rows, columns, TileN, threads);
    }

    public nint Items => grid.Items;

    public long ScratchFloats => PairRows.Floats(grid.RowBlock) + Scratch.RoundUp(TileM * TileN)
        + (Transposes ? Scratch.RoundUp((long)grid.RowBlock * grid.Width) : 0);

    /// <summary>
    /// True if C^T is computed: then the loops' C lies with its columns side by side.
    /// </summary>
    private bool Transposes => target.PerColumn != 1;

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        uint* packed = (uint*)scratch.Allocate(PairRows.Floats(grid.RowBlock));
        float* edge = scratch.Allocate(TileM * TileN);
        float* sums = Transposes ? scratch.Allocate((long)grid.RowBlock * grid.Width) : null;
        for (nint item = begin; item < end; item++)
        {
            var (row, height) = grid.RowsOf(item);
            var (first, width) = grid.ColumnsOf(item);
            int nextRow = item + 1 < end ? grid.RowsOf(item + 1).Row : row, padded = Parts(width, TileN) * TileN;
            var to = target.From(row, first);
            var c = Transposes ? new Rows(sums, padded) : new Rows(to.Pointer, to.PerRow);
            var block = new Block(row, height, width, nextRow,
                panels + ((nint)first * Parts(steps, 2)), c);
            if (Transposes && start == ChainStart.FromC)
                Pack.Transpose(height, width, to.Pointer, to.PerColumn, padded, padded, sums);
            bool fills = start == ChainStart.Bias || (start == ChainStart.Zero && steps == 0);
            for (int r = 0; r < height && fills; r++)
                StartRow(new Span<float>(c.At(r), block.Width), row + r, first);
            Chains<S, V>(block, packed, edge);
            if (Transposes)
                Pack.Transpose(width, height, sums, padded, 0, to.PerColumn, to.Pointer);
        }
    }

    /// <summary>
    /// Rows [Row, Row + Height) and Width columns whose panels begin at Panels and whose sums are
    /// in C; NextRow is where this thread goes afterwards.
    /// </summary>
    private readonly struct Block(int row, int height, int width, int nextRow, uint* panels, Rows c)
    {
        public readonly int Row = row, Height = height, Width = width, NextRow = nextRow;
        public readonly uint* Panels = panels;
        public readonly Rows C = c;

        public int Visits => Parts(Height, TileM) * Parts(Width, TileN);
    }

    /// <summary>
    /// The starts of a row's chains, where they are not in C and tiles do not begin with zero.
    /// </summary>
    private void StartRow(Span<float> sums, int row, int column)
    {
        if (start == ChainStart.Zero)
            sums.Clear();
        else if (Transposes)
            sums.Fill(bias[row]);
        else
            new ReadOnlySpan<float>(bias + column, sums.Length).CopyTo(sums);
    }

    /// <summary>
    /// All chains of a block, a K-block at a time; meanwhile what comes next is fetched into the
    /// cache.
    /// </summary>
    private void Chains<S, V>(Block block, uint* packed, float* edge) where S : ISimd<V> where V : unmanaged
    {
        for (int k = 0; k < steps; k += PairRows.KBlock)
        {
            int depth = Math.Min(PairRows.KBlock, steps - k), visit = 0;
            PairRows.Pack<S, V>(read.From(block.Row, k), rows - block.Row, block.Height, depth, packed);
            for (int column = 0; column < block.Width; column += TileN)
                for (int row = 0; row < block.Height; row += TileM, visit++)
                {
                    if (k + depth < steps)
                        FetchRows(block.Row, k + depth, visit, block.Visits);
                    else if (block.NextRow != block.Row)
                        FetchRows(block.NextRow, 0, visit, block.Visits);
                    if (k == 0 && !Transposes)
                        FetchNextTile(block, row, column);
                    uint* panel = block.Panels + ((nint)column * Parts(steps, 2)) + (k / 2 * TileN);
                    Tile<S, V>(Math.Min(TileM, block.Height - row), Math.Min(TileN, block.Width - column),
                        Parts(depth, 2), PairRows.Tile(packed, row), panel, k == 0 && start == ChainStart.Zero,
                        block.C.From(row, column), edge);
                }
        }
    }

    /// <summary>
    /// Prefetches one of several equal parts of a block of rows and KBlock steps.
    /// </summary>
    private void FetchRows(int row, int k, int part, int parts)
    {
        int height = Math.Min(grid.RowBlock, rows - row), depth = Math.Min(PairRows.KBlock, steps - k);
        var (outer, inner) = read.PerColumn == 1 ? (height, depth) : (depth, height);
        nint stride = read.PerColumn == 1 ? read.PerRow : read.PerColumn;
        float* next = read.From(row, k).Pointer;
        for (int i = outer * part / parts; i < outer * (part + 1) / parts; i++)
            for (int j = 0; j < inner; j += Line)
                FetchList.FetchLater(next + (i * stride) + j);
    }

    /// <summary>
    /// Asks the cache for the tile of C that comes after this one, down the rows and then to the
    /// next columns.
    /// </summary>
    private static void FetchNextTile(Block block, int row, int column)
    {
        (row, column) = row + TileM < block.Height ? (row + TileM, column) : (0, column + TileN);
        if (column >= block.Width)
            return;
        for (int r = row; r < Math.Min(row + TileM, block.Height); r++)
            for (int c = column; c < Math.Min(column + TileN, block.Width); c += Line)
                FetchList.FetchLater(block.C.At(r) + c);
    }

    /// <summary>
    /// One tile of sums; one of C that is narrower than a panel goes through the edge buffer.
    /// </summary>
    private void Tile<S, V>(int tileRows, int tileColumns, int pairs, uint* a, uint* panel, bool fromZero, Rows c,
        float* edge) where S : ISimd<V> where V : unmanaged
    {
        bool narrow = tileColumns < TileN && !Transposes; // scratch is as wide as panels
        var sums = narrow ? c.Copied<S, V>(tileRows, tileColumns, TileN, edge) : c;
        bool byRow = read.PerColumn == 1;
        if (emitted)
            DotTile.Code(tileRows, byRow, fromZero)(pairs, a, panel, sums.First, sums.Stride * sizeof(float));
        else
        {
            for (int r = 0; r < tileRows && fromZero; r++)
                new Span<float>(sums.At(r), TileN).Clear();
            DotPairs.Multiply<S, V>(tileRows, tileColumns, pairs, a, byRow ? PairRows.RowStride : 1,
                byRow ? 1 : PairRows.StepStride, panel, sums);
        }
        if (narrow)
            Pack.Copy<S, V>(tileRows, tileColumns, edge, TileN, tileColumns, c.Stride, c.First);
    }

    private static int Parts(int whole, int part) => (whole + part - 1) / part;
}
