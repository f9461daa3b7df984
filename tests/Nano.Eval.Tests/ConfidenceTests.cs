namespace Nano.Tests.Evaluation;

public class ConfidenceTests
{
    /// <summary>
    /// The ends p of (share - p)^2 = z^2 p (1 - p) / n, which is what the interval means, found by
    /// bisection in Python.
    /// </summary>
    [Theory]
    [InlineData(8, 10, 0.4901624715366417, 0.9433178485456247, 0.13333333333333333)]
    [InlineData(0, 10, 0, 0.2775327998628892, 0)]
    [InlineData(10, 10, 0.7224672001371107, 1, 0)]
    [InlineData(1, 3, 0.06149194472039623, 0.7923403991979522, 0.3333333333333333)]
    [InlineData(3101, 10042, 0.2998414999025652, 0.31791077941214463, 0.004610554974411628)]
    public void A_share_has_Wilsons_interval_and_the_harness_standard_error(int right, int examples, double low,
        double high, double error)
    {
        var score = Confidence.OfShare(right, examples);
        Assert.Equal((double)right / examples, score.Value);
        Assert.Equal(low, score.Low, 1e-9);
        Assert.Equal(high, score.High, 1e-9);
        Assert.Equal(error, score.StandardError, 1e-12);
    }

    [Fact]
    public void One_example_has_no_standard_error()
    {
        Assert.True(double.IsNaN(Confidence.OfShare(1, 1).StandardError));
        Assert.True(double.IsNaN(Confidence.OfMean([0.5], 1).StandardError));
        Assert.Equal((0.5, 0.5, 0.5), Confidence.OfMean([0.5], 1) is var one
            ? (one.Value, one.Low, one.High) : default);
        Assert.True(double.IsNaN(Confidence.OfStatistic(1, 1, rows => rows.Length).StandardError));
    }

    /// <summary>0, 0, 0, 1, 4: mean 1, squares 1 + 1 + 1 + 0 + 9 = 12, so sqrt(12 / 4 / 5).</summary>
    [Fact]
    public void The_standard_error_of_a_mean_has_the_divisor_n_minus_1() =>
        Assert.Equal(Math.Sqrt(0.6), Confidence.OfMean([0, 0, 0, 1, 4], 3).StandardError, 1e-15);

    [Fact]
    public void The_bootstrap_draws_what_Philox_says_and_takes_the_quantiles_between_neighbours()
    {
        double[] values = [0.5, 2, -1, 7, 3, 3, 0];
        ulong key = Philox.Key(42, (ulong)RandomPurpose.Bootstrap);
        double[] means = [.. Enumerable.Range(0, 1000)
            .Select(resample => Enumerable.Range(0, 7)
                .Average(i => values[Philox.Below(key, (ulong)resample, (ulong)i, 7)])).Order()];
        var score = Confidence.OfMean(values, 42);
        // 0.025 x 999 = 24.975 and 0.975 x 999 = 974.025: NumPy's default.
        Assert.Equal((0.025 * means[24]) + (0.975 * means[25]), score.Low, 1e-9);
        Assert.Equal((0.975 * means[974]) + (0.025 * means[975]), score.High, 1e-9);
        Assert.Equal(14.5 / 7, score.Value, 1e-15);
        Assert.Equal(score, Confidence.OfMean(values, 42));
        Assert.NotEqual(score, Confidence.OfMean(values, 43));
        double average = means.Average();
        var statistic = Confidence.OfStatistic(7, 42, rows => rows.ToArray().Average(row => values[row]));
        Assert.Equal(Math.Sqrt(means.Sum(mean => (mean - average) * (mean - average)) / 999),
            statistic.StandardError, 1e-9);
        Assert.Equal((score.Low, score.High, score.Value), (statistic.Low, statistic.High, statistic.Value));
    }

    /// <summary>
    /// For a mean of many, the bootstrap must come near the normal interval; the tolerance is five
    /// deviations of a quantile of 1,000.
    /// </summary>
    [Fact]
    public void The_bootstrap_of_a_mean_is_about_the_normal_interval()
    {
        // mean 4.5, deviation sqrt(8.25 x 400 / 399)
        double[] values = [.. Enumerable.Range(0, 400).Select(i => i % 10.0)];
        var score = Confidence.OfMean(values, 7);
        double error = Math.Sqrt(8.25 * 400 / 399 / 400);
        Assert.Equal(error, score.StandardError, 1e-12);
        Assert.InRange(score.Low, 4.5 - (2.4 * error), 4.5 - (1.55 * error));
        Assert.InRange(score.High, 4.5 + (1.55 * error), 4.5 + (2.4 * error));
    }
}
