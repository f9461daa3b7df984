namespace Nano.Tests;

public sealed class PhiloxTests
{
    /// <summary>
    /// The known answers that the authors publish with Random123 (kat_vectors, philox4x32 10
    /// rounds).
    /// </summary>
    [Theory]
    [InlineData(0ul, 0ul, 0ul, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x299f31d0a4093822ul, 0x0370734413198a2eul, 0x85a308d3243f6a88ul, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u,
        0x24126ea1u)]
    public void Words_are_those_of_the_authors(ulong key, ulong high, ulong low, uint a, uint b, uint c, uint d) =>
        Assert.Equal((a, b, c, d), Philox.Draw(key, high, low));

    [Fact]
    public void Uniform_numbers_fill_the_unit_interval_evenly()
    {
        const int n = 100_000, bins = 20;
        var counts = new int[bins];
        double sum = 0;
        for (int i = 0; i < n; i++)
        {
            double u = Philox.Uniform(7, 1, (ulong)i);
            Assert.InRange(u, 0, 1 - (1.0 / (1L << 53)));
            counts[(int)(u * bins)]++;
            sum += u;
        }
        AssertEven(counts, n);
        Assert.InRange(Math.Abs((sum / n) - 0.5), 0, 4 / Math.Sqrt(12.0 * n));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(97)]
    public void Integers_below_a_limit_are_equally_frequent(int below)
    {
        const int n = 50_000;
        var counts = new int[below];
        for (int i = 0; i < n; i++)
            counts[Philox.Below(11, 2, (ulong)i, below)]++;
        AssertEven(counts, n);
    }

    [Fact]
    public void Integers_reach_into_the_upper_half_of_a_large_range()
    {
        var values = Enumerable.Range(0, 1000).Select(i => Philox.Below(1, 0, (ulong)i, long.MaxValue)).ToArray();
        Assert.All(values, v => Assert.InRange(v, 0, long.MaxValue - 1));
        Assert.InRange(values.Count(v => v > long.MaxValue / 2), 430, 570);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public void There_is_no_integer_below_nothing(long below) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Philox.Below(1, 0, 0, below));

    [Fact]
    public void Normal_numbers_have_the_mean_deviation_and_tails_of_a_normal_distribution()
    {
        const int n = 200_001;
        const double deviation = 0.02;
        var values = new float[n];
        Philox.Normal(3, 4, deviation, values);
        Assert.All(values, v => Assert.True(float.IsFinite(v)));
        double mean = values.Average(v => (double)v), variance = values.Sum(v => (v - mean) * (v - mean)) / (n - 1);
        Assert.InRange(Math.Abs(mean), 0, 4 * deviation / Math.Sqrt(n));
        Assert.InRange(Math.Abs((Math.Sqrt(variance) / deviation) - 1), 0, 4 / Math.Sqrt(2.0 * n));
        const double beyondTwo = 0.0455002639;
        double beyond = values.Count(v => Math.Abs(v) > 2 * deviation) / (double)n;
        Assert.InRange(Math.Abs(beyond - beyondTwo), 0, 4 * Math.Sqrt(beyondTwo * (1 - beyondTwo) / n));
    }

    [Fact]
    public void A_normal_number_depends_on_its_place_alone()
    {
        float[] many = new float[100], few = new float[7], other = new float[7];
        Philox.Normal(3, 4, 1, many);
        Philox.Normal(3, 4, 1, few);
        Philox.Normal(3, 5, 1, other);
        Assert.Equal(many[..7], few);
        Assert.Empty(few.Intersect(other));
        Philox.Normal(3, 4, 1, []);
    }

    /// <summary>Each count lies within four and a half standard deviations of its expectation.</summary>
    private static void AssertEven(int[] counts, int total)
    {
        double p = 1.0 / counts.Length;
        Assert.All(counts, count => Assert.InRange(Math.Abs(count - (total * p)), 0,
            4.5 * Math.Sqrt(total * p * (1 - p))));
    }
}
