using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Nano;

/// <summary>
/// The innermost matrix product: C[rows, columns] = start + A[rows, depth] * panel[depth, columns],
/// on one thread, with C in registers. A is read in place, one broadcast float per row and step;
/// the panel holds two vectors per step. The chains begin with what lies in the rows of start: C itself
/// to continue them, or one row for all (a bias or zeros).
/// </summary>
internal static unsafe class Tiles
{
    /// <summary>Steps of a tile for each line that is fetched.</summary>
    public const int FetchEvery = 2;

    /// <inheritdoc cref="Multiply{S, V, F}"/>
    public static void Multiply<S, V>(int rows, int columns, int depth, Matrix a, Rows panel, Rows start, Rows c,
        float* edge) where S : ISimd<V> where V : unmanaged =>
        Multiply<S, V, NoFetch>(rows, columns, depth, a, panel, start, c, edge, default);

    /// <summary>
    /// Covers C with tiles. The rows of the panel, one for each step, hold whole vectors (padding
    /// included). A last column tile that is narrower than two vectors goes through the edge buffer
    /// (12 x 2 vectors), so nothing is ever read or written beyond C.
    /// </summary>
    public static void Multiply<S, V, F>(int rows, int columns, int depth, Matrix a, Rows panel, Rows start, Rows c,
        float* edge, F fetch) where S : ISimd<V> where V : unmanaged where F : struct, IFetch
    {
        int tileN = 2 * S.Lanes;
        for (int column = 0; column < columns; column += tileN)
        {
            int width = Math.Min(tileN, columns - column);
            for (int row = 0; row < rows;)
            {
                int height = rows - row >= 12 && TallFits<S, V>() ? 12 : rows - row >= 4 ? 4 : 1;
                Matrix part = a.From(row, 0);
                Rows b = panel.From(0, column), from = start.From(row, column), to = c.From(row, column);
                if (height == 12 && width == S.Lanes && S.Lanes > 1)
                {
                    Tile12x1<S, V>(depth, part, b, from, to);
                }
                else if (width == tileN)
                {
                    Tile<S, V, F>(height, depth, part, b, from, to, fetch);
                }
                else
                {
                    var buffer = new Rows(edge, tileN);
                    CopyRows(height, width, from, buffer);
                    Tile<S, V, F>(height, depth, part, b, buffer, buffer, fetch);
                    CopyRows(height, width, buffer, to);
                }
                row += height;
            }
        }
    }

    /// <summary>
    /// True if 24 accumulators fit in registers: AVX-512 and NEON have 32 vector registers, AVX2
    /// and SSE 16.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TallFits<S, V>() where S : ISimd<V> where V : unmanaged =>
        S.Lanes > 1 && (Avx512F.VL.IsSupported || !Sse.IsSupported);

    private static void CopyRows(int rows, int columns, Rows from, Rows to)
    {
        for (int r = 0; r < rows; r++)
            new ReadOnlySpan<float>(from.At(r), columns).CopyTo(new Span<float>(to.At(r), columns));
    }

    private static void Tile<S, V, F>(int height, int depth, Matrix a, Rows b, Rows start, Rows to, F fetch)
        where S : ISimd<V> where V : unmanaged where F : struct, IFetch
    {
        if (height == 12)
            Tile12<S, V, F>(depth, a, b, start, to, fetch);
        else if (height == 4)
            Tile4<S, V, F>(depth, a, b, start, to, fetch);
        else
            Tile1<S, V>(depth, a, b, start, to);
    }

