namespace Nano.Tests;

public class LossSpikesTests
{
    static double[] Noise(int count, double mean, double spread)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(_ => mean + (spread * (random.NextDouble() - 0.5)))];
    }

    static LossSpikes After(IEnumerable<double> losses, double threshold = 6, double norm = 1)
    {
        var spikes = new LossSpikes(threshold);
        foreach (double loss in losses)
            spikes.Add(loss, norm);
        return spikes;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(49)]
    [InlineData(50)]
    [InlineData(51)]
    [InlineData(300)]
    public void Mean_and_variance_are_those_of_the_values_under_their_weights(int count)
    {
        double[] losses = Noise(count, 3, 1), norms = [.. Noise(count, 1, 0.5).Reverse()];
        var spikes = new LossSpikes(1e9);
        for (int i = 0; i < count; i++)
            spikes.Add(losses[i], norms[i]);
        var numbers = new Dictionary<string, double>();
        spikes.Save(numbers);

        // A value taken with share a leaves 1 - a to those before: from there to each one's weight, mean and
        // variance as defined.
        double[] share = [.. Enumerable.Range(1, count).Select(n => 1.0 / Math.Min(n, 50))];
        double[] weights = [.. Enumerable.Range(0, count)
            .Select(i => share[i] * share[(i + 1)..].Aggregate(1.0, (product, a) => product * (1 - a)))];
        Assert.Equal(1, weights.Sum(), 1e-12);
        foreach (var (name, values) in new[] { ("loss", losses), ("norm", [.. norms.Select(norm => Math.Log(norm))]) })
        {
            double mean = values.Zip(weights, (x, w) => x * w).Sum();
            Assert.Equal(mean, numbers[$"spikes.{name}_mean"], 1e-12);
            Assert.Equal(values.Zip(weights, (x, w) => w * (x - mean) * (x - mean)).Sum(),
                numbers[$"spikes.{name}_variance"], 1e-12);
        }
    }

    [Fact]
    public void A_score_counts_standard_deviations_and_only_upwards()
    {
        double[] losses = [.. Enumerable.Range(0, 50).Select(i => i % 2 == 0 ? 2.0 : 4.0)]; // mean 3, deviation 1
        var spikes = After(losses);
        Assert.Equal(0, spikes.Scores(3, 1).Loss, 1e-12);
        Assert.Equal(5, spikes.Scores(8, 1).Loss, 1e-12);
        Assert.False(spikes.AreSpike(spikes.Scores(8.99, 1)));
        Assert.True(spikes.AreSpike(spikes.Scores(9.01, 1)));
        Assert.False(spikes.AreSpike(spikes.Scores(-100, 1)));

        // The deviation of the norm's logarithm is 0, taken for 0.2: e^1.2 = 3.32 is six of them.
        Assert.Equal(5, spikes.Scores(3, Math.E).Norm, 1e-9);
        Assert.False(spikes.AreSpike(spikes.Scores(3, 3.31)));
        Assert.True(spikes.AreSpike(spikes.Scores(3, 3.33)));
        Assert.False(spikes.AreSpike(spikes.Scores(3, 0)));
    }

    [Fact]
    public void Nothing_is_judged_before_fifty_values_but_what_is_not_finite_always_is()
    {
        var spikes = After(Noise(49, 1, 0.1));
        Assert.Equal((0, 0), spikes.Scores(1e6, 1e6));
        spikes.Add(1, 1);
        Assert.True(spikes.AreSpike(spikes.Scores(1e6, 1)));
        foreach (var (loss, norm) in new (double, double)[] { (double.NaN, 1), (1, double.NaN),
            (double.PositiveInfinity, 1), (1, double.PositiveInfinity) })
            Assert.True(new LossSpikes(6).AreSpike(new LossSpikes(6).Scores(loss, norm)));
    }

    [Fact]
    public void A_loss_that_hardly_varies_may_rise_by_a_twelfth()
    {
        var spikes = After(Enumerable.Repeat(0.5, 100));
        Assert.False(spikes.AreSpike(spikes.Scores(0.559, 1)));
        Assert.True(spikes.AreSpike(spikes.Scores(0.561, 1)));
    }

    [Fact]
    public void One_outlier_taken_in_does_not_hide_the_next_and_a_lasting_change_is_followed()
    {
        var spikes = After(Noise(200, 2, 0.2));
        double before = spikes.Scores(10, 1).Loss;
        spikes.Add(10, 1);
        Assert.InRange(spikes.Scores(10, 1).Loss, before / 2, before);
        int steps = 0;
        for (; spikes.AreSpike(spikes.Scores(10, 1)); steps++)
            spikes.Add(10, 1);
        Assert.InRange(steps, 3, 40);
    }

    [Fact]
    public void What_is_saved_comes_back_to_the_last_bit()
    {
        double[] losses = Noise(120, 3, 1);
        for (int at = 0; at < 120; at += 17)
        {
            var numbers = new Dictionary<string, double>();
            After(losses[..at]).Save(numbers);
            var loaded = new LossSpikes(6);
            loaded.Load(numbers);
            foreach (double loss in losses[at..])
                loaded.Add(loss, 1);
            Assert.Equal(After(losses).Scores(5, 2), loaded.Scores(5, 2));
        }
        var empty = new LossSpikes(6);
        empty.Load(new Dictionary<string, double>());
        Assert.Equal((0, 0), empty.Scores(1e9, 1));
    }

    [Fact]
    public void Early_stopping_counts_evaluations_since_the_last_that_was_better()
    {
        var patience = new EarlyStopping(2, 0.1);
        List<bool> over = [];
        // 2.39 is 0.11 below 2.5; then 2.35, 2.3 and 2.5 are not 0.1 below 2.39
        foreach (double loss in new[] { 3, 2.5, 2.45, 2.39, 2.35, 2.3, 2.5 })
        {
            patience.Observe(loss);
            over.Add(patience.IsOver);
        }
        Assert.Equal([false, false, false, false, false, true, true], over);

        var never = new EarlyStopping(0, 0);
        for (int i = 0; i < 100; i++)
            never.Observe(1);
        Assert.False(never.IsOver);
        never.Observe(double.NaN);
        Assert.False(never.IsOver);
    }

    [Fact]
    public void Impossible_options_are_named()
    {
        (StabilityOptions Options, string Words)[] wrong =
        [
            (new() { SpikeScore = 0 }, "`spike_z` must be a positive number, got 0"),
                (new() { SpikeScore = double.NaN }, "`spike_z`"),
                    (new() { SpikeScore = double.PositiveInfinity }, "`spike_z`"),
            (new() { MaxRollbacks = 0 }, "`max_rollbacks` must be at least 1, got 0"),
                (new() { AverageDecay = 1 }, "`ema` must be from 0 to below 1, got 1"),
            (new() { AverageDecay = -0.5 }, "`ema`"), (new() { AverageDecay = double.NaN }, "`ema`"),
                (new() { Patience = -1 }, "`patience`"), (new() { MinDelta = -1 }, "`min_delta`"),
            (new() { MinDelta = double.NaN }, "`min_delta`"),
        ];
        foreach (var (options, words) in wrong)
            Assert.Contains(words,
                Assert.Throws<NanoException>((Runs.Tiny with { Stability = options }).Validate).Message,
                StringComparison.Ordinal);
        Runs.Tiny.Validate();
        Assert.Equal(("off", "0", "0"),
            (Runs.Tiny.Describe()["on_spike"], Runs.Tiny.Describe()["ema"], Runs.Tiny.Describe()["patience"]));
    }
}
