namespace Nano.Tests;

public class ScheduleTests
{
    // Worked by hand for a peak of 1, a minimum of 0.1, 9 steps of warm-up (tenths of the peak) and 109 in
    // all (a cosine of 100 steps).
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
    public void Rates_by_hand(long step, double expected) =>
        Assert.Equal(expected, Schedule.WarmupCosine(step, 1, 0.1, 9, 109), 1e-12);

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
            Assert.True(step <= 50 ? rates[step] > rates[step - 1] : rates[step] < rates[step - 1],
                $"step {step}: {rates[step - 1]} then {rates[step]}");
        Assert.All(rates[50..], rate => Assert.InRange(rate, 1, 3));
    }

    [Theory]
    [InlineData(0, 0, 10, 1.0)] // no warm-up: the peak at once
    [InlineData(4, 9, 5, 0.5)] // a run that ends while warming up
    [InlineData(9, 9, 9, 0.1)]
    [InlineData(0, 0, 0, 0.1)]
    public void Degenerate_lengths_have_rates_too(long step, int warmup, int total, double expected) =>
        Assert.Equal(expected, Schedule.WarmupCosine(step, 1, 0.1, warmup, total), 1e-12);

    // Worked by hand for a peak of 1, a minimum of 0.1, 9 steps of warm-up and 109 in all; a last phase of 20
    // steps begins at 89.
    [Theory]
    [InlineData("constant", 8, 0.9)]
    [InlineData("constant", 9, 1)]
    [InlineData("constant", 5000, 1)]
    [InlineData("linear", 4, 0.5)]
    [InlineData("linear", 9, 1)]
    [InlineData("linear", 34, 0.775)]
    [InlineData("linear", 108, 0.109)]
    [InlineData("linear", 109, 0.1)]
    [InlineData("linear", 5000, 0.1)]
    [InlineData("wsd", 0, 0.1)]
    [InlineData("wsd", 9, 1)]
    [InlineData("wsd", 89, 1)]
    [InlineData("wsd", 94, 0.55)] // a quarter, whose root is a half
    [InlineData("wsd", 109, 0.1)]
    [InlineData("wsd", 5000, 0.1)]
    [InlineData("wsd-linear", 88, 1)]
    [InlineData("wsd-linear", 94, 0.775)]
    [InlineData("wsd-linear", 99, 0.55)]
    [InlineData("wsd-linear", 109, 0.1)]
    [InlineData("inverse-sqrt", 4, 0.5)]
    [InlineData("inverse-sqrt", 9, 1)]
    [InlineData("inverse-sqrt", 39, 0.5)] // sqrt(10 / 40)
    [InlineData("inverse-sqrt", 89, 1 / 3.0)] // sqrt(10 / 90)
    [InlineData("inverse-sqrt", 5000, 0.1)] // sqrt(10 / 5001) is below the minimum
    [InlineData("cosine", 59, 0.55)]
    public void Rates_of_every_schedule_by_hand(string name, long step, double expected) =>
        Assert.Equal(expected, new Schedule(name, name.StartsWith("wsd", StringComparison.Ordinal) ? 20 : null)
            .At(step, 1, 0.1, 9, 109), 1e-12);

    [Theory]
    [InlineData(null, 799, 1)]
    [InlineData(null, 850, 0.5)] // a fifth of 1,000: a quarter of it is 50 steps
    [InlineData(0, 999, 1)]
    [InlineData(0, 1000, 0)]
    [InlineData(1000, 10, 1)] // not before the warm-up is over
    public void The_last_phase_is_a_fifth_unless_given(int? decaySteps, long step, double expected) =>
        Assert.Equal(expected, new Schedule("wsd", decaySteps).At(step, 1, 0, 10, 1000), 1e-12);

    [Theory]
    [InlineData("cosin", null, 0, "did you mean 'cosine'")]
    [InlineData("wsdlinear", null, 0, "did you mean 'wsd-linear'")]
    [InlineData("linear", 5, 0, "`decay_steps`")]
    [InlineData("wsd", 101, 0, "`decay_steps`")]
    [InlineData("wsd", -1, 0, "`decay_steps`")]
    [InlineData("cosine", null, -1, "`warmup_steps`")]
    public void What_cannot_be_is_refused(string name, int? decaySteps, int warmup, string expected)
    {
        var e = Assert.Throws<NanoException>(() =>
            new Schedule(name, decaySteps).Validate(warmup, 100));
        Assert.Contains(expected, e.Message + e.Hint, StringComparison.Ordinal);
    }
}
