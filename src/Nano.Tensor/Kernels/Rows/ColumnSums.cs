namespace Nano;

/// <summary>
/// out[c] = (out[c] or 0) + x[0, c] + x[1, c] + ...: in row order, vectors and threads along
/// columns. Bias gradients. The sums stay in out while rows stream by, so memory is read a stretch
/// of a row at a time.
/// </summary>
internal readonly unsafe struct ColumnSums(int rows, float* x, nint rowStride, GradientTarget output) : IKernel
{
    public static void Run(Compute compute, int rows, int columns, float* x, nint rowStride, GradientTarget output) =>
        compute.For(columns, Chunk(compute, rows, columns), 0, new ColumnSums(rows, x, rowStride, output));

    /// <summary>
    /// Columns per chunk: four chunks per thread, but stretches of at least 256 bytes and some
    /// thousand elements.
    /// </summary>
    public static nint Chunk(Compute compute, int rows, int columns)
    {
        nint fair = (columns + (4 * compute.Threads) - 1) / (4 * compute.Threads),
            worthwhile = (1 << 13) / Math.Max(1, rows);
        return (nint.Max(64, nint.Max(fair, worthwhile)) + 15) & ~15;
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        output.Begin(begin, end);
        float* p = x;
        for (int r = 0; r < rows; r++, p += rowStride)
            new ElementwiseLoop<GradientTargetExtensions.Copy>(new(p, new GradientTarget(output.Pointer, true)))
                .Run<S, V>(begin, end, scratch);
    }
}
