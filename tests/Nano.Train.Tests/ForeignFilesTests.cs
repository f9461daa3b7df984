namespace Nano.Tests;

/// <summary>
/// Files of other people in a run's folder: they are never deleted, and what becomes of them is
/// said.
/// </summary>
public sealed class ForeignFilesTests : IDisposable
{
    readonly TempFolder run = new();

    public void Dispose() => run.Dispose();

    void Put(string path, string text = "mine")
    {
        Directory.CreateDirectory(Path.GetDirectoryName(run.File(path))!);
        File.WriteAllText(run.File(path), text);
    }

    [Theory]
    [InlineData("step-000000/notes.txt")]
    [InlineData("step-000000/photos/one.jpg")]
    [InlineData("step-000000/ema/notes.txt")]
    [InlineData("step-000000/model.safetensors.bak")]
    [InlineData("step-000000/.hidden")]
    public void Rotation_keeps_a_checkpoint_with_a_foreign_file_and_says_so(string path)
    {
        using var session = new TrainingSession();
        session.Save(run.Root, 0);
        Put(path);
        var kept = new List<string>();
        Checkpoint.Save(run.Root, session.Model, TrainingSession.Tokenizer, session.NewState(2), kept: kept);
        Assert.Equal([run.File("step-000000.kept")], kept);
        Assert.Equal("mine",
            File.ReadAllText(run.File(path.Replace("000000", "000000.kept", StringComparison.Ordinal))));
        ModelLoader.Load(run.File("step-000000.kept")).Model.Dispose();
        Assert.Equal(["latest", "step-000000.kept", "step-000002"], Runs.Names(run.Root));
        Assert.Equal(2, session.Load(run.Root));

        session.Save(run.Root, 3);
        Checkpoint.DeleteAll(run.Root);
        Assert.Equal(["step-000000.kept"], Runs.Names(run.Root));
    }

    [Fact]
    public void Overwriting_and_remains_keep_them_too_under_names_that_are_free()
    {
        using var session = new TrainingSession();
        session.Save(run.Root, 0);
        Put("step-000000/a");
        Put("step-000004.tmp/b");
        Put("step-000004.tmp/model.safetensors", "half");
        Put("step-000009.old.tmp/c");
        Put("step-000009/config.json", "{}");
        Put("step-000000.kept", "in the way");
        var kept = new List<string>();
        Checkpoint.DeleteAll(run.Root, kept);
        Assert.Equal(["step-000000.kept-2", "step-000004.kept", "step-000009.kept"],
            kept.Select(Path.GetFileName).Order());
        Assert.Equal(["step-000000.kept", "step-000000.kept-2", "step-000004.kept", "step-000009.kept"],
            Runs.Names(run.Root));
        foreach (string path in new[] { "step-000000.kept-2/a", "step-000004.kept/b", "step-000009.kept/c" })
            Assert.Equal("mine", File.ReadAllText(run.File(path)));
    }

    [Fact]
    public void Links_are_not_followed_and_not_deleted()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need rights on Windows");
        using var elsewhere = new TempFolder();
        File.WriteAllText(elsewhere.File("model.safetensors"), "mine");
        using var session = new TrainingSession();
        session.Save(run.Root, 0);
        Directory.CreateSymbolicLink(run.File("step-000001"), elsewhere.Root);
        Directory.CreateSymbolicLink(run.File("step-000002.tmp"), elsewhere.Root);
        Directory.CreateSymbolicLink(run.File("step-000000/ema"), elsewhere.Root);
        session.Save(run.Root, 3);
        Checkpoint.DeleteAll(run.Root);
        Assert.Equal("mine", File.ReadAllText(elsewhere.File("model.safetensors")));
        Assert.Equal(["step-000000.kept", "step-000001", "step-000002.tmp"], Runs.Names(run.Root));
        Assert.Equal(elsewhere.Root, new FileInfo(run.File("step-000001")).LinkTarget);
    }

    [Fact]
    public void A_log_and_a_report_that_no_run_wrote_are_renamed()
    {
        Put("log.jsonl", "{\"time\":1}\n");
        Put("report.html", "<p>mine</p>");
        using var compute = new Compute(1);
        var data = TrainingData.FromText(new Corpus("test", PatternedText.Sentences(), "made for this test"), null);
        for (int i = 0; i < 2; i++) // the second run replaces those of the first
        {
            using var trainer = new Trainer(Runs.Tiny, data, run.Root, false, compute, 100, "test");
            Assert.Equal(i == 0 ? ["log.jsonl.kept", "report.html.kept"] : [],
                trainer.Notes.Select(note => Path.GetFileName(note.Split('\'')[1])));
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        }
        Assert.Equal("{\"time\":1}\n", File.ReadAllText(run.File("log.jsonl.kept")));
        Assert.Equal("<p>mine</p>", File.ReadAllText(run.File("report.html.kept")));
        Assert.False(File.Exists(run.File("log.jsonl.kept-2")));
    }

    [Theory]
    [InlineData("latest")]
    [InlineData("best")]
    [InlineData("trainer.json")]
    [InlineData("step-000004/model.safetensors")]
    public void Anything_of_a_run_is_not_overwritten_unasked(string path)
    {
        Put(path, "step-000004");
        using var compute = new Compute(1);
        var data = TrainingData.FromText(new Corpus("test", PatternedText.Sentences(), "made for this test"), null);
        var e = Assert.Throws<NanoException>(() =>
            new Trainer(Runs.Tiny, data, run.Root, false, compute, 100, "test", overwrite: false));
        Assert.Contains("already holds a run", e.Message, StringComparison.Ordinal);
        Assert.Equal("step-000004", File.ReadAllText(run.File(path)));
    }

    [Fact]
    public void A_run_tells_what_it_kept()
    {
        using var compute = new Compute(1);
        var data = TrainingData.FromText(new Corpus("test", PatternedText.Sentences(), "made for this test"), null);
        using var trainer = new Trainer(Runs.Tiny, data, run.Root, false, compute, 100, "test");
        var told = new List<FilesKept>();
        foreach (var e in trainer.Run(CancellationToken.None))
            if (e is StepDone { Step: 1 })
                Put("step-000000/notes.txt");
            else if (e is FilesKept kept)
                told.Add(kept);
        // The first step's checkpoint is the best until the second; either way it goes once it is neither.
        Assert.Equal(run.File("step-000000.kept"), Assert.Single(told).Folder);
        Assert.Equal("mine", File.ReadAllText(run.File("step-000000.kept/notes.txt")));
    }
}
