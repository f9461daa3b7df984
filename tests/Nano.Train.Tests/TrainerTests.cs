namespace Nano.Tests;

public class TrainerTests
{
    static readonly Corpus Corpus = new("test", PatternedText.Sentences(), "made for this test");

    static readonly TrainOptions Options = Runs.Tiny with { Steps = 7, EvalInterval = 3 };

    static readonly string[] CheckpointFiles = ["config.json", "model.safetensors", "optimizer.safetensors",
        "tokenizer.json", "trainer.json"];

    static Trainer New(string run, Compute compute, bool resume = false, TrainOptions? options = null,
        Corpus? corpus = null) =>
        new(options ?? Options, TrainingData.FromText(corpus ?? Corpus, null), run, resume, compute, 100,
            "nano train test");

    /// <summary>Runs to the end, or asks to stop once an event satisfies the condition.</summary>
    static List<TrainEvent> RunToEnd(string run, bool resume = false, Func<TrainEvent, bool>? stopAt = null)
    {
        using var compute = new Compute(1);
        using var trainer = New(run, compute, resume);
        using var stop = new CancellationTokenSource();
        var events = new List<TrainEvent>();
        foreach (var e in trainer.Run(stop.Token))
        {
            events.Add(e);
            if (stopAt?.Invoke(e) ?? false)
                stop.Cancel();
        }
        return events;
    }

    /// <summary>
    /// Runs until an event satisfies the condition and then no further, as if the process had been
    /// killed.
    /// </summary>
    static void RunUntilKilled(string run, Func<TrainEvent, bool> at, bool resume = false)
    {
        using var compute = new Compute(1);
        using var trainer = New(run, compute, resume);
        Assert.NotNull(trainer.Run(CancellationToken.None).FirstOrDefault(at));
    }

    static string Kind(TrainEvent e) => e switch
    {
        StepDone => $"step {e.Step}",
        Evaluated => $"eval {e.Step}",
        Finished => $"end {e.Step}",
        _ => "?"
    };

    static string Kind(RunLogEntry entry) => entry switch
    {
        RunEntry => "run",
        StepEntry step => $"step {step.Step}",
        EvalEntry eval => $"eval {eval.Step}",
        EndEntry end => $"end {end.Step} {end.Reason}",
        _ => "?"
    };

    static readonly string[] Whole = ["eval 0", "step 1", "step 2", "step 3", "eval 3", "step 4", "step 5", "step 6",
        "eval 6", "step 7", "eval 7", "end 7"];

    static readonly string[] WholeLog = ["run", .. Whole[..^1], "end 7 done"];

    static IEnumerable<string> Log(TempFolder run) => RunLog.Read(run.File("log.jsonl")).Select(Kind);

    [Fact]
    public void A_run_gives_its_events_in_order_and_leaves_log_report_and_checkpoint()
    {
        using var run = new TempFolder();
        var events = RunToEnd(run.Root);
        Assert.Equal(Whole, events.Select(Kind));
        Assert.Equal(WholeLog, Log(run));
        Assert.True(new FileInfo(run.File("report.html")).Length > 1000);
        var end = (Finished)events[^1];
        Assert.Equal((run.File("step-000007"), false, 7 * 32L), (end.Checkpoint, end.Interrupted, end.Tokens));
        Assert.Equal(["step-000007"], Directory.GetDirectories(run.Root).Select(Path.GetFileName));
        Assert.Equal(CheckpointFiles, Runs.Files(end.Checkpoint).Keys);
        for (int step = 0; step < 7; step++)
            Assert.Equal(Schedule.WarmupCosine(step, 1e-2, 1e-3, 2, 7),
                events.OfType<StepDone>().ElementAt(step).LearningRate);
        Assert.All(events.OfType<Evaluated>(), eval => Assert.Equal(200, eval.Sample.Length));
        Assert.All(events.OfType<Evaluated>(), eval => Assert.All(eval.Sample, c => Assert.Contains(c, Corpus.Text)));
    }

