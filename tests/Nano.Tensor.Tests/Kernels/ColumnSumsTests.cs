namespace Nano.Tests;

public sealed class ColumnSumsTests : IDisposable
{
    private const float Canary = 4321.5f;
    private readonly List<Compute> computes = KernelData.EveryCompute();

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Theory]
    [InlineData(0, 5)]
    [InlineData(1, 1)]
    [InlineData(3, 0)]
    [InlineData(7, 15)]
    [InlineData(5, 16)]
    [InlineData(33, 17)]
    [InlineData(2, 63)]
    [InlineData(4, 65)]
    [InlineData(300, 200)]
    [InlineData(3, 9000)]
    public unsafe void Each_column_is_added_in_row_order(int rows, int columns)
    {
        int stride = columns + 3;
        var x = KernelData.Filled((rows * stride) + 3, float.NaN);
        var values = KernelData.Random(rows + columns, rows * columns);
        for (int r = 0; r < rows; r++)
            values.AsSpan(r * columns, columns).CopyTo(x.AsSpan(r * stride));
        var before = KernelData.Random(8, columns);
        foreach (bool accumulate in new[] { false, true })
        {
            var expected = accumulate ? (float[])before.Clone() : new float[columns];
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < columns; c++)
                    expected[c] += values[(r * columns) + c];
            foreach (var compute in computes)
            {
                float[] actual = [.. before, Canary, Canary];
                fixed (float* px = x, py = actual)
                    ColumnSums.Run(compute, rows, columns, px, stride, new GradientTarget(py, accumulate));
                KernelData.AssertSameBits([.. expected, Canary, Canary], actual,
                    $"accumulate {accumulate}, {KernelData.Describe(compute)}");
            }
        }
    }

    [Fact]
    public unsafe void Nothing_outside_the_matrix_is_touched()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "guard pages are set up with Linux calls");
        for (int columns = 1; columns < 40; columns++)
            foreach (bool atEnd in new[] { true, false })
            {
                using GuardedMemory x = new(KernelData.Random(1, 3 * columns), atEnd),
                    y = new(new float[columns], atEnd);
                foreach (var compute in computes.Where(c => c.Threads == 1))
                    ColumnSums.Run(compute, 3, columns, x.Pointer, columns, new GradientTarget(y.Pointer, true));
            }
    }
}
