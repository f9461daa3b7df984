namespace Nano.Tests;

/// <summary>Which checkpoints stay.</summary>
public class CheckpointRotationTests
{
    static readonly TrainOptions Three = Runs.Tiny with { Keep = 3 };

    static string Best(TempFolder run) => File.ReadAllText(run.File("best"));

    [Fact]
    public void The_newest_stay_and_the_best_stays_with_them()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        for (int step = 0; step <= 5; step++)
            session.Save(run.Root, step, isBest: step == 1, Three);
        Assert.Equal(["best", "latest", "step-000001", "step-000003", "step-000004", "step-000005"],
            Runs.Names(run.Root));
        Assert.Equal("step-000001\n", Best(run));
        session.Save(run.Root, 6, isBest: true, Three with { Keep = 1 });
        Assert.Equal(["best", "latest", "step-000006"], Runs.Names(run.Root));
        Checkpoint.DeleteAll(run.Root);
        Assert.Empty(Runs.Names(run.Root));
    }

    [Fact]
    public void The_path_of_best_is_a_models()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        session.Save(run.Root, 0, isBest: true);
        int[] first = Runs.Bits(session.Model);
        session.Train(0, 2).Save(run.Root, 2);
        foreach (var (path, bits) in new[] { (run.File("best"), first), (run.File("latest"), Runs.Bits(session.Model)),
            (run.Root, Runs.Bits(session.Model)) })
        {
            var (model, tokenizer) = ModelLoader.Load(path);
            Assert.Equal(bits, Runs.Bits(model));
            Assert.IsType<CharTokenizer>(tokenizer);
            Assert.IsType<CharTokenizer>(TokenizerLoader.Load(path));
            model.Dispose();
        }
        File.WriteAllText(run.File("best"), "../elsewhere");
        Assert.Equal(run.File("best"), Assert.Throws<BadFileException>(() => ModelLoader.Load(run.File("best"))).Path);
        File.WriteAllText(run.File("best"), "step-000007");
        Assert.Throws<NanoException>(() => ModelLoader.Load(run.File("best")));
    }

    [Fact]
    public void Checkpoints_beyond_the_present_step_go_unless_best()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        session.Save(run.Root, 8, isBest: true, Three);
        session.Save(run.Root, 9, options: Three);
        session.Save(run.Root, 2, options: Three); // as after a death between "best" and "latest", and an interruption
        Assert.Equal(["best", "latest", "step-000002", "step-000008"], Runs.Names(run.Root));
    }

    [Fact]
    public void Only_folders_of_checkpoints_are_deleted()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        string[] others = ["step-by-step", "step-1", "step-000001.bak", "step-.tmp", "other.tmp"];
        foreach (string other in others.Append("step-000001").Append("step-000002.tmp"))
            Directory.CreateDirectory(run.File(other));
        File.WriteAllText(run.File("step-000007"), "a file");
        session.Save(run.Root, 3);
        Assert.Equal(others.Append("latest").Append("step-000003").Append("step-000007").Order(StringComparer.Ordinal),
            Runs.Names(run.Root));
    }

    [Fact]
    public void What_a_kill_left_beside_the_pointers_goes_and_nothing_else()
    {
        using var run = new TempFolder();
        using var session = new TrainingSession();
        foreach (string name in new[] { "latest.abcdefgh.ijk.tmp", "best.abcdefgh.ijk.tmp", "latest.mine.tmp",
            "notes.tmp" })
            File.WriteAllText(run.File(name), "");
        session.Save(run.Root, 0);
        Assert.Equal(["latest", "latest.mine.tmp", "notes.tmp", "step-000000"], Runs.Names(run.Root));
    }

    [Fact]
    public void A_run_points_to_the_lowest_validation_loss_of_its_log_also_when_it_died_on_the_way()
    {
        var options = Runs.Tiny with
        {
            Steps = 24,
            EvalInterval = 3,
            LearningRate = 0.3,
            MinLearningRate = 0.3,
            WarmupSteps = 12
        };
        using var whole = new TempFolder();
        using var parts = new TempFolder();
        using var compute = new Compute(1);
        Trainer New(TempFolder run, bool resume) =>
            new(options, TrainingData.FromText(new Corpus("test", PatternedText.Sentences(), "test"), null), run.Root,
                resume, compute, 100, "test");
        using (var trainer = New(whole, false))
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        var evaluations = RunLog.Read(whole.File("log.jsonl")).OfType<EvalEntry>().ToList();
        int best = evaluations.MinBy(evaluation => evaluation.ValLoss)!.Step;
        Assert.InRange(best, 3, 21); // it got better, and then worse
        Assert.Equal($"step-{best:D6}\n", Best(whole));
        Assert.Equal([$"step-{best:D6}", "step-000024"],
            Directory.GetDirectories(whole.Root).Select(Path.GetFileName).Order());

        using (var trainer = New(parts, false))
            Assert.NotNull(trainer.Run(CancellationToken.None).FirstOrDefault(e => e is Evaluated && e.Step > best));
        using (var trainer = New(parts, true))
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        Assert.Equal(Best(whole), Best(parts));
        Assert.Equal(Runs.Files(whole.File("step-000024")), Runs.Files(parts.File("step-000024")));
        Assert.Equal(Runs.Files(whole.File($"step-{best:D6}")), Runs.Files(parts.File($"step-{best:D6}")));
    }
}