    [Fact]
    public void Losses_start_at_the_logarithm_of_the_vocabulary_and_fall()
    {
        using var run = new TempFolder();
        using var compute = new Compute(1);
        var options = Options with { Steps = 60, EvalInterval = 30, WarmupSteps = 5 };
        using var trainer = New(run.Root, compute, options: options);
        int vocabulary = Corpus.Text.Distinct().Count(), tokens = Corpus.Text.Length;
        Assert.Equal(vocabulary, trainer.Options.Model.VocabSize);
        Assert.Equal(((int)(tokens * 0.9), tokens - (int)(tokens * 0.9)), trainer.TokenCounts);
        var events = trainer.Run(CancellationToken.None).ToList();
        double[] losses = [.. events.OfType<Evaluated>().Select(eval => eval.ValLoss)];
        double end = ((Finished)events[^1]).ValLoss;
        Assert.Equal(Math.Log(vocabulary), losses[0], 0.05);
        Assert.True(losses[1] < losses[0] && losses[2] < losses[1] && end < losses[1],
            $"{string.Join(", ", losses)}, {end}");

        // Whoever knows nothing but how often each character occurs loses the entropy of the text: the model
        // must know more by now.
        double entropy = Corpus.Text.GroupBy(c => c)
            .Sum(group => -(double)group.Count() / tokens * Math.Log((double)group.Count() / tokens));
        Assert.InRange(end, 0, entropy - 0.3);

        // The last loss is over the whole validation split: the last tenth of the text.
        int[] validation = trainer.Tokenizer.Encode(Corpus.Text)[(int)(tokens * 0.9)..];
        Assert.Equal(EvaluateRows.OnAll(new ModelLosses(trainer.Model, compute),
            new BatchLoader(validation, 1, 8, "test")), end, 1e-9);
    }

    [Fact]
    public void Equal_options_and_text_give_equal_checkpoints_and_another_seed_another()
    {
        using var first = new TempFolder();
        using var second = new TempFolder();
        using var third = new TempFolder();
        RunToEnd(first.Root);
        RunToEnd(second.Root);
        Assert.Equal(Runs.Files(first.File("step-000007")), Runs.Files(second.File("step-000007")));
        using var compute = new Compute(1);
        using var trainer = New(third.Root, compute, options: Options with { Seed = 6 });
        Assert.Equal(12, trainer.Run(CancellationToken.None).Count());
        Assert.NotEqual(Runs.Files(first.File("step-000007"))["model.safetensors"],
            Runs.Files(third.File("step-000007"))["model.safetensors"]);
    }

    [Theory]
    [InlineData("eval 0")]
    [InlineData("step 2")]
    [InlineData("step 3")]
    [InlineData("eval 3")]
    [InlineData("step 5")]
    [InlineData("step 6")]
    public void A_run_asked_to_stop_saves_and_goes_on_as_if_it_had_not(string at)
    {
        using var run = new TempFolder();
        using var whole = new TempFolder();
        RunToEnd(whole.Root);
        var end = (Finished)RunToEnd(run.Root, stopAt: e => Kind(e) == at)[^1];
        Assert.True(end.Interrupted);
        Assert.Equal(run.File($"step-{end.Step:D6}"), end.Checkpoint);
        Assert.True(Directory.Exists(end.Checkpoint));
        Assert.True(double.IsNaN(end.ValLoss));
        Assert.Equal($"end {end.Step} interrupted", Log(run).Last());
        Assert.True(File.Exists(run.File("report.html")));

        var rest = RunToEnd(run.Root, resume: true);
        Assert.Equal(Whole[^rest.Count..], rest.Select(Kind));
        Assert.Equal((7 - end.Step) * 32, ((Finished)rest[^1]).Tokens);
        Assert.Equal(WholeLog, Log(run));
        Assert.Equal(Runs.Files(whole.File("step-000007")), Runs.Files(run.File("step-000007")));
    }

    [Theory]
    [InlineData("eval 0")]
    [InlineData("step 1")]
    [InlineData("eval 3")]
    [InlineData("step 5")]
    [InlineData("step 6")]
    [InlineData("step 7")]
    [InlineData("eval 7")]
    public void A_run_that_was_killed_goes_on_from_its_checkpoint_as_if_it_had_not(string at)
    {
        using var run = new TempFolder();
        using var whole = new TempFolder();
        RunToEnd(whole.Root);
        RunUntilKilled(run.Root, e => Kind(e) == at);
        RunToEnd(run.Root, resume: true);
        Assert.Equal(WholeLog, Log(run));
        Assert.Equal(Runs.Files(whole.File("step-000007")), Runs.Files(run.File("step-000007")));
        Assert.Equal(Losses(whole), Losses(run));
    }

