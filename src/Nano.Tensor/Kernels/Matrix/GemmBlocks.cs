using System.Runtime.Intrinsics.X86;

namespace Nano;

/// <summary>
/// The destination of a product: C[row, column] of the loops at Pointer[row * Stride + column] or,
/// transposed, at Pointer[column * Stride + row].
/// </summary>
internal readonly unsafe struct TargetBlock(float* pointer, nint stride, bool transposed)
{
    public readonly float* Pointer = pointer;
    public readonly nint Stride = stride;
    public readonly bool Transposed = transposed;

    public float* At(int row, int column) => Transposed ? Pointer + (column * Stride) + row
        : Pointer + (row * Stride) + column;
}

/// <summary>
/// One pass of a product: rows of one operand, read in place, times panels of the other. An item of
/// work is a block of rows by a block of panels. A transposed block lives in scratch, as rows by
/// columns, and is transposed into C when its chains are done.
/// </summary>
internal readonly unsafe struct GemmBlocks : IKernel
{
    /// <summary>
    /// k per visit of a tile: its sums are loaded and stored once in 512 steps (256: 4 % slower),
    /// and a panel's part, 64 KB, is in L2.
    /// </summary>
    private const int KBlock = 512;

    /// <summary>Rows of a register tile.</summary>
    private const int TileM = 12;

    /// <summary>
    /// Tiles per block: 96 rows x 512 steps are 192 KB of an L2 cache of 1 MB, and as much is being
    /// fetched for the next steps.
    /// </summary>
    private const int BlockTiles = 8;

    /// <summary>Panels per block: a transposed block of 96 x 512 sums is 192 KB.</summary>
    private const int BlockPanels = 16;

    /// <summary>Floats per cache line.</summary>
    private const int Line = 16;

    private readonly int rows, columns, steps, rowBlock, panelBlock, panelParts;
    private readonly Operand read;
    private readonly float* panels, bias;
    private readonly ChainStart start;
    private readonly TargetBlock target;

    public GemmBlocks(int rows, int columns, int steps, Operand read, float* panels, ChainStart start, float* bias,
        TargetBlock target, int threads, int tileN)
    {
        (this.rows, this.columns, this.steps, this.read, this.start, this.target) =
            (rows, columns, steps, read, start, target);
        this.panels = panels;
        this.bias = bias;
        // Large blocks, but at least four for each thread if there is that much work: panels are parted
        // first, then rows.
        int wanted = threads == 1 ? 1 : 4 * threads, tiles = (rows + TileM - 1) / TileM,
            panelCount = (columns + tileN - 1) / tileN;
        RowParts = Parts(tiles, BlockTiles);
        panelParts = Math.Clamp(Parts(wanted, RowParts), Parts(panelCount, BlockPanels), panelCount);
        RowParts = Math.Clamp(Parts(wanted, panelParts), RowParts, tiles);
        rowBlock = Parts(tiles, RowParts) * TileM;
        RowParts = Parts(rows, rowBlock);
        panelBlock = Parts(panelCount, panelParts);
        panelParts = Parts(panelCount, panelBlock);

        static int Parts(int whole, int part) => (whole + part - 1) / part;
    }

    private int RowParts { get; }

    public nint Items => (nint)RowParts * panelParts;

    public long ScratchFloats(int tileN) =>
        Scratch.RoundUp(TileM * tileN) + Scratch.RoundUp((long)rowBlock * tileN)
            + (target.Transposed ? Scratch.RoundUp((long)rowBlock * panelBlock * tileN) : 0);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int tileN = 2 * S.Lanes;
        float* edge = scratch.Allocate(TileM * tileN);
        float* starts = scratch.Allocate((long)rowBlock * tileN);
        float* transposed = target.Transposed ? scratch.Allocate((long)rowBlock * panelBlock * tileN) : null;
        new Span<float>(starts, tileN).Clear();
        for (nint item = begin; item < end; item++)
        {
            int row = (int)(item / panelParts) * rowBlock, height = Math.Min(rowBlock, rows - row);
            int first = (int)(item % panelParts) * panelBlock * tileN,
                width = Math.Min(panelBlock * tileN, columns - first);
            int nextRow = item + 1 < end ? (int)((item + 1) / panelParts) * rowBlock : row;
            int padded = (width + S.Lanes - 1) / S.Lanes * S.Lanes;
            var block = new Block(row, height, target.Transposed ? padded : width, nextRow,
                panels + ((nint)first * steps));
            float* to = target.At(row, first);
            if (!target.Transposed)
            {
                var from = start == ChainStart.FromC ? new Sums(to, target.Stride, 1) : start == ChainStart.Bias
                    ? new Sums(bias + first, 0, 1) : new Sums(starts, 0, 0);
                Chains<S, V>(block, from, new Sums(to, target.Stride, 1), edge);
                continue;
            }
            var sums = new Sums(transposed, padded, 1);
            if (start == ChainStart.FromC)
                Pack.Transpose(height, width, to, target.Stride, padded, padded, transposed);
            else
                for (int r = 0; r < height; r++)
                    new Span<float>(starts + (r * tileN), tileN).Fill(start == ChainStart.Bias ? bias[row + r] : 0);
            Chains<S, V>(block, start == ChainStart.FromC ? sums : new Sums(starts, tileN, 0), sums, edge);
            Pack.Transpose(width, height, transposed, padded, 0, target.Stride, to);
        }
    }

    /// <summary>
    /// Rows [Row, Row + Height) and Width columns whose panels begin at Panels; NextRow is where
    /// this thread goes afterwards.
    /// </summary>
    private readonly struct Block(int row, int height, int width, int nextRow, float* panels)
    {
        public readonly int Row = row, Height = height, Width = width, NextRow = nextRow;
        public readonly float* Panels = panels;
    }

    /// <summary>
    /// Values of chains: (row, column) at Pointer[row * PerRow + column * PerColumn]; a stride of 0
    /// repeats one for all.
    /// </summary>
    private readonly struct Sums(float* pointer, nint perRow, nint perColumn)
    {
        public readonly nint PerRow = perRow;

        public float* At(int row, int column) => pointer + (row * PerRow) + (column * perColumn);
    }

    /// <summary>
    /// All chains of a block, KBlock steps at a time; meanwhile what comes next is fetched into the
    /// cache.
    /// </summary>
    private void Chains<S, V>(Block block, Sums from, Sums to, float* edge) where S : ISimd<V> where V : unmanaged
    {
        int tileN = 2 * S.Lanes, visits = (block.Height + TileM - 1) / TileM * ((block.Width + tileN - 1) / tileN);
        for (int k = 0; k == 0 || k < steps; k += KBlock)
        {
            int depth = Math.Min(KBlock, steps - k), visit = 0;
            var a = read.From(block.Row, k);
            for (int column = 0; column < block.Width; column += tileN)
                for (int row = 0; row < block.Height; row += TileM)
                {
                    if (k + depth < steps)
                        FetchRows(block.Row, k + depth, visit++, visits);
                    else if (block.NextRow != block.Row)
                        FetchRows(block.NextRow, 0, visit++, visits);
                    if (k == 0 && !target.Transposed)
                        FetchNextTile(block, to, row, column, tileN);
                    Tiles.Multiply<S, V>(Math.Min(TileM, block.Height - row), Math.Min(tileN, block.Width - column),
                        depth, a.Pointer + (row * a.PerIndex), a.PerIndex, a.PerK,
                        block.Panels + (column * (nint)steps) + (k * (nint)tileN), tileN, from.At(row, column),
                        from.PerRow, to.At(row, column), to.PerRow, edge);
                }
            from = to;
        }
    }

    /// <summary>
    /// Prefetches one of several equal parts of a block of rows and KBlock steps. Rows lie
    /// kilobytes apart, where no hardware
    /// prefetcher follows: without this, dX = dY W at 64 tokens runs at 148 instead of 197 GFLOP/s.
    /// </summary>
    private void FetchRows(int row, int k, int part, int parts)
    {
        int height = Math.Min(rowBlock, rows - row), depth = Math.Min(KBlock, steps - k);
        var (outer, inner) = read.PerK == 1 ? (height, depth) : (depth, height);
        nint stride = read.PerK == 1 ? read.PerIndex : read.PerK;
        float* next = read.From(row, k).Pointer;
        for (int i = outer * part / parts; i < outer * (part + 1) / parts; i++)
            for (int j = 0; j < inner; j += Line)
                Fetch(next + (i * stride) + j);
    }

    /// <summary>
    /// Asks the cache for the tile of C that comes after this one, down the rows and then to the
    /// next columns.
    /// </summary>
    private static void FetchNextTile(Block block, Sums to, int row, int column, int tileN)
    {
        (row, column) = row + TileM < block.Height ? (row + TileM, column) : (0, column + tileN);
        if (column >= block.Width)
            return;
        for (int r = row; r < Math.Min(row + TileM, block.Height); r++)
            for (int c = column; c < Math.Min(column + tileN, block.Width); c += Line)
                Fetch(to.At(r, c));
    }

    /// <summary>
    /// Asks the cache for the line that holds p, where the processor can be asked; p may lie
    /// anywhere.
    /// </summary>
    internal static void Fetch(float* p)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(p);
    }
}
