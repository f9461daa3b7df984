namespace Nano.Tests;

/// <summary>The bands of rows and the parts in which a norm's backward pass is computed change no bit.</summary>
public class NormBackwardTests
{
    [Theory]
    [InlineData(151, 137)]
    [InlineData(3, 5000)]
    [InlineData(1, 31)]
    [InlineData(64, 33)]
    public void Sizes_of_caches_and_threads_change_no_bit(int rows, int columns)
    {
        using var first = new Compute(1);
        var expected = Gradients(first, rows, columns);
        foreach (int l2 in (ReadOnlySpan<int>)[1, 4 << 10, 64 << 10, 1 << 30])
            foreach (int threads in KernelData.ThreadCounts)
            {
                using var compute = new Compute(threads) { Caches = CacheSizes.Default with { L2 = l2 } };
                KernelData.AssertSameBits(expected, Gradients(compute, rows, columns), $"{l2} bytes, {threads} threads");
            }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(100, 100)] // all, where they fit
    [InlineData(200, 100)]
    [InlineData(201, 67)] // three of equal height, not two whole ones and a row
    [InlineData(0, 1)]
    public void Bands_are_equally_high_and_fit_the_caches_of_all_workers(int rows, int band)
    {
        using var compute = new Compute(2) { Caches = CacheSizes.Default with { L2 = 50 * 3 * sizeof(float) * 48 } };
        Assert.Equal(band, NormWeightGradient.Band(compute, rows, columns: 48));
    }

    private static float[] Gradients(Compute compute, int rows, int columns)
    {
        var random = new Random(3);
        Tensor x = random.Normal(rows, columns), weight = random.AroundOne(columns), bias = random.Normal(columns),
            upstream = random.Normal(rows, columns);
        compute.Tape = new Tape();
        compute.Tape.Backward(compute, compute.LayerNorm(compute.RmsNorm(x, weight, 1e-5f), weight, bias, 1e-5f),
            upstream);
        return [.. x.Gradient.Data, .. weight.Gradient.Data, .. bias.Gradient.Data];
    }
}
