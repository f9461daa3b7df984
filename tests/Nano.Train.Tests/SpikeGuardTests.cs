namespace Nano.Tests;

/// <summary>Runs over a text with a stretch of garbage in it.</summary>
public class SpikeGuardTests
{
    /// <summary>The batches that meet garbage, counted from 0, after the losses have settled.</summary>
    static readonly long[] BadBatches = [310, 345];

    const int Batches = 500; // more than any run here sees

    static readonly TrainOptions Options = Runs.Tiny with
    {
        Steps = 400,
        EvalInterval = 100,
        EvalBatches = 1,
        LearningRate = 2e-2,
        MinLearningRate = 2e-3,
        WarmupSteps = 5
    };

    static readonly Corpus Poisoned = new("poisoned", Text(), "made for this test");

    static readonly TrainOptions Skipping = Options with { Stability = new() { OnSpike = OnSpike.Skip } };

    static readonly TrainOptions Rolling = Options with { Stability = new() { OnSpike = OnSpike.Rollback } };

    /// <summary>
    /// The alphabet over and over, and figures in one window of each bad batch, which no other
    /// batch sees.
    /// </summary>
    static string Text()
    {
        char[] text = string.Concat(Enumerable.Repeat("abcdefghijklmnopqrstuvwxyz\n", 2000)).ToCharArray();
        // tokens that tell where they stand
        var positions = new BatchLoader([.. Enumerable.Range(0, (int)(text.Length * 0.9))], Options.Batch,
            Options.Time, "test");
        using var compute = new Compute(1);
        Tensor ids = compute.New(new Shape(Options.Batch, Options.Time), DType.Int32),
            targets = compute.New(new Shape(Options.Batch, Options.Time), DType.Int32);
        var seenBy = new Dictionary<int, HashSet<long>>();
        var starts = new Dictionary<long, int[]>();
        for (long batch = 0; batch < Batches; batch++)
        {
            positions.Random(Options.Seed, RandomPurpose.TrainingWindows, batch, ids, targets);
            starts[batch] = [.. ids.Ids.ToArray().Where((_, i) => i % Options.Time == 0)];
            foreach (int start in starts[batch])
                for (int i = start; i <= start + Options.Time; i++)
                    (seenBy.TryGetValue(i, out var batches) ? batches : seenBy[i] = []).Add(batch);
        }
        foreach (long batch in BadBatches)
        {
            int start = starts[batch]
                .First(start => Enumerable.Range(start, Options.Time + 1).All(i => seenBy[i].Count == 1));
            "0918273645".AsSpan(0, Options.Time + 1).CopyTo(text.AsSpan(start));
        }
        return new string(text);
    }

    static Trainer New(string run, Compute compute, TrainOptions options, bool resume = false, Corpus? corpus = null) =>
        new(options, TrainingData.FromText(corpus ?? Poisoned, null), run, resume, compute, 100, "nano train test");

    /// <summary>Runs, and ends as if killed once an event satisfies the condition; or asks it to stop there.</summary>
    static List<TrainEvent> RunUntil(string run, TrainOptions options, Func<TrainEvent, int, bool>? at = null,
        bool resume = false, bool gently = false)
    {
        using var compute = new Compute(1);
        using var trainer = New(run, compute, options, resume);
        using var stop = new CancellationTokenSource();
        var events = new List<TrainEvent>();
        foreach (var e in trainer.Run(stop.Token))
        {
            events.Add(e);
            if (!(at?.Invoke(e, events.Count) ?? false))
                continue;
            if (!gently)
                break;
            stop.Cancel();
        }
        return events;
    }

    /// <summary>All of a log that does not tell the time.</summary>
    static List<string> Log(string run) => [.. RunLog.Read(Path.Combine(run, "log.jsonl")).Select(entry => entry switch
    {
        StepEntry step => $"step {step.Step} {step.TrainLoss:R} {step.GradNorm:R} {step.LearningRate:R}",
        EvalEntry eval => $"eval {eval.Step} {eval.TrainLoss:R} {eval.ValLoss:R} {eval.Sample}",
        EndEntry end => $"end {end.Step} {end.ValLoss:R} {end.Reason}",
        SpikeEntry spike => spike.ToString(),
        _ => "run",
    })];

    static void AssertSame(TempFolder expected, TempFolder actual, string folder = "step-000400")
    {
        Assert.Equal(Runs.Files(expected.File(folder)), Runs.Files(actual.File(folder)));
        Assert.Equal(Log(expected.Root), Log(actual.Root));
    }

