namespace Nano;

/// <summary>
/// The register tile of bfloat16 products as machine code written at run time: up to 12 rows of
/// pairs times 32 columns. 24 sums, two vectors of the panel and six broadcasts that take turns
/// fill the 32 registers; a step is 24 times vdpbf16ps (768 multiply-adds) for 14 loads.
/// </summary>
internal static unsafe class DotTile
{
    /// <summary>Rows of a whole tile.</summary>
    public const int Rows = BlockSizes.TileM;

    private const int PanelRegister = 24, BroadcastRegister = 26, Broadcasts = 6, VectorBytes = 64;

    private static readonly nint[] ByRow = Emit(PairRows.RowStride, 1), ByStep = Emit(1, PairRows.StepStride);

    /// <summary>
    /// The tile of this many rows for one of the layouts of <see cref="PairRows"/>, whose sums
    /// begin with zero or with C.
    /// </summary>
    public static delegate* unmanaged<nint, uint*, uint*, float*, nint, void> Code(int rows, bool byRow,
        bool fromZero) =>
        (delegate* unmanaged<nint, uint*, uint*, float*, nint, void>)
            (byRow ? ByRow : ByStep)[rows + (fromZero ? Rows + 1 : 0)];

    /// <summary>
    /// The tiles of 0 (none) to 12 rows, whose pairs lie that far apart, as addresses: those that
    /// begin with C, then those that begin with zero.
    /// </summary>
    private static nint[] Emit(int rowStride, int stepStride)
    {
        var starts = new int[2 * (Rows + 1)];
        var assembler = new Assembler();
        for (int tile = 0; tile < starts.Length; tile++)
        {
            starts[tile] = assembler.Position;
            Write(assembler, tile % (Rows + 1), rowStride * sizeof(uint), stepStride * sizeof(uint), tile > Rows);
        }
        nint address = ExecutableMemory.TryAdd(assembler.ToArray());
        if (address == 0)
            throw new NanoException("the system refuses memory with code", "set NANO_EMIT=0");
        return Array.ConvertAll(starts, start => address + start);
    }

    /// <summary>
    /// One tile. The calling convention of Linux on x86-64 gives the arguments in these registers:
    /// the number of steps, A, the panel, C, and the bytes from one row of C to the next. All
    /// vector registers are free to use.
    /// </summary>
    private static void Write(Assembler code, int rows, int rowBytes, int stepBytes, bool fromZero)
    {
        const Register steps = Register.Rdi, a = Register.Rsi, panel = Register.Rdx, c = Register.Rcx,
            rowOfC = Register.R8, to = Register.Rax;
        code.Move(to, c);
        for (int sum = 0; sum < 2 * rows && fromZero; sum++)
            code.Clear(sum);
        for (int row = 0; row < rows && !fromZero; row++)
        {
            code.LoadVector(2 * row, c, 0);
            code.LoadVector((2 * row) + 1, c, VectorBytes);
            code.Add(c, rowOfC);
        }
        int loop = code.Position;
        code.LoadVector(PanelRegister, panel, 0);
        code.LoadVector(PanelRegister + 1, panel, VectorBytes);
        for (int row = 0; row < rows; row++)
        {
            int broadcast = BroadcastRegister + (row % Broadcasts);
            code.Broadcast(broadcast, a, row * rowBytes);
            code.DotBFloat16(2 * row, broadcast, PanelRegister);
            code.DotBFloat16((2 * row) + 1, broadcast, PanelRegister + 1);
        }
        code.Add(a, stepBytes);
        code.Add(panel, 2 * VectorBytes);
        code.Decrement(steps);
        code.JumpUnlessZero(loop);
        for (int row = 0; row < rows; row++)
        {
            code.StoreVector(to, 0, 2 * row);
            code.StoreVector(to, VectorBytes, (2 * row) + 1);
            code.Add(to, rowOfC);
        }
        code.ZeroUpper();
        code.Return();
    }
}
