namespace Nano.Tests;

public sealed class PackTests : IDisposable
{
    private const float Canary = 99.25f;
    private readonly List<Compute> computes = [.. SimdWidths.All.Select(width => new Compute(1, width))];

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Fact]
    public unsafe void Transpose_moves_every_element_and_pads_with_zero()
    {
        for (int rows = 0; rows <= 40; rows++)
            for (int columns = 0; columns <= 40; columns++)
            {
                int fromRow = rows + 2, padded = columns + (rows % 5), toRow = padded + (columns % 3);
                var from = Source(columns, rows, fromRow);
                var to = KernelData.Filled((rows * toRow) + 4, Canary);
                fixed (float* pf = from, pt = to)
                    Pack.Transpose(rows, columns, pf, fromRow, padded, toRow, pt);
                KernelData.AssertSameBits(Packed(rows, columns, padded, toRow, (r, c) => from[(c * fromRow) + r]), to,
                    $"{rows} x {columns}");
            }
    }

    [Fact]
    public unsafe void Copy_keeps_every_element_and_pads_with_zero()
    {
        for (int rows = 0; rows <= 40; rows++)
            for (int columns = 0; columns <= 40; columns++)
            {
                int fromRow = columns + 2, padded = columns + (rows % 5), toRow = padded + (columns % 3);
                var from = Source(rows, columns, fromRow);
                var expected = Packed(rows, columns, padded, toRow, (r, c) => from[(r * fromRow) + c]);
                foreach (var compute in computes)
                {
                    var to = KernelData.Filled((rows * toRow) + 4, Canary);
                    fixed (float* pf = from, pt = to)
                        compute.For(1, 1, 0, new CopyKernel(rows, columns, pf, fromRow, padded, toRow, pt));
                    KernelData.AssertSameBits(expected, to, $"{rows} x {columns}, {compute.Width}");
                }
            }
    }

    [Fact]
    public unsafe void Nothing_outside_the_blocks_is_touched()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "guard pages are set up with Linux calls");
        foreach (bool atEnd in new[] { true, false })
            for (int rows = 1; rows <= 18; rows++)
                for (int columns = 1; columns <= 18; columns++)
                {
                    using GuardedMemory from = new(KernelData.Random(1, rows * columns), atEnd),
                        to = new(new float[rows * columns], atEnd);
                    Pack.Transpose(rows, columns, from.Pointer, rows, columns, columns, to.Pointer);
                    foreach (var compute in computes)
                        compute.For(1, 1, 0, new CopyKernel(rows, columns, from.Pointer, columns, columns, columns,
                            to.Pointer));
                }
    }

    private static float[] Source(int rows, int columns, int rowStride)
    {
        var from = KernelData.Filled(rows * rowStride, float.NaN);
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                from[(r * rowStride) + c] = (r * 100) + c + 1;
        return from;
    }

    private static float[] Packed(int rows, int columns, int padded, int toRow, Func<int, int, float> element)
    {
        var expected = KernelData.Filled((rows * toRow) + 4, Canary);
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < padded; c++)
                expected[(r * toRow) + c] = c < columns ? element(r, c) : 0;
        return expected;
    }

    private readonly unsafe struct CopyKernel(int rows, int columns, float* from, nint fromRow, int padded, nint toRow,
        float* to) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged =>
            Pack.Copy<S, V>(rows, columns, from, fromRow, padded, toRow, to);
    }
}
