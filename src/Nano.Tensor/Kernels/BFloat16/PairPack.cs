using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Floats rounded to bfloat16, to the nearest and of two equally near to the even one, as pairs
/// along k. The last pair of an odd number of steps has a zero in its lower half: +0 in rows, -0 in
/// panels, so that their product, -0, changes no sum.
/// </summary>
internal static unsafe class PairPack
{
    /// <summary>The pairs of adjacent floats.</summary>
    public static void Along(float* from, int steps, uint* to, uint lastLower)
    {
        int k = 0;
        for (; k <= steps - 32; k += 32, to += 16)
            Vector512.Narrow(PairsOf(Vector512.Load(from + k)), PairsOf(Vector512.Load(from + k + 16))).Store(to);
        for (; k < steps - 1; k += 2)
            *to++ = Pair(from[k], from[k + 1]);
        if (k < steps)
            *to = Pair(from[k], 0) | lastLower;
    }

    /// <summary>In each lane of 64 bits, the pair of the two floats there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> PairsOf(Vector512<float> x)
    {
        var rounded = Simd512.Rounded(x).AsUInt64(); // the first float is the lower half
        return Vector512.ShiftRightLogical(rounded, 48) | (rounded & Vector512.Create(0xffff0000ul));
    }

    private static uint Pair(float first, float second) =>
        BitConverter.SingleToUInt32Bits(SimdScalar.PairBFloat16(second, first));

    /// <summary>
    /// The pairs of two rows of floats, column by column. If more is set, a last vector may read
    /// and write beyond the columns.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Across<S, V>(float* first, float* second, int columns, bool more, float* to)
        where S : ISimd<V> where V : unmanaged
    {
        int c = 0;
        for (; c <= columns - (more ? 1 : S.Lanes); c += S.Lanes)
            S.Store(to + c, S.PairBFloat16(S.Load(second + c), S.Load(first + c)));
        for (; c < columns; c++)
            to[c] = SimdScalar.PairBFloat16(second[c], first[c]);
    }

    /// <summary>The last pairs of an odd number of steps.</summary>
    public static void AcrossLast(float* first, int columns, uint lower, uint* to)
    {
        for (int c = 0; c < columns; c++)
            to[c] = Pair(first[c], 0) | lower;
    }
}

/// <summary>
/// Rows of pairs for tiles, in one of two layouts. Floats that are adjacent along k stay so: row
/// r's pairs begin at r * <see cref="RowStride"/>. Floats that are adjacent along the rows give,
/// tile by tile, twelve adjacent pairs for each step.
/// </summary>
internal static unsafe class PairRows
{
    /// <summary>k per visit of a tile.</summary>
    public const int KBlock = 512;

    /// <summary>
    /// Pairs from one row to the next: a cache line more than a K-block, so that rows use all sets
    /// of a cache.
    /// </summary>
    public const int RowStride = (KBlock / 2) + 16;

    /// <summary>
    /// Steps whose rows are read again for each tile before the next: their pages stay known.
    /// </summary>
    private const int PackedAtOnce = 32;

    /// <summary>Pairs from one step of a tile to the next.</summary>
    public const int StepStride = DotTile.Rows;

    /// <summary>The memory of this many rows in floats, and of a vector beyond them.</summary>
    public static long Floats(int rows) => Scratch.RoundUp((long)rows * RowStride) + 16;

    /// <summary>The place of a row that begins a tile.</summary>
    public static uint* Tile(uint* packed, int row) => packed + ((nint)row * RowStride);

    /// <summary>
    /// Packs rows [row, row + height) of an operand [rows, steps] that begins at a step.
    /// </summary>
    public static void Pack<S, V>(Matrix from, int rowsBelow, int height, int steps, uint* to)
        where S : ISimd<V> where V : unmanaged
    {
        if (from.PerColumn == 1)
        {
            for (int row = 0; row < height; row++)
                PairPack.Along(from.Pointer + (row * from.PerRow), steps, Tile(to, row), 0);
            return;
        }
        for (int k = 0; k < steps; k += PackedAtOnce)
            for (int row = 0; row < height; row += DotTile.Rows)
            {
                int rows = Math.Min(DotTile.Rows, height - row), depth = Math.Min(PackedAtOnce, steps - k);
                bool more = rows == DotTile.Rows && rowsBelow - row >= 16;
                float* source = from.From(row, k).Pointer;
                uint* tile = Tile(to, row) + (k / 2 * StepStride);
                for (; depth > 1; depth -= 2, source += 2 * from.PerColumn, tile += StepStride)
                    PairPack.Across<S, V>(source, source + from.PerColumn, rows, more, (float*)tile);
                if (depth > 0)
                    PairPack.AcrossLast(source, rows, 0, tile);
            }
    }
}

/// <summary>
/// Packs columns of an operand [columns, steps] into panels of 32: the pair of column c at step
/// pair s lies at panels[c / 32 * pairs * 32 + s * 32 + c % 32].
/// </summary>
internal readonly unsafe struct PackPairPanels(int columns, int steps, Matrix from, uint* panels) : IKernel
{
    private const int Slice = 256, SliceStride = (Slice / 2) + 16, Columns = DotPairs.Columns;
    private const uint MinusZero = 0x8000;

    public static long ScratchFloats => Columns * SliceStride;

    public nint Items => (nint)((columns + Columns - 1) / Columns) * ((steps + Slice - 1) / Slice);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        uint* narrow = (uint*)scratch.Allocate(ScratchFloats);
        int slices = (steps + Slice - 1) / Slice, pairs = (steps + 1) / 2;
        for (nint item = begin; item < end; item++)
        {
            int panel = (int)(item / slices), k = (int)(item % slices) * Slice;
            int width = Math.Min(Columns, columns - (panel * Columns)), depth = Math.Min(Slice, steps - k);
            var source = from.From(panel * Columns, k);
            uint* to = panels + ((((nint)panel * pairs) + (k / 2)) * Columns);
            if (source.PerColumn == 1)
            {
                for (int column = 0; column < width; column++)
                    PairPack.Along(source.Pointer + (column * source.PerRow), depth, narrow + (column * SliceStride),
                        MinusZero);
                Pack.Transpose((depth + 1) / 2, width, (float*)narrow, SliceStride, Columns, Columns, (float*)to);
                continue;
            }
            float* row = source.Pointer;
            for (int left = depth; left > 0; left -= 2, row += 2 * source.PerColumn, to += Columns)
            {
                if (left > 1)
                    PairPack.Across<S, V>(row, row + source.PerColumn, width, more: false, (float*)to);
                else
                    PairPack.AcrossLast(row, width, MinusZero, to);
                new Span<uint>(to + width, Columns - width).Clear();
            }
        }
    }
}