    [Fact]
    public void Steps_with_garbage_are_skipped_no_others_and_the_rest_is_as_if_they_had_no_update()
    {
        using var run = new TempFolder();
        var events = RunUntil(run.Root, Skipping);
        long[] found = [.. events.OfType<SpikeFound>().Select(spike => spike.Step)];
        Assert.Equal([311, 346], found);
        Assert.Equal(Enumerable.Range(1, 400).Select(step => (long)step),
            events.OfType<StepDone>().Select(step => step.Step));
        Assert.All(events.OfType<SpikeFound>(),
            spike => Assert.True(spike.Spike.LossScore > 6 || spike.Spike.NormScore > 6));

        using var compute = new Compute(1);
        var data = TrainingData.FromText(Poisoned, null);
        var options = Options.With(data.Tokenizer);
        using var model = Runs.NewModel(options);
        using var step = new TrainStep(model, compute,
            new BatchLoader(data.Train, options.Batch, options.Time, "test"), options);
        for (long i = 0; i < 400; i++)
        {
            var gradients = step.FindGradients(i);
            if (!found.Contains(i + 1))
                step.Update(options.LearningRateAt(i), gradients);
        }
        using var trained = ModelDirectory.Load(run.Root).Model;
        Assert.Equal(Runs.Bits(model), Runs.Bits(trained));
        Assert.Equal(found.Select(at => $"{at}"), RunLog.Read(run.File("log.jsonl")).OfType<SpikeEntry>()
            .Select(spike => $"{spike.Step}"));
        string report = File.ReadAllText(run.File("report.html"));
        Assert.All(found, at => Assert.Contains($"<tr><td>step {at:N0}: update skipped</td>", report,
            StringComparison.Ordinal));
    }

    [Fact]
    public void A_rollback_returns_to_the_last_evaluation_and_passes_over_the_data_since()
    {
        using var run = new TempFolder();
        var events = RunUntil(run.Root, Rolling);
        var found = events.OfType<SpikeFound>().ToList();
        // eleven batches passed over: the second is met as much earlier
        Assert.Equal([(311, 300), (335, 300)], found.Select(spike => (spike.Step, spike.BackTo)));

        // The same by hand: after each spike the weights of the evaluation, and every later step takes later data.
        using var compute = new Compute(1);
        var data = TrainingData.FromText(Poisoned, null);
        var options = Options.With(data.Tokenizer);
        using var model = Runs.NewModel(options);
        using var step = new TrainStep(model, compute,
            new BatchLoader(data.Train, options.Batch, options.Time, "test"), options);
        Tensor[] live = [.. model.Parameters.All, .. step.Optimizer.State.Select(slot => slot.Tensor)];
        float[][] kept = [];
        var spikes = new Queue<long>(found.Select(spike => spike.Step));
        for (long i = 0; i < 400; i++)
        {
            if (i % 100 == 0)
                kept = [.. live.Select(tensor => tensor.Data.ToArray())];
            var gradients = step.FindGradients(i);
            if (spikes.TryPeek(out long at) && at == i + 1)
            {
                Assert.Contains(i + step.SkippedBatches, BadBatches);
                spikes.Dequeue();
                for (int t = 0; t < live.Length; t++)
                    kept[t].CopyTo(live[t].Data);
                long back = i / 100 * 100;
                step.SkippedBatches += i + 1 - back;
                (step.Optimizer.StepCount, i) = (back, back - 1);
                continue;
            }
            step.Update(options.LearningRateAt(i), gradients);
        }
        using var trained = ModelDirectory.Load(run.Root).Model;
        Assert.Equal(Runs.Bits(model), Runs.Bits(trained));

        string report = File.ReadAllText(run.File("report.html"));
        Assert.All(found, spike =>
            Assert.Contains($"<tr><td>step {spike.Step:N0}: back to step {spike.BackTo:N0}, skipping the batches in "
            + "between</td>", report, StringComparison.Ordinal));
    }

    public static TheoryData<string, int, bool> Ends
    {
        get
        {
            var all = new TheoryData<string, int, bool>();
            foreach (string action in new[] { "skip", "rollback" })
                foreach (int past in new[] { -3, 0, 2 }) // events before and after the first spike
                    foreach (bool gently in new[] { false, true })
                        all.Add(action, past, gently);
            return all;
        }
    }

    static readonly Lazy<(TempFolder Run, List<TrainEvent> Events)> WholeSkipping = new(() => Whole(Skipping)),
        WholeRolling = new(() => Whole(Rolling));

    static (TempFolder Run, List<TrainEvent> Events) Whole(TrainOptions options)
    {
        var run = new TempFolder();
        return (run, RunUntil(run.Root, options));
    }

    [Theory]
    [MemberData(nameof(Ends))]
    public void A_run_that_ended_near_a_spike_goes_on_to_the_same_bytes_and_the_same_log(string action, int past,
        bool gently)
    {
        var options = action == "skip" ? Skipping : Rolling;
        var (whole, events) = (action == "skip" ? WholeSkipping : WholeRolling).Value;
        int end = events.FindIndex(e => e is SpikeFound) + 1 + past;
        using var run = new TempFolder();
        Assert.Equal(end, RunUntil(run.Root, options, (_, count) => count == end, gently: gently)
            .Count(e => e is not Finished));
        RunUntil(run.Root, options, resume: true);
        AssertSame(whole, run);
    }