    /// <summary>
    /// 12 x 2 vectors: 24 accumulators + 2 of the panel + 1 broadcast = 27 of 32 registers; 24 FMAs
    /// for 14 loads.
    /// </summary>
    private static void Tile12<S, V, F>(int depth, Matrix matrix, Rows panel, Rows start, Rows to, F fetch)
        where S : ISimd<V> where V : unmanaged where F : struct, IFetch
    {
        nint aRow = matrix.PerRow, aCol = matrix.PerColumn, ldb = panel.Stride, ls = start.Stride, ldc = to.Stride;
        float* a = matrix.Pointer, b = panel.First, s = start.First, c = to.First;
        int l = S.Lanes;
        float* s3 = s + (3 * ls), s6 = s + (6 * ls), s9 = s + (9 * ls);
        V c00 = S.Load(s), c01 = S.Load(s + l), c10 = S.Load(s + ls), c11 = S.Load(s + ls + l),
            c20 = S.Load(s + (2 * ls)), c21 = S.Load(s + (2 * ls) + l);
        V c30 = S.Load(s3), c31 = S.Load(s3 + l), c40 = S.Load(s3 + ls), c41 = S.Load(s3 + ls + l),
            c50 = S.Load(s3 + (2 * ls)), c51 = S.Load(s3 + (2 * ls) + l);
        V c60 = S.Load(s6), c61 = S.Load(s6 + l), c70 = S.Load(s6 + ls), c71 = S.Load(s6 + ls + l),
            c80 = S.Load(s6 + (2 * ls)), c81 = S.Load(s6 + (2 * ls) + l);
        V c90 = S.Load(s9), c91 = S.Load(s9 + l), cA0 = S.Load(s9 + ls), cA1 = S.Load(s9 + ls + l),
            cB0 = S.Load(s9 + (2 * ls)), cB1 = S.Load(s9 + (2 * ls) + l);
        // Four pointers and two strides reach all twelve rows with x86's base + index addressing.
        float* a0 = a, a3 = a + (3 * aRow), a6 = a + (6 * aRow), a9 = a + (9 * aRow);
        nint row2 = 2 * aRow;
        for (int k = depth; k > 0;)
        {
            fetch.Next();
            int few = Math.Min(k, FetchEvery);
            k -= few;
            for (; few > 0; few--)
            {
                V b0 = S.Load(b), b1 = S.Load(b + l), x;
                x = S.Splat(a0[0]); c00 = S.Fma(x, b0, c00); c01 = S.Fma(x, b1, c01);
                x = S.Splat(a0[aRow]); c10 = S.Fma(x, b0, c10); c11 = S.Fma(x, b1, c11);
                x = S.Splat(a0[row2]); c20 = S.Fma(x, b0, c20); c21 = S.Fma(x, b1, c21);
                x = S.Splat(a3[0]); c30 = S.Fma(x, b0, c30); c31 = S.Fma(x, b1, c31);
                x = S.Splat(a3[aRow]); c40 = S.Fma(x, b0, c40); c41 = S.Fma(x, b1, c41);
                x = S.Splat(a3[row2]); c50 = S.Fma(x, b0, c50); c51 = S.Fma(x, b1, c51);
                x = S.Splat(a6[0]); c60 = S.Fma(x, b0, c60); c61 = S.Fma(x, b1, c61);
                x = S.Splat(a6[aRow]); c70 = S.Fma(x, b0, c70); c71 = S.Fma(x, b1, c71);
                x = S.Splat(a6[row2]); c80 = S.Fma(x, b0, c80); c81 = S.Fma(x, b1, c81);
                x = S.Splat(a9[0]); c90 = S.Fma(x, b0, c90); c91 = S.Fma(x, b1, c91);
                x = S.Splat(a9[aRow]); cA0 = S.Fma(x, b0, cA0); cA1 = S.Fma(x, b1, cA1);
                x = S.Splat(a9[row2]); cB0 = S.Fma(x, b0, cB0); cB1 = S.Fma(x, b1, cB1);
                a0 += aCol;
                a3 += aCol;
                a6 += aCol;
                a9 += aCol;
                b += ldb;
            }
        }
        float* c3 = c + (3 * ldc), c6 = c + (6 * ldc), c9 = c + (9 * ldc);
        S.Store(c, c00); S.Store(c + l, c01); S.Store(c + ldc, c10); S.Store(c + ldc + l, c11); S.Store(c + (2 * ldc),
            c20); S.Store(c + (2 * ldc) + l, c21);
        S.Store(c3, c30); S.Store(c3 + l, c31); S.Store(c3 + ldc, c40); S.Store(c3 + ldc + l,
            c41); S.Store(c3 + (2 * ldc), c50); S.Store(c3 + (2 * ldc) + l, c51);
        S.Store(c6, c60); S.Store(c6 + l, c61); S.Store(c6 + ldc, c70); S.Store(c6 + ldc + l,
            c71); S.Store(c6 + (2 * ldc), c80); S.Store(c6 + (2 * ldc) + l, c81);
        S.Store(c9, c90); S.Store(c9 + l, c91); S.Store(c9 + ldc, cA0); S.Store(c9 + ldc + l,
            cA1); S.Store(c9 + (2 * ldc), cB0); S.Store(c9 + (2 * ldc) + l, cB1);
    }