    [Fact]
    public void A_Llama_learns_and_killed_goes_on_to_the_same_bytes_on_other_threads()
    {
        var options = Options with
        {
            Model = new DecoderConfig
            {
                VocabSize = 1,
                ContextLength = 12,
                Layers = 2,
                Heads = 4,
                KvHeads = 2,
                Channels = 16,
                Intermediate = 40,
                QkNorm = true,
                Dropout = 0.1f
            },
            Steps = 40,
            EvalInterval = 10,
        };
        using var whole = new TempFolder();
        using var parts = new TempFolder();
        using Compute one = new(1), three = new(3, SimdWidth.W128);
        using (var trainer = New(whole.Root, one, options: options))
        {
            double[] losses = [.. trainer.Run(CancellationToken.None).OfType<Evaluated>().Select(eval => eval.ValLoss)];
            Assert.Equal(Math.Log(trainer.Options.Model.VocabSize), losses[0], 0.05);
            Assert.True(losses[^1] < losses[0] - 0.5, string.Join(", ", losses));
        }
        using (var trainer = New(parts.Root, three, options: options))
            Assert.NotNull(trainer.Run(CancellationToken.None).FirstOrDefault(e => e is StepDone { Step: 23 }));
        using (var trainer = New(parts.Root, three, resume: true, options: options))
            Assert.Equal(21, trainer.Run(CancellationToken.None).OfType<StepDone>().First().Step);
        using (var trainer = New(parts.Root, three, resume: true, options: options))
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        Assert.Equal(Runs.Files(whole.File("step-000040")), Runs.Files(parts.File("step-000040")));
        using var read = ModelDirectory.Load(whole.Root).Model;
        Assert.Equal("qwen3", read.Config.ModelType);
    }

    static IEnumerable<(double, double)> Losses(TempFolder run) =>
        RunLog.Read(run.File("log.jsonl")).Select(entry => entry switch
    {
        StepEntry step => (step.TrainLoss, step.GradNorm),
        EvalEntry eval => (eval.TrainLoss, eval.ValLoss),
        EndEntry end => (end.ValLoss, end.Tokens > 0 ? 0 : 0),
        _ => (0, 0),
    });

    [Fact]
    public void An_evaluation_is_in_the_log_before_its_checkpoint_points_past_it()
    {
        using var run = new TempFolder();
        // The save of step 3 fails (a file is in its way): had it succeeded and the process died right after,
        // the log must already hold the evaluation.
        File.WriteAllText(run.File("step-000003"), "in the way");
        Assert.Throws<NanoException>(() => RunToEnd(run.Root));
        Assert.Equal("eval 3", Log(run).Last());
        File.Delete(run.File("step-000003"));
        RunToEnd(run.Root, resume: true);
        Assert.Equal(WholeLog, Log(run));
    }

    [Fact]
    public void A_run_whose_log_is_gone_goes_on_all_the_same()
    {
        using var run = new TempFolder();
        RunUntilKilled(run.Root, e => Kind(e) == "step 5");
        File.Delete(run.File("log.jsonl"));
        RunToEnd(run.Root, resume: true);
        Assert.Equal(WholeLog[6..], Log(run).SkipWhile(entry => entry == "run"));
        Assert.True(File.Exists(run.File("report.html")));
    }

    [Fact]
    public void A_run_that_is_done_resumes_to_its_end()
    {
        using var run = new TempFolder();
        var end = (Finished)RunToEnd(run.Root)[^1];
        var again = (Finished)Assert.Single(RunToEnd(run.Root, resume: true));
        Assert.Equal((end.Step, end.ValLoss, end.Checkpoint, 0L),
            (again.Step, again.ValLoss, again.Checkpoint, again.Tokens));
        Assert.Equal(WholeLog, Log(run));
    }

    [Fact]
    public void A_new_run_in_an_old_ones_folder_starts_afresh()
    {
        using var run = new TempFolder();
        using var compute = new Compute(1);
        RunToEnd(run.Root);
        using (var trainer = New(run.Root, compute, options: Options with { Steps = 1 }))
        {
            Assert.False(Checkpoint.Exists(run.Root));
            Assert.Equal(["eval 0", "step 1", "eval 1", "end 1"], trainer.Run(CancellationToken.None).Select(Kind));
        }
        Assert.Equal(["step-000001"], Directory.GetDirectories(run.Root).Select(Path.GetFileName));
        Assert.Equal(["run", "eval 0", "step 1", "eval 1", "end 1 done"], Log(run));
    }

