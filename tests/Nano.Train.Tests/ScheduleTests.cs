namespace Nano.Tests;

public class ScheduleTests
{
    // Worked by hand for a peak of 1, a minimum of 0.1, 9 steps of warm-up (tenths of the peak) and 109 in all (a cosine of 100 steps).
    [Theory]
    [InlineData(0, 0.1)]
    [InlineData(4, 0.5)]
    [InlineData(8, 0.9)]
    [InlineData(9, 1.0)]
    [InlineData(34, 0.1 + 0.9 * (1 + 0.70710678118654752) / 2)] // a quarter: cos 45 degrees
    [InlineData(59, 0.55)]
    [InlineData(84, 0.1 + 0.9 * (1 - 0.70710678118654752) / 2)]
    [InlineData(109, 0.1)]
    [InlineData(1_000_000_000_000, 0.1)]
    public void Rates_by_hand(long step, double expected) => Assert.Equal(expected, Schedule.WarmupCosine(step, 1, 0.1, 9, 109), 1e-12);

    [Fact]
    public void The_recipe_of_nanoGPT()
    {
        Assert.Equal(1e-3 / 101, Schedule.WarmupCosine(0, 1e-3, 1e-4, 100, 2000), 1e-15);
        Assert.Equal(1e-3, Schedule.WarmupCosine(100, 1e-3, 1e-4, 100, 2000), 1e-15);
        Assert.Equal(5.5e-4, Schedule.WarmupCosine(1050, 1e-3, 1e-4, 100, 2000), 1e-15);
        Assert.InRange(Schedule.WarmupCosine(1999, 1e-3, 1e-4, 100, 2000), 1e-4, 1.00001e-4);
    }

    [Fact]
    public void It_rises_then_falls_and_stays_between_its_bounds()
    {
        double[] rates = [.. Enumerable.Range(0, 300).Select(step => Schedule.WarmupCosine(step, 3, 1, 50, 250))];
        for (int step = 1; step < 250; step++)
            Assert.True(step <= 50 ? rates[step] > rates[step - 1] : rates[step] < rates[step - 1], $"step {step}: {rates[step - 1]} then {rates[step]}");
        Assert.All(rates[50..], rate => Assert.InRange(rate, 1, 3));
    }

    [Theory]
    [InlineData(0, 0, 10, 1.0)] // no warm-up: the peak at once
    [InlineData(4, 9, 5, 0.5)] // a run that ends while warming up
    [InlineData(9, 9, 9, 0.1)]
    [InlineData(0, 0, 0, 0.1)]
    public void Degenerate_lengths_have_rates_too(long step, int warmup, int total, double expected) => Assert.Equal(expected, Schedule.WarmupCosine(step, 1, 0.1, warmup, total), 1e-12);
}
