using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Nano;

/// <summary>
/// Copies a block of a matrix into contiguous scratch rows of one fixed, padded width, so that
/// tiles read whole vectors.
/// </summary>
internal static unsafe class Pack
{
    /// <summary>
    /// The prefetch distance where rows are transposed, in floats, and where they are copied, in rows.
    /// </summary>
    private const int FloatsAhead = 64, RowsAhead = 16;

    /// <summary>to[r * toRow + c] = from[r * fromRow + c] for c below columns, zero from there up to padded.</summary>
    public static void Copy<S, V>(int rows, int columns, float* from, nint fromRow, int padded, nint toRow, float* to)
        where S : ISimd<V> where V : unmanaged
    {
        for (int r = 0; r < rows; r++, from += fromRow, to += toRow)
        {
            int c = 0;
            if (columns <= 2 * S.Lanes) // no hardware prefetcher follows short stretches of rows
                for (; c < columns; c += (CacheSizes.Line / sizeof(float)))
                    FetchList.Fetch(from + (RowsAhead * fromRow) + c);
            for (c = 0; c <= columns - S.Lanes; c += S.Lanes)
                S.Store(to + c, S.Load(from + c));
            for (; c < columns; c++)
                to[c] = from[c];
            for (; c < padded; c++)
                to[c] = 0;
        }
    }

    /// <summary>
    /// to[r * toRow + c] = from[c * fromRow + r] for c below columns, zero from there up to padded.
    /// In blocks of 16 x 8, whole cache lines on the side whose rows lie further apart: rows a
    /// multiple of 4 KB apart share one set of a first-level cache and soon push each other out.
    /// </summary>
    public static void Transpose(int rows, int columns, float* from, nint fromRow, int padded, nint toRow, float* to)
    {
        int wholeRows = rows & ~3, wholeColumns = columns & ~3, blockRows = fromRow > toRow ? 16 : 8,
            blockColumns = 24 - blockRows;
        for (int r0 = 0; r0 < wholeRows; r0 += blockRows)
            for (int c0 = 0; c0 < wholeColumns; c0 += blockColumns)
            {
                for (int c = c0; blockRows == 16 && c < Math.Min(c0 + blockColumns, wholeColumns); c++)
                    FetchList.Fetch(from + (c * fromRow) + r0 + FloatsAhead);
                for (int r = r0; r < Math.Min(r0 + blockRows, wholeRows); r += 4)
                    for (int c = c0; c < Math.Min(c0 + blockColumns, wholeColumns); c += 4)
                        Transpose4(from + (c * fromRow) + r, fromRow, to + (r * toRow) + c, toRow);
            }
        TransposeScalar(0, wholeRows, wholeColumns, columns, from, fromRow, toRow, to);
        TransposeScalar(wholeRows, rows, 0, columns, from, fromRow, toRow, to);
        if (padded > columns)
            for (int r = 0; r < rows; r++)
                new Span<float>(to + (r * toRow) + columns, padded - columns).Clear();
    }

    /// <summary>The rows and columns that do not fill a 4 x 4 block.</summary>
    private static void TransposeScalar(int firstRow, int lastRow, int firstColumn, int lastColumn, float* from,
        nint fromRow, nint toRow, float* to)
    {
        for (int r = firstRow; r < lastRow; r++)
            for (int c = firstColumn; c < lastColumn; c++)
                to[(r * toRow) + c] = from[(c * fromRow) + r];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(float* from, nint fromRow, float* to, nint toRow)
    {
        var (a, b, c, d) = LoadTransposed(from, fromRow);
        a.Store(to);
        b.Store(to + toRow);
        c.Store(to + (2 * toRow));
        d.Store(to + (3 * toRow));
    }

    /// <summary>
    /// The columns of a 4 x 4 block: interleave rows 0 and 2, and 1 and 3; interleave the results.
    /// Data only moves, so one width serves all.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<float> First, Vector128<float> Second, Vector128<float> Third,
        Vector128<float> Fourth) LoadTransposed(float* from, nint stride)
    {
        Vector128<float> a = Vector128.Load(from), b = Vector128.Load(from + stride),
            c = Vector128.Load(from + (2 * stride)), d = Vector128.Load(from + (3 * stride));
        // a0 c0 a1 c1, ...
        Vector128<float> ac = ZipLow(a, c), bd = ZipLow(b, d), acHigh = ZipHigh(a, c), bdHigh = ZipHigh(b, d);
        return (ZipLow(ac, bd), ZipHigh(ac, bd), ZipLow(acHigh, bdHigh), ZipHigh(acHigh, bdHigh)); // a0 b0 c0 d0, ...
    }

    /// <summary>a0 b0 a1 b1</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
            : Vector128.Create(a[0], b[0], a[1], b[1]);

    /// <summary>a2 b2 a3 b3</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
            : Vector128.Create(a[2], b[2], a[3], b[3]);
}
