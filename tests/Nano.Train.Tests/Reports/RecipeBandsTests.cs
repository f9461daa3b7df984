namespace Nano.Tests;

public class RecipeBandsTests
{
    static RunEntry Entry(string seed, params (string Key, string Value)[] more)
    {
        var config = new OrderedDictionary<string, string> { ["preset"] = "shakespeare-char", ["seed"] = seed };
        foreach (var (key, value) in more)
            config[key] = value;
        return SampleLog.Run() with { Config = config };
    }

    static List<RunLogEntry> Log(int seed, params double[] losses) =>
        [Entry($"{seed}"), .. losses.Select((loss, i) => new EvalEntry(i * 10, 1, loss, ""))];

    static Band[] Bands(params List<RunLogEntry>[] logs) =>
        [.. RecipeBands.Measure("text", "command", logs).Signals[RunSignals.Validation]];

    [Fact]
    public void A_band_is_four_deviations_around_the_mean()
    {
        var band = Assert.Single(Bands(Log(1, 1.9), Log(2, 2.0), Log(3, 2.1))); // deviation 0.1
        Assert.Equal((0, 2.0, 1.6, 2.4),
            (band.Step, Math.Round(band.Mean, 9), Math.Round(band.Low, 9), Math.Round(band.High, 9)));
    }

    [Fact]
    public void A_band_is_never_narrower_than_the_floor()
    {
        var band = Assert.Single(Bands(Log(1, 2), Log(2, 2)));
        Assert.Equal((1.97, 2.03), (Math.Round(band.Low, 9), Math.Round(band.High, 9)));
        List<RunLogEntry>[] norms = [.. new[] { 1, 2 }
            .Select(seed => new List<RunLogEntry> { Entry($"{seed}"), SampleLog.Step(1) with { GradNorm = 10 } })];
        band = Assert.Single(RecipeBands.Measure("text", "command", norms).Signals[RunSignals.GradNorm]);
        Assert.Equal((8.0, 12.0), (Math.Round(band.Low, 9), Math.Round(band.High, 9)));
    }

    [Fact]
    public void A_step_at_which_the_seeds_happen_to_agree_takes_its_width_from_the_others()
    {
        var bands = Bands(Log(1, 0.9, 10), Log(2, 1.0, 10), Log(3, 1.1, 10)); // relative deviations 0.1 and 0
        Assert.Equal(4 * Math.Sqrt(0.01 / 2) * 10, bands[1].High - bands[1].Mean, 1e-9);
        Assert.Equal(0.4, bands[0].High - bands[0].Mean, 1e-9);
    }

