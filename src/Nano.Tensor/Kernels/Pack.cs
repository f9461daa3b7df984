using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>Copies a block of a matrix into contiguous scratch rows of one fixed, padded width, so that tiles read whole vectors.</summary>
internal static unsafe class Pack
{
    /// <summary>to[r * toRow + c] = from[r * fromRow + c] for c below columns, zero up to toRow.</summary>
    public static void Copy<S, V>(int rows, int columns, float* from, nint fromRow, int toRow, float* to) where S : ISimd<V> where V : unmanaged
    {
        for (int r = 0; r < rows; r++, from += fromRow, to += toRow)
        {
            int c = 0;
            for (; c <= columns - S.Lanes; c += S.Lanes)
                S.Store(to + c, S.Load(from + c));
            for (; c < columns; c++)
                to[c] = from[c];
            for (; c < toRow; c++)
                to[c] = 0;
        }
    }

    /// <summary>to[r * toRow + c] = from[c * fromRow + r] for c below columns, zero up to toRow.</summary>
    public static void Transpose(int rows, int columns, float* from, nint fromRow, int toRow, float* to)
    {
        int r = 0;
        for (; r <= rows - 4; r += 4)
        {
            float* target = to + ((nint)r * toRow);
            int c = 0;
            for (; c <= columns - 4; c += 4)
                Transpose4(from + (c * fromRow) + r, fromRow, target + c, toRow);
            TransposeScalar(4, c, columns, from + r, fromRow, toRow, target);
        }
        TransposeScalar(rows - r, 0, columns, from + r, fromRow, toRow, to + ((nint)r * toRow));
    }

    /// <summary>The rows and columns that do not fill a 4 x 4 block, and the padding.</summary>
    private static void TransposeScalar(int rows, int start, int columns, float* from, nint fromRow, int toRow, float* to)
    {
        for (int r = 0; r < rows; r++, to += toRow)
        {
            for (int c = start; c < columns; c++)
                to[c] = from[(c * fromRow) + r];
            for (int c = columns; c < toRow; c++)
                to[c] = 0;
        }
    }

    /// <summary>
    /// A 4 x 4 block: exchange the off-diagonal elements of each 2 x 2 block, then the off-diagonal 2 x 2 blocks. Data only moves, so
    /// one width serves all.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4(float* from, nint fromRow, float* to, nint toRow)
    {
        var odd = Vector128.Create(0, -1, 0, -1).AsSingle();
        var high = Vector128.Create(0, 0, -1, -1).AsSingle();
        var a = Vector128.Load(from);
        var b = Vector128.Load(from + fromRow);
        var c = Vector128.Load(from + (2 * fromRow));
        var d = Vector128.Load(from + (3 * fromRow));
        var ab0 = Vector128.ConditionalSelect(odd, Vector128.Shuffle(b, Vector128.Create(0, 0, 2, 2)), a); // a0 b0 a2 b2
        var ab1 = Vector128.ConditionalSelect(odd, b, Vector128.Shuffle(a, Vector128.Create(1, 1, 3, 3))); // a1 b1 a3 b3
        var cd0 = Vector128.ConditionalSelect(odd, Vector128.Shuffle(d, Vector128.Create(0, 0, 2, 2)), c);
        var cd1 = Vector128.ConditionalSelect(odd, d, Vector128.Shuffle(c, Vector128.Create(1, 1, 3, 3)));
        Vector128.ConditionalSelect(high, Vector128.Shuffle(cd0, Vector128.Create(0, 1, 0, 1)), ab0).Store(to);
        Vector128.ConditionalSelect(high, Vector128.Shuffle(cd1, Vector128.Create(0, 1, 0, 1)), ab1).Store(to + toRow);
        Vector128.ConditionalSelect(high, cd0, Vector128.Shuffle(ab0, Vector128.Create(2, 3, 2, 3))).Store(to + (2 * toRow));
        Vector128.ConditionalSelect(high, cd1, Vector128.Shuffle(ab1, Vector128.Create(2, 3, 2, 3))).Store(to + (3 * toRow));
    }
}
