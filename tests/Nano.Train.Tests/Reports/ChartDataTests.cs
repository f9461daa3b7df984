namespace Nano.Tests;

public class ChartDataTests
{
    [Fact]
    public void Downsampling_keeps_extremes_order_and_the_limit()
    {
        var random = new Random(3);
        foreach (int count in new[] { 1001, 1999, 20_000, 54_321 })
        {
            ChartPoint[] points = [.. Enumerable.Range(0, count).Select(i => new ChartPoint(i, random.NextDouble()))];
            points[random.Next(count)] = points[0] with { X = 0, Y = 17 };
            points = [.. points.Select((p, i) => p with { X = i })];
            IReadOnlyList<ChartPoint> kept = ChartData.Downsample(points, 1000);
            Assert.InRange(kept.Count, 900, 1000);
            Assert.Equal(points.Min(p => p.Y), kept.Min(p => p.Y));
            Assert.Equal(17, kept.Max(p => p.Y));
            Assert.Equal(kept.OrderBy(p => p.X), kept);
            Assert.All(kept, p => Assert.Equal(points[(int)p.X], p));
        }
    }

    [Fact]
    public void Downsampling_leaves_short_lines_alone_and_keeps_gaps()
    {
        ChartPoint[] few = [new(1, 2), new(2, double.NaN)];
        Assert.Same(few, ChartData.Downsample(few, 1000));

        ChartPoint[] many = [.. Enumerable.Range(0, 100)
            .Select(i => new ChartPoint(i, i is >= 40 and < 60 ? double.NaN : i))];
        IReadOnlyList<ChartPoint> kept = ChartData.Downsample(many, 10);
        Assert.Equal([0, 19, 20, 39, 40, 60, 79, 80, 99], kept.Select(p => p.X));
        Assert.True(double.IsNaN(kept[4].Y));
    }

    [Fact]
    public void Smoothing_narrows_at_the_start_and_skips_what_is_not_finite()
    {
        double[] y = [8, 4, 3, double.NaN, 7, 1];
        IReadOnlyList<ChartPoint> smooth = ChartData.Smooth([.. y.Select((v, i) => new ChartPoint(i, v))], 2);
        double[] expected = [8, 5, (8 + 4 + 3 + 7) / 4.0, (4 + 3 + 7 + 1) / 4.0, (3 + 7 + 1) / 3.0, (7 + 1) / 2.0];
        Assert.Equal(expected, smooth.Select(p => p.Y));
    }

    [Theory]
    [InlineData(0, 1, 5, new double[] { 0, 0.2, 0.4, 0.6, 0.8, 1 })]
    [InlineData(1.61, 4.27, 6, new double[] { 1.5, 2, 2.5, 3, 3.5, 4, 4.5 })]
    [InlineData(-3, 12, 3, new double[] { -5, 0, 5, 10, 15 })]
    [InlineData(0, 18000, 3, new double[] { 0, 10000, 20000 })]
    [InlineData(2, 2, 4, new double[] { 1.8, 1.9, 2, 2.1, 2.2 })]
    [InlineData(0, 0, 2, new double[] { -1, 0, 1 })]
    public void Ticks_are_round_and_enclose_the_range(double low, double high, int count, double[] expected)
    {
        double[] ticks = ChartData.Ticks(low, high, count);
        Assert.Equal(expected.Length, ticks.Length);
        for (int i = 0; i < ticks.Length; i++) Assert.Equal(expected[i], ticks[i], 12);
    }

    [Fact]
    public void Median_skips_what_is_not_finite()
    {
        Assert.Equal(3, ChartData.Median([9, double.NaN, 1, 3, double.PositiveInfinity]));
        Assert.True(double.IsNaN(ChartData.Median([])));
    }
}
