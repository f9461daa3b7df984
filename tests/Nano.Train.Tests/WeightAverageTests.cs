namespace Nano.Tests;

public class WeightAverageTests
{
    static readonly Corpus Corpus = new("test", PatternedText.Sentences(), "made for this test");

    static readonly TrainOptions Options = Runs.Tiny with
    {
        Steps = 9,
        EvalInterval = 3,
        Stability = new() { AverageDecay = 0.8 }
    };

    static Trainer New(string run, Compute compute, TrainOptions options, bool resume = false) =>
        new(options, TrainingData.FromText(Corpus, null), run, resume, compute, 100, "nano train test");

    [Fact]
    public void An_element_moves_by_its_share_at_every_width_and_team_size()
    {
        var random = new Random(1);
        float[] Values() => [.. Enumerable.Range(0, 20_011).Select(_ => (float)(random.NextDouble() - 0.5))];
        float[] start = Values(), target = Values();
        int[]? expected = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 3 })
            {
                using var compute = new Compute(threads, width);
                Tensor average = Tensor.From(new Shape(20_011), start), x = Tensor.From(new Shape(20_011), target);
                compute.MoveTowards(average, x, 0.125);
                for (int i = 0; i < start.Length; i++)
                    Assert.Equal(start[i] + (0.125 * ((double)target[i] - start[i])), average.Data[i], 1e-7);
                expected ??= Runs.Bits(average.Data);
                Assert.Equal(expected, Runs.Bits(average.Data));
            }
    }

    [Fact]
    public void The_average_follows_the_formula_in_double_and_is_what_a_run_is_evaluated_with()
    {
        using var run = new TempFolder();
        using var compute = new Compute(2);
        using var trainer = New(run.Root, compute, Options);
        double[] trace = Weights(trainer.Model);
        Evaluated? last = null;
        int t = 0;
        foreach (var e in trainer.Run(CancellationToken.None))
        {
            last = e as Evaluated ?? last;
            if (e is not StepDone)
                continue;
            t++;
            double decay = Math.Min(0.8, (1.0 + t) / (10 + t));
            trace = [.. trace.Zip(Weights(trainer.Model),
                (average, weight) => (decay * average) + ((1 - decay) * weight))];
        }
        Assert.Equal(9, t);
        using var averaged = ModelDirectory.Load(run.File("step-000009/ema")).Model;
        double[] saved = Weights(averaged);
        for (int i = 0; i < trace.Length; i++)
            Assert.Equal(trace[i], saved[i], 1e-6);
        Assert.NotEqual(saved, Weights(trainer.Model));

        var validation = new BatchLoader(trainer.Data.Validation, Options.Batch, Options.Time, "test");
        Assert.Equal(EvaluateRows.OnRandomRows(new ModelLosses(averaged, compute), validation, Options.EvalRows,
            Options.Seed, RandomPurpose.ValidationEvaluation), last!.ValLoss);
        using var plain = ModelDirectory.Load(run.Root).Model;
        Assert.Equal(Runs.Bits(trainer.Model), Runs.Bits(plain));
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], Runs.Names(run.File("step-000009/ema")));
    }

    static double[] Weights(LanguageModel model) =>
        [.. model.Parameters.All.SelectMany(parameter => parameter.Data.ToArray()).Select(value => (double)value)];

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(9)]
    public void A_killed_run_goes_on_to_the_same_average(int at)
    {
        using TempFolder whole = new(), parts = new();
        using var compute = new Compute(1);
        using (var trainer = New(whole.Root, compute, Options))
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        using (var trainer = New(parts.Root, compute, Options))
            Assert.NotNull(trainer.Run(CancellationToken.None).FirstOrDefault(e => e is StepDone && e.Step == at));
        using (var trainer = New(parts.Root, compute, Options, resume: true))
            Assert.Equal(9, trainer.Run(CancellationToken.None).OfType<Finished>().Single().Step);
        foreach (string folder in new[] { "step-000009", "step-000009/ema" })
            Assert.Equal(Runs.Files(whole.File(folder)), Runs.Files(parts.File(folder)));
    }

    [Fact]
    public void Averaging_does_not_change_what_is_trained()
    {
        using TempFolder with = new(), without = new();
        using var compute = new Compute(1);
        foreach (var (folder, options) in new[] { (with, Options), (without, Options with { Stability = new() }) })
        {
            using var trainer = New(folder.Root, compute, options);
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        }
        Assert.Equal(Runs.Files(without.File("step-000009"))["model.safetensors"],
            Runs.Files(with.File("step-000009"))["model.safetensors"]);
        Assert.False(Directory.Exists(without.File("step-000009/ema")));
    }

    [Fact]
    public void A_run_whose_patience_is_over_ends_and_stays_ended()
    {
        // no improvement is enough
        var options = Runs.Tiny with
        {
            Steps = 30,
            EvalInterval = 3,
            Stability = new() { Patience = 2, MinDelta = 100 }
        };
        using var run = new TempFolder();
        using var compute = new Compute(1);
        Finished Ended(bool resume, Func<TrainEvent, bool>? killedAt = null)
        {
            using var trainer = New(run.Root, compute, options, resume);
            return killedAt is null ? trainer.Run(CancellationToken.None).OfType<Finished>().Single()
                : trainer.Run(CancellationToken.None).First(killedAt) is Finished end ? end : null!;
        }
        Assert.Null(Ended(false, e => e is StepDone { Step: 5 })); // after the first evaluation that was not better
        var end = Ended(true);
        Assert.Equal((6, true, false, run.File("step-000006")),
            (end.Step, end.StoppedEarly, end.Interrupted, end.Checkpoint));
        Assert.True(double.IsFinite(end.ValLoss));
        Assert.Equal("early stop", RunLog.Read(run.File("log.jsonl")).OfType<EndEntry>().Single().Reason);
        var again = Ended(true);
        Assert.Equal((6, true, end.ValLoss), (again.Step, again.StoppedEarly, again.ValLoss));

        var patient = options with { Stability = new() { Patience = 2 } }; // it still learns
        using var longer = new TempFolder();
        using var trainer = New(longer.Root, compute, patient);
        Assert.Equal((30, false), trainer.Run(CancellationToken.None).OfType<Finished>()
            .Select(whole => ((int)whole.Step, whole.StoppedEarly)).Single());
    }
}
