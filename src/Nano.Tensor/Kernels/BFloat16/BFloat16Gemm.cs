namespace Nano;

/// <summary>
/// C[M, N] = init + A[M, K] * B[K, N], where A and B, float32, are rounded to bfloat16 and summed
/// in float32; init is zero, a bias row, or what C already holds.
/// <para>
/// Canonical arithmetic: each C[m, n] is one chain over k = 0, 1, 2 ... that starts from init, of
/// the fused multiply-adds of <see cref="DotPairs"/>, so the result does not depend on threads,
/// SIMD width, blocks, or whether the processor has an instruction for it. An init that is
/// subnormal counts as zero, unless K is 0.
/// </para>
/// <para>
/// The plan is that of <see cref="Gemm"/>, but both operands are packed, since both are rounded:
/// the smaller one into panels, once for all threads, the other one block by block by the thread
/// that multiplies it.
/// </para>
/// </summary>
internal static unsafe class BFloat16Gemm
{
    /// <summary>Pairs of one pass's panels: 4 MB, a part of a shared L3 cache.</summary>
    private const int PanelPairs = 1 << 20;

    /// <summary>k per pass.</summary>
    private const int PassDepth = 8192;

    /// <summary>
    /// Computes C = init + A * B on the worker team: A [m, k], B [k, n], C [m, n]. init is C itself
    /// if accumulate, else the bias (n values, or null for zero).
    /// </summary>
    public static void Run(Compute compute, int m, int n, int k, Matrix a, Matrix b, Rows c, float* bias = null,
        bool accumulate = false)
    {
        if (m == 0 || n == 0)
            return;
        bool transposed = ((long)m * k) + ((long)m * n) < (long)n * k;
        var (rows, columns) = transposed ? (n, m) : (m, n);
        var (read, copied) = transposed ? (b.Transposed, a) : (a, b.Transposed);

        int depth = Math.Clamp(k, 1, PassDepth), pairs = (depth + 1) / 2;
        int panelCount = (columns + DotPairs.Columns - 1) / DotPairs.Columns;
        int group = Math.Min(panelCount, Math.Max(1, PanelPairs / pairs / DotPairs.Columns)) * DotPairs.Columns;
        uint* panels = (uint*)compute.Shared((long)group * pairs);
        int threads = BlockGrid.Threads(compute, m, n, k);
        for (int column = 0; column < columns; column += group)
            for (int k0 = 0; k0 == 0 || k0 < k; k0 += depth) // once even if K is 0: then C is its start
            {
                int width = Math.Min(group, columns - column), steps = Math.Min(depth, k - k0);
                var pack = new PackPairPanels(width, steps, copied.From(column, k0), panels);
                compute.For(pack.Items, BlockGrid.Chunk(pack.Items, threads), PackPairPanels.ScratchFloats, pack);
                var start = accumulate || k0 > 0 ? ChainStart.FromC
                    : bias == null ? ChainStart.Zero : ChainStart.Bias;
                var target = transposed ? new Matrix(c.At(column), 1, c.Stride)
                    : new Matrix(c.First + column, c.Stride);
                var blocks = new BFloat16Blocks(rows, width, steps, read.From(0, k0), panels, start,
                    bias == null || transposed ? bias : bias + column, target, threads,
                    compute.EmittedCodeProblem is null);
                compute.For(blocks.Items, BlockGrid.Chunk(blocks.Items, threads), blocks.ScratchFloats, blocks);
            }
    }
}
