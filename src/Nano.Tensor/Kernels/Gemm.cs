namespace Nano;

/// <summary>How the right-hand matrix lies in memory.</summary>
internal enum RightLayout
{
    /// <summary>B[k, n] at b[k * ldb + n]: rows of n, as in dX = dY * W and dW = dY^T * X.</summary>
    RowsOfN,

    /// <summary>B[k, n] at b[n * ldb + k]: rows of k, as in Y = X * W^T.</summary>
    RowsOfK,
}

/// <summary>
/// C[M, N] = init + A[M, K] * B[K, N], float32, where init is zero, a bias row, or what C already holds.
/// <para>
/// Canonical arithmetic: each C[m, n] is one chain of fused multiply-adds over k = 0, 1, 2 ... that starts from init. Vectors lie along n,
/// never along k; cutting K into blocks stores and reloads the chain's value, which changes no bit. So the result does not depend on
/// tile sizes, SIMD width, threads, or how rows were batched, and accumulating over micro-batches continues the same chain.
/// </para>
/// <para>
/// The plan (after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008): a panel of B, KBlock x TileN, is
/// copied once into contiguous scratch (transposed if B lies along k) and stays in the L2 cache, while tiles of A walk over it in place.
/// Work is split into panels of columns, and also into blocks of rows where columns are few.
/// </para>
/// </summary>
internal readonly unsafe struct Gemm : IKernel
{
    /// <summary>k per block: a panel of 512 x 32 floats is 64 KB, a slab of A of 12 x 512 floats 24 KB (half of a 48 KB L1).</summary>
    private const int KBlock = 512;

    private readonly int m, n, k;
    private readonly float* a, b, bias;
    private readonly nint aRow, aCol, ldb, ldc;
    private readonly RightLayout layout;
    private readonly bool accumulate;
    private readonly float* c;
    private readonly int rowBlock;

    private Gemm(int m, int n, int k, float* a, nint aRow, nint aCol, float* b, nint ldb, RightLayout layout, float* bias, bool accumulate,
        float* c, nint ldc, int rowBlock)
    {
        (this.m, this.n, this.k, this.aRow, this.aCol, this.ldb, this.ldc) = (m, n, k, aRow, aCol, ldb, ldc);
        (this.layout, this.accumulate, this.rowBlock) = (layout, accumulate, rowBlock);
        this.a = a;
        this.b = b;
        this.bias = bias;
        this.c = c;
    }

    /// <summary>
    /// Computes C = init + A * B on the worker team. A[m, k] is at a[m * aRow + k * aCol]; C[m, n] at c[m * ldc + n].
    /// init is C itself if accumulate, else the bias (N values, or null for zero).
    /// </summary>
    public static void Run(Compute compute, int m, int n, int k, float* a, nint aRow, nint aCol, float* b, nint ldb, RightLayout layout,
        float* bias, bool accumulate, float* c, nint ldc)
    {
        if (m == 0 || n == 0)
            return;
        // Enough parts for every worker to have a few, unless rows or columns run out; and no more of A than fits an L2 cache of 1 MB (2^18
        // floats), since every panel walks over it. Splitting rows packs B again, so a part has at least 96.
        int columnParts = (n + TileN(compute.Width) - 1) / TileN(compute.Width);
        int rowParts = Math.Max(4 * compute.Threads / columnParts, (int)((((long)m * Math.Min(k, KBlock)) - 1) >> 18) + 1);
        rowParts = Math.Clamp(rowParts, 1, (m + 95) / 96);
        int rowBlock = ((m + rowParts - 1) / rowParts + 11) / 12 * 12;
        rowParts = (m + rowBlock - 1) / rowBlock;
        compute.For(columnParts * rowParts, 1, ScratchFloats, new Gemm(m, n, k, a, aRow, aCol, b, ldb, layout, bias, accumulate, c, ldc, rowBlock));
    }

    private static long ScratchFloats => (KBlock * 32) + (12 * 32) + 32;

    /// <summary>Columns of one tile: two vectors.</summary>
    public static int TileN(SimdWidth width) => Math.Max(2, (int)width / 16);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int tileN = 2 * S.Lanes;
        int columnParts = (n + tileN - 1) / tileN;
        float* panel = scratch.Take(KBlock * tileN);
        float* edge = scratch.Take(12 * tileN);
        float* zeros = scratch.Take(tileN);
        new Span<float>(zeros, tileN).Clear();
        for (nint part = begin; part < end; part++)
        {
            int column = (int)(part % columnParts) * tileN, row = (int)(part / columnParts) * rowBlock;
            int columns = Math.Min(tileN, n - column), rows = Math.Min(rowBlock, m - row);
            float* to = c + (row * ldc) + column;
            float* start = accumulate ? to : bias == null ? zeros : bias + column;
            nint startRow = accumulate ? ldc : 0;
            for (int k0 = 0; k0 == 0 || k0 < k; k0 += KBlock) // once even if K is 0: then C is its start
            {
                int depth = Math.Min(KBlock, k - k0);
                if (layout == RightLayout.RowsOfN)
                    Pack.Copy<S, V>(depth, columns, b + (k0 * ldb) + column, ldb, tileN, panel);
                else
                    Pack.Transpose(depth, columns, b + (column * ldb) + k0, ldb, tileN, panel);
                Tiles.Multiply<S, V>(rows, columns, depth, a + (row * aRow) + (k0 * aCol), aRow, aCol, panel, tileN, start, startRow, to, ldc, edge);
                start = to;
                startRow = ldc;
            }
        }
    }
}
