namespace Nano;

/// <summary>
/// The backward pass of a norm over a band of rows as a single job of a few parts: each computes dx of
/// its share of the rows and dw and db of its share of the columns, so the workers wait for each other
/// once. A dx that nobody wants is left out.
/// </summary>
internal readonly struct NormBackward<T>(bool wantsInput, T input, NormWeightGradient weight, int rows, int columns,
    int parts) : IKernel where T : unmanaged, IKernel
{
    private const int PartsPerThread = 4, ColumnsPerPart = 32;

    public static void Run(Compute compute, int rows, int columns, bool wantsInput, in T input,
        in NormWeightGradient weight)
    {
        int worthwhile = (int)Math.Min(columns / ColumnsPerPart, (long)rows * columns / Compute.ElementsPerChunk);
        int parts = Math.Clamp(worthwhile, 1, PartsPerThread * compute.Threads);
        compute.For(parts, 1, 0, new NormBackward<T>(wantsInput, input, weight, rows, columns, parts));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        if (wantsInput)
            input.Run<S, V>(rows * begin / parts, rows * end / parts, scratch);
        weight.Run<S, V>(FirstColumn(begin), FirstColumn(end), scratch);
    }

    /// <summary>The first column of a part, at a cache line.</summary>
    private nint FirstColumn(nint part) => part == parts ? columns : (columns * part / parts) & ~15;
}