    [Fact]
    public void Runs_must_differ_in_their_seed_and_in_nothing_else()
    {
        Assert.Contains("two runs", Assert.Throws<NanoException>(() => Bands(Log(1, 2))).Message,
            StringComparison.Ordinal);
        Assert.Contains("same seed", Assert.Throws<NanoException>(() => Bands(Log(1, 2), Log(1, 2))).Message,
            StringComparison.Ordinal);
        List<RunLogEntry> other = [Entry("2", ("lr", "0.5"))];
        Assert.Contains("lr 0.5, not 0.001", Assert.Throws<NanoException>(() => Bands(Log(1, 2), other)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Windows_of_steps_are_averaged_and_one_with_a_gap_is_left_out()
    {
        List<RunLogEntry> log = [.. Enumerable.Range(1, 50).Where(step => step != 30)
            .Select(step => SampleLog.Step(step, loss: step) with { GradNorm = step == 5 ? 1000 : 1 })];
        var signals = RunSignals.Of(log);
        Assert.Equal([(1, 1.0), (10, 6.0), (25, 18.0)],
            signals.Where(signal => signal.Name == RunSignals.Training).Select(signal => (signal.Step, signal.Value)));
        // the median does not see one batch
        Assert.Equal([1.0, 1.0, 1.0], signals.Where(signal => signal.Name == RunSignals.GradNorm)
            .Select(signal => signal.Value));
        Assert.Equal([1, 2, 11, 26, 51, 101, 251, 501],
            new[] { 1, 10, 25, 50, 100, 250, 500, 750 }.Select(RunSignals.WindowStart));
    }

    [Fact]
    public void The_nearest_recipe_is_found_or_what_differs_is_told()
    {
        RecipeBands[] known =
        [
            new("shakespeare-char", "a", "", [1, 2],
                new() { ["preset"] = "shakespeare-char", ["corpus_sha256"] = "a", ["steps"] = "2000" }, []),
            new("shakespeare-char", "b", "", [1, 2],
                new() { ["preset"] = "shakespeare-char", ["corpus_sha256"] = "b", ["steps"] = "2000" }, []),
        ];
        Assert.Same(known[1], RecipeBands.For(known,
            Entry("7", ("corpus_sha256", "b"), ("steps", "2000"), ("eval_interval", "10"))).Found);
        // What a later version added counts as its preset's value: 0.99 here.
        Assert.NotNull(RecipeBands.For(known,
            Entry("7", ("corpus_sha256", "b"), ("steps", "2000"), ("beta2", "0.99"))).Found);
        Assert.Equal(["beta2 0.5, not 0.99"], RecipeBands.For(known,
            Entry("7", ("corpus_sha256", "b"), ("steps", "2000"), ("beta2", "0.5"))).Differences);
        Assert.Equal(["another text", "steps 20, not 2000"],
            RecipeBands.For(known, Entry("7", ("corpus_sha256", "c"), ("steps", "20"))).Differences);
        Assert.Equal(["tokenizer_sha256 of its own"],
            RecipeBands.For(known, Entry("7", ("corpus_sha256", "a"), ("tokenizer_sha256", "t"))).Differences
                .Select(text => text.Replace("another tokenizer", "tokenizer_sha256 of its own",
                    StringComparison.Ordinal)));
        Assert.Equal(["the preset was not measured"],
            RecipeBands.For(known, Entry("7") with { Preset = "other" }).Differences);
    }

    /// <summary>If this fails because a recipe was changed, its bands must be measured again.</summary>
    [Fact]
    public void The_bands_that_come_with_the_program_are_those_of_the_presets_as_they_are()
    {
        Assert.Contains(RecipeBands.Known,
            recipe => recipe is { Preset: "shakespeare-char", Corpus: "tinyshakespeare" });
        string builtIn = new Corpus("", BuiltInCorpus.Generate(), "").Sha256,
            shakespeare = DataSource.Known.Single(source => source.Name == "shakespeare").Files[0].Sha256;
        foreach (var recipe in RecipeBands.Known)
        {
            Assert.Equal(5, recipe.Seeds.Distinct().Count());
            Assert.Equal(recipe.Corpus == BuiltInCorpus.Name ? builtIn : shakespeare, recipe.Config["corpus_sha256"]);
            var preset = Presets.Get(recipe.Preset).Describe();
            foreach (var (key, value) in recipe.Config
                .Where(option => option.Key is not ("corpus_sha256" or "vocabulary")))
                Assert.Equal((key, preset[key]), (key, value));
            foreach (var (_, bands) in recipe.Signals)
            {
                Assert.Equal(bands.Select(band => band.Step).Distinct().Order(), bands.Select(band => band.Step));
                Assert.All(bands, band => Assert.True(band.Low < band.Mean && band.Mean < band.High && band.Low > 0));
            }
            // A model that knows nothing loses the logarithm of its vocabulary, and half the variance of its
            // logits, C x 0.02^2; one seed deviates by 0.04 (measured), their mean by 0.02.
            int Number(string key) => int.Parse(recipe.Config[key],
                System.Globalization.CultureInfo.InvariantCulture);
            double fresh = Math.Log(Number("vocabulary")) + (0.5 * Number("channels") * 0.02 * 0.02);
            Assert.Equal(fresh, recipe.Find(RunSignals.Validation, 0)!.Mean, 0.06);
            Assert.Equal(Enumerable.Range(0, (Number("steps") / 250) + 1).Select(i => 250 * i),
                recipe.Signals[RunSignals.Validation].Select(band => band.Step));
            Assert.NotNull(recipe.Find(RunSignals.Whole, Number("steps")));
        }
    }
}