    [Fact]
    public void Another_text_or_option_is_refused_on_resuming_and_the_old_run_stays()
    {
        using var run = new TempFolder();
        using var compute = new Compute(1);
        RunToEnd(run.Root);
        var before = Runs.Files(run.Root);
        var other = Corpus with { Text = Corpus.Text[..^1] + "?" };
        Assert.Contains("corpus_sha256",
            Assert.Throws<NanoException>(() => New(run.Root, compute, resume: true, corpus: other)).Message,
            StringComparison.Ordinal);
        Assert.Contains("lr was 0.01 and is now 0.02",
            Assert.Throws<NanoException>(() => New(run.Root, compute, resume: true,
                options: Options with { LearningRate = 0.02 })).Message, StringComparison.Ordinal);
        Assert.Equal(before, Runs.Files(run.Root));
        Assert.Throws<NanoException>(() => New(run.File("none"), compute, resume: true));
    }

    [Fact]
    public void A_text_too_short_for_a_window_is_refused_before_anything_is_written()
    {
        using var run = new TempFolder();
        using var compute = new Compute(1);
        RunToEnd(run.Root);
        var before = Runs.Files(run.Root);
        // 8 to validate on, a window takes 9
        var e = Assert.Throws<NanoException>(() =>
            New(run.Root, compute, corpus: Corpus with { Text = Corpus.Text[..80] }));
        Assert.Contains("validation text has 8 tokens", e.Message, StringComparison.Ordinal);
        Assert.Contains("takes 9", e.Message, StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => New(run.Root, compute, options: Options with { Batch = 0 }));
        Assert.Throws<NanoException>(() => New(run.Root, compute, corpus: Corpus with { Text = "" }));
        Assert.Equal(before, Runs.Files(run.Root));
    }

    [Fact]
    public void A_run_with_a_spoilt_log_goes_on_to_the_same_bytes_and_says_so()
    {
        using TempFolder whole = new(), run = new();
        RunToEnd(whole.Root);
        RunUntilKilled(run.Root, e => Kind(e) == "step 5");
        string log = run.File("log.jsonl");
        string[] lines = File.ReadAllLines(log);
        // the description of the run is gone
        File.WriteAllText(log,
            string.Join('\n', [new string('\0', 512), .. lines[1..3], "{\"kind\":\"st", .. lines[3..], ""]));
        using (var compute = new Compute(1))
        using (var trainer = New(run.Root, compute, resume: true))
        {
            Assert.Contains("2 lines of ", Assert.Single(trainer.Notes), StringComparison.Ordinal);
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        }
        Assert.Equal(Runs.Files(whole.File("step-000007")), Runs.Files(run.File("step-000007")));
        Assert.Equal(new string('\0', 512) + "\n{\"kind\":\"st\n", File.ReadAllText(run.File("log.bad.jsonl")));
        Assert.Contains("2 lines of the log could not be read", File.ReadAllText(run.File("report.html")),
            StringComparison.Ordinal);
        Assert.Equal(WholeLog.Where(entry => entry != "run"), Log(run).Where(entry => entry != "run"));
        Assert.Equal("tiny", RunSummary.Of(run.Root).Preset);

        RunToEnd(run.Root, resume: true); // once more, to the same end
        Assert.Contains("2 lines of the log could not be read", File.ReadAllText(run.File("report.html")),
            StringComparison.Ordinal);
        RunToEnd(run.Root);
        Assert.False(File.Exists(run.File("log.bad.jsonl")));
    }

    [Fact]
    public void A_report_of_a_resumed_run_is_that_of_one_left_alone_but_for_the_time()
    {
        using TempFolder whole = new(), run = new();
        RunToEnd(whole.Root);
        RunUntilKilled(run.Root, e => Kind(e) == "step 5");
        RunToEnd(run.Root, resume: true);
        string Timeless(TempFolder of) =>
            Report.Render([.. RunLog.Read(of.File("log.jsonl")).Select(entry => entry switch
        {
            StepEntry step => step with { Milliseconds = 1, TokensPerSecond = 1, Gflops = 1 },
            EvalEntry eval => eval with { Health = eval.Health! with { ResidentBytes = 1 } },
            EndEntry end => end with { Seconds = 1, Tokens = 1 },
            RunEntry start => start with { Started = default },
            _ => entry,
        })]);
        Assert.Equal(Timeless(whole), Timeless(run));
    }
}