    /// <summary>
    /// 12 x 1 vector: few columns, such as the tokens of one decoding step. 12 chains hide the
    /// latency; one FMA per broadcast.
    /// </summary>
    private static void Tile12x1<S, V>(int depth, Matrix matrix, Rows panel, Rows start, Rows to)
        where S : ISimd<V> where V : unmanaged
    {
        nint aRow = matrix.PerRow, aCol = matrix.PerColumn, ldb = panel.Stride, ls = start.Stride, ldc = to.Stride;
        float* a = matrix.Pointer, b = panel.First, s = start.First, c = to.First;
        float* s3 = s + (3 * ls), s6 = s + (6 * ls), s9 = s + (9 * ls);
        V c0 = S.Load(s), c1 = S.Load(s + ls), c2 = S.Load(s + (2 * ls)), c3 = S.Load(s3), c4 = S.Load(s3 + ls),
            c5 = S.Load(s3 + (2 * ls));
        V c6 = S.Load(s6), c7 = S.Load(s6 + ls), c8 = S.Load(s6 + (2 * ls)), c9 = S.Load(s9), cA = S.Load(s9 + ls),
            cB = S.Load(s9 + (2 * ls));
        float* a0 = a, a3 = a + (3 * aRow), a6 = a + (6 * aRow), a9 = a + (9 * aRow);
        nint row2 = 2 * aRow;
        for (int k = depth; k > 0; k--)
        {
            V x = S.Load(b);
            c0 = S.Fma(S.Splat(a0[0]), x, c0); c1 = S.Fma(S.Splat(a0[aRow]), x, c1); c2 =
                S.Fma(S.Splat(a0[row2]), x, c2);
            c3 = S.Fma(S.Splat(a3[0]), x, c3); c4 = S.Fma(S.Splat(a3[aRow]), x, c4); c5 =
                S.Fma(S.Splat(a3[row2]), x, c5);
            c6 = S.Fma(S.Splat(a6[0]), x, c6); c7 = S.Fma(S.Splat(a6[aRow]), x, c7); c8 =
                S.Fma(S.Splat(a6[row2]), x, c8);
            c9 = S.Fma(S.Splat(a9[0]), x, c9); cA = S.Fma(S.Splat(a9[aRow]), x, cA); cB =
                S.Fma(S.Splat(a9[row2]), x, cB);
            a0 += aCol;
            a3 += aCol;
            a6 += aCol;
            a9 += aCol;
            b += ldb;
        }
        float* d3 = c + (3 * ldc), d6 = c + (6 * ldc), d9 = c + (9 * ldc);
        S.Store(c, c0); S.Store(c + ldc, c1); S.Store(c + (2 * ldc), c2); S.Store(d3, c3); S.Store(d3 + ldc,
            c4); S.Store(d3 + (2 * ldc), c5);
        S.Store(d6, c6); S.Store(d6 + ldc, c7); S.Store(d6 + (2 * ldc), c8); S.Store(d9, c9); S.Store(d9 + ldc,
            cA); S.Store(d9 + (2 * ldc), cB);
    }

    /// <summary>
    /// 4 x 2 vectors: 8 accumulators + 2 + 1 = 11 registers, so it fits the 16 of AVX2 and SSE, and
    /// 8 chains are just enough to keep two FMA units of latency 4 busy. Also the last rows
    /// elsewhere: a power of two leaves 4 or 8 when divided by 12.
    /// </summary>
    private static void Tile4<S, V, F>(int depth, Matrix matrix, Rows panel, Rows start, Rows to, F fetch)
        where S : ISimd<V> where V : unmanaged where F : struct, IFetch
    {
        nint aRow = matrix.PerRow, aCol = matrix.PerColumn, ldb = panel.Stride, ls = start.Stride, ldc = to.Stride;
        float* a = matrix.Pointer, b = panel.First, s = start.First, c = to.First;
        int l = S.Lanes;
        float* s2 = s + (2 * ls);
        V c00 = S.Load(s), c01 = S.Load(s + l), c10 = S.Load(s + ls), c11 = S.Load(s + ls + l);
        V c20 = S.Load(s2), c21 = S.Load(s2 + l), c30 = S.Load(s2 + ls), c31 = S.Load(s2 + ls + l);
        float* a2 = a + (2 * aRow);
        for (int k = depth; k > 0;)
        {
            fetch.Next();
            int few = Math.Min(k, FetchEvery);
            k -= few;
            for (; few > 0; few--)
            {
                V b0 = S.Load(b), b1 = S.Load(b + l), x;
                x = S.Splat(a[0]); c00 = S.Fma(x, b0, c00); c01 = S.Fma(x, b1, c01);
                x = S.Splat(a[aRow]); c10 = S.Fma(x, b0, c10); c11 = S.Fma(x, b1, c11);
                x = S.Splat(a2[0]); c20 = S.Fma(x, b0, c20); c21 = S.Fma(x, b1, c21);
                x = S.Splat(a2[aRow]); c30 = S.Fma(x, b0, c30); c31 = S.Fma(x, b1, c31);
                a += aCol;
                a2 += aCol;
                b += ldb;
            }
        }
        float* c2 = c + (2 * ldc);
        S.Store(c, c00); S.Store(c + l, c01); S.Store(c + ldc, c10); S.Store(c + ldc + l, c11);
        S.Store(c2, c20); S.Store(c2 + l, c21); S.Store(c2 + ldc, c30); S.Store(c2 + ldc + l, c31);
    }

    /// <summary>1 x 2 vectors: the last rows, and one token at a time.</summary>
    private static void Tile1<S, V>(int depth, Matrix matrix, Rows panel, Rows start, Rows to)
        where S : ISimd<V> where V : unmanaged
    {
        nint aCol = matrix.PerColumn, ldb = panel.Stride;
        float* a = matrix.Pointer, b = panel.First, s = start.First, c = to.First;
        V c0 = S.Load(s), c1 = S.Load(s + S.Lanes);
        for (int k = depth; k > 0; k--)
        {
            V x = S.Splat(*a);
            c0 = S.Fma(x, S.Load(b), c0);
            c1 = S.Fma(x, S.Load(b + S.Lanes), c1);
            a += aCol;
            b += ldb;
        }
        S.Store(c, c0);
        S.Store(c + S.Lanes, c1);
    }
}
