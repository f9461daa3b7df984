namespace Nano;

/// <summary>
/// C[M, N] = init + A[M, K] * B[K, N], float32, where init is zero, a bias row, or what C already
/// holds.
/// <para>
/// Canonical arithmetic: each C[m, n] is one chain of fused multiply-adds over k = 0, 1, 2 ... that
/// starts from init. Vectors lie along columns, never along k; cutting K into blocks stores and
/// reloads the chain's value, which changes no bit. So the result does not depend on tile sizes,
/// SIMD width, threads, or how rows were batched, and accumulating over micro-batches continues the
/// same chain.
/// </para>
/// <para>
/// The plan (after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication",
/// 2008): one operand is copied into panels, two vectors wide, once for all threads; the other is
/// read in place, one broadcast float per row and step. Copying costs memory traffic, so the
/// smaller operand is the one to copy: for a few hundred tokens that is the activations, not the
/// weights, and C^T = B^T A^T is computed instead, a block at a time, and transposed when it is
/// stored.
/// </para>
/// </summary>
internal static unsafe class Gemm
{
    /// <summary>k per pass.</summary>
    private const int PassDepth = 4096;

    /// <summary>
    /// Computes C = init + A * B on the worker team: A [m, k], B [k, n], C [m, n]. init is C itself if
    /// accumulate, else the bias (n values, or null for zero).
    /// </summary>
    public static void Run(Compute compute, int m, int n, int k, Matrix a, Matrix b, Rows c, float* bias = null,
        bool accumulate = false)
    {
        if (m == 0 || n == 0)
            return;
        if (m == 1 && a.PerColumn == 1 && b.PerRow == 1)
        {
            Gemv.Run(compute, n, k, a.Pointer, b.Transposed, accumulate ? c.First : bias, c.First);
            return;
        }
        bool transposed = ((long)m * k) + ((long)m * n) < (long)n * k;
        var (rows, columns) = transposed ? (n, m) : (m, n);
        var (read, copied) = transposed ? (b.Transposed, a) : (a, b.Transposed);

        var sizes = BlockSizes.For(compute.Caches);
        int tileN = TileN(compute.Width), depth = Math.Clamp(k, 1, PassDepth);
        int group = Math.Min((columns + tileN - 1) / tileN, Math.Max(1, sizes.PanelFloats / depth / tileN)) * tileN;
        float* panels = compute.Shared((long)group * depth);
        int threads = BlockGrid.Threads(compute, m, n, k);
        for (int column = 0; column < columns; column += group)
            for (int k0 = 0; k0 == 0 || k0 < k; k0 += depth) // once even if K is 0: then C is its start
            {
                int width = Math.Min(group, columns - column), steps = Math.Min(depth, k - k0);
                var pack = new PackPanels(width, steps, copied.From(column, k0), panels);
                compute.For(pack.Items(tileN), BlockGrid.Chunk(pack.Items(tileN), threads), 0, pack);
                var start = accumulate || k0 > 0 ? ChainStart.FromC : bias == null ? ChainStart.Zero : ChainStart.Bias;
                var target = transposed ? new Matrix(c.At(column), 1, c.Stride)
                    : new Matrix(c.First + column, c.Stride);
                float* biasPart = bias == null || transposed ? bias : bias + column;
                var blocks = new GemmBlocks(rows, width, steps, read.From(0, k0), panels, tileN, start, biasPart,
                    target, sizes, threads, tileN);
                compute.For(blocks.Items, BlockGrid.Chunk(blocks.Items, threads), blocks.ScratchFloats(tileN), blocks);
            }
    }

    /// <summary>
    /// Computes C = bias + X * W^T for packed weights: X [m, k], W [n, k], C [m, n], bias [n] or null. Panels of
    /// float32 are multiplied where they lie; those of 16 bits are widened, a part of the last-level cache at a time.
    /// </summary>
    public static void Run(Compute compute, int m, Matrix x, Panels w, Rows c, float* bias = null)
    {
        if (m == 0 || w.N == 0)
            return;
        if (m == 1 && x.PerColumn == 1)
        {
            PanelGemv.Run(compute, x.Pointer, w, bias, c.First);
            return;
        }
        var sizes = BlockSizes.For(compute.Caches);
        bool isWide = w.Form == WeightForm.Float32;
        int depth = isWide ? w.K : Math.Clamp(w.K, 1, PassDepth), group = isWide ? w.N
            : Math.Max(1, sizes.PanelFloats / depth / Panels.Width) * Panels.Width;
        float* widened = isWide ? null : compute.Shared((long)Math.Min(group, w.N + Panels.Width) * depth);
        int threads = BlockGrid.Threads(compute, m, w.N, w.K), tileN = TileN(compute.Width);
        for (int column = 0; column < w.N; column += group)
            for (int k0 = 0; k0 == 0 || k0 < w.K; k0 += depth) // once even if K is 0: then C is its start
            {
                int width = Math.Min(group, w.N - column), steps = Math.Min(depth, w.K - k0);
                nint panels = (width + Panels.Width - 1) / Panels.Width;
                if (!isWide)
                    compute.For(panels, BlockGrid.Chunk(panels, threads), 0,
                        new WidenPanels(w, column, k0, steps, widened));
                var blocks = new GemmBlocks(m, width, steps, x.From(0, k0), isWide ? w.First : widened, Panels.Width,
                    k0 > 0 ? ChainStart.FromC : bias == null ? ChainStart.Zero : ChainStart.Bias,
                    bias == null ? bias : bias + column, new Matrix(c.First + column, c.Stride), sizes, threads, tileN);
                compute.For(blocks.Items, BlockGrid.Chunk(blocks.Items, threads), blocks.ScratchFloats(tileN), blocks);
            }
    }

    /// <summary>Columns of one tile: two vectors.</summary>
    public static int TileN(SimdWidth width) => Math.Max(2, (int)width / 16);
}

/// <summary>The initial value of each sum of a product.</summary>
internal enum ChainStart
{
    Zero,
    Bias,
    FromC,
}

/// <summary>
/// Copies columns of an operand [columns, steps] into panels of two vectors: column c at step k lies at
/// panels[c / tileN * steps * tileN + k * tileN + c % tileN].
/// </summary>
internal readonly unsafe struct PackPanels(int columns, int steps, Matrix from, float* panels) : IKernel
{
    private const int Slice = 256;

    public nint Items(int tileN) => (nint)((columns + tileN - 1) / tileN) * ((steps + Slice - 1) / Slice);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int tileN = 2 * S.Lanes, slices = (steps + Slice - 1) / Slice;
        for (nint item = begin; item < end; item++)
        {
            int panel = (int)(item / slices), k = (int)(item % slices) * Slice;
            int width = Math.Min(tileN, columns - (panel * tileN)), depth = Math.Min(Slice, steps - k);
            var source = from.From(panel * tileN, k);
            float* to = panels + ((((nint)panel * steps) + k) * tileN);
            if (from.PerRow == 1)
                Pack.Copy<S, V>(depth, width, source.Pointer, source.PerColumn, tileN, tileN, to);
            else
                Pack.Transpose(depth, width, source.Pointer, source.PerRow, tileN, tileN, to);
        }
    }
}