    [Fact]
    public void A_run_stopped_after_every_few_events_goes_on_to_the_same_bytes()
    {
        using var run = new TempFolder();
        RunUntil(run.Root, Rolling, (_, count) => count == 90, gently: true);
        for (int session = 0; RunUntil(run.Root, Rolling, (_, count) => count == 90, resume: true,
            gently: true)[^1] is Finished { Interrupted: true }; session++)
            Assert.True(session < 20);
        AssertSame(WholeRolling.Value.Run, run);
    }

    [Theory]
    [InlineData(OnSpike.Warn)]
    [InlineData(OnSpike.Skip)]
    [InlineData(OnSpike.Rollback)]
    public void A_healthy_run_is_never_touched(OnSpike action)
    {
        var corpus = new Corpus("healthy", PatternedText.Sentences(), "made for this test");
        using TempFolder off = new(), on = new();
        using var compute = new Compute(1);
        string[] Train(string run, TrainOptions options)
        {
            using var trainer = New(run, compute, options, corpus: corpus);
            Assert.DoesNotContain(trainer.Run(CancellationToken.None), e => e is SpikeFound);
            return Runs.Files(Path.Combine(run, "step-000300")) is var files
                ? [files["model.safetensors"], files["config.json"]] : [];
        }
        var options = Options with { Steps = 300, LearningRate = 1e-2, MinLearningRate = 1e-3 };
        Assert.Equal(Train(off.Root, options), Train(on.Root, options with { Stability = new() { OnSpike = action } }));
        Assert.DoesNotContain("spikes.", File.ReadAllText(off.File("step-000300/trainer.json")),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_warning_changes_nothing_but_the_log()
    {
        using TempFolder off = new(), warned = new();
        RunUntil(off.Root, Options);
        var events = RunUntil(warned.Root, Options with { Stability = new() { OnSpike = OnSpike.Warn } });
        Assert.Contains(events, e => e is SpikeFound { Spike.Action: OnSpike.Warn });
        Assert.Equal(Runs.Files(off.File("step-000400"))["model.safetensors"],
            Runs.Files(warned.File("step-000400"))["model.safetensors"]);
        Assert.Equal(Log(off.Root),
            Log(warned.Root).Where(line => !line.StartsWith(nameof(SpikeEntry), StringComparison.Ordinal)));
    }

    [Fact]
    public void Too_many_rollbacks_end_the_run_with_an_error_and_leave_the_last_checkpoint()
    {
        using var run = new TempFolder();
        var e = Assert.Throws<DivergedException>(() =>
            RunUntil(run.Root, Options with { Stability = new() { OnSpike = OnSpike.Rollback, MaxRollbacks = 1 } }));
        Assert.Contains("step 335: the loss of ", e.Message, StringComparison.Ordinal);
        Assert.Contains("1 rollbacks, as many as `max_rollbacks` allows", e.Message, StringComparison.Ordinal);
        Assert.Single(RunLog.Read(run.File("log.jsonl")), SpikeLog.IsRollback);
        Assert.True(Checkpoint.Exists(run.Root));
    }

    [Fact]
    public void Weights_gone_astray_are_not_skipped_over_for_ever()
    {
        using var run = new TempFolder();
        var e = Assert.Throws<DivergedException>(() =>
            RunUntil(run.Root, Options with
            {
                LearningRate = 1e30,
                MinLearningRate = 0,
                Stability = new() { OnSpike = OnSpike.Skip }
            }));
        Assert.Contains("10 steps before it were skipped in a row", e.Message, StringComparison.Ordinal);
        Assert.Contains("not finite; first in ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_loss_that_is_not_finite_is_rolled_back_too_until_that_is_too_often()
    {
        using var run = new TempFolder();
        var stability = new StabilityOptions { OnSpike = OnSpike.Rollback, MaxRollbacks = 2 };
        var e = Assert.Throws<DivergedException>(() =>
            RunUntil(run.Root, Options with { LearningRate = 1e30, MinLearningRate = 0, Stability = stability }));
        Assert.Contains("2 rollbacks", e.Message, StringComparison.Ordinal);
        Assert.Throws<DivergedException>(() =>
            RunUntil(run.Root, Options with { LearningRate = 1e30, MinLearningRate = 0 }));
    }

    [Fact]
    public void Weights_that_are_not_finite_do_not_reach_a_checkpoint()
    {
        using var run = new TempFolder();
        var e = Assert.Throws<DivergedException>(() =>
            RunUntil(run.Root, Options with { LearningRate = 1e300, MinLearningRate = 0 }, (e, _) => e is StepDone,
                gently: true));
        Assert.Contains("step 1: a weight is not finite; first in ", e.Message, StringComparison.Ordinal);
        using var kept = ModelDirectory.Load(run.Root).Model;
        Assert.All(kept.Parameters.All,
            parameter => Assert.DoesNotContain(parameter.Data.ToArray(), value => !float.IsFinite(value)));
    }
}
