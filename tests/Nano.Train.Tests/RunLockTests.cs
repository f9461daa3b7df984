namespace Nano.Tests;

/// <summary>
/// One trainer at a time in a run, one process at a time in a sweep; who only reads is not
/// disturbed.
/// </summary>
public sealed class RunLockTests : IDisposable
{
    static readonly Corpus Corpus = new("test", PatternedText.Sentences(), "made for this test");

    static readonly TrainOptions Options = Runs.Tiny with { Steps = 7, EvalInterval = 3 };

    readonly TempFolder temp = new();
    readonly Compute compute = new(1);

    public void Dispose()
    {
        compute.Dispose();
        temp.Dispose();
    }

    Trainer New(string run, bool resume = false, bool overwrite = true, TrainOptions? options = null) =>
        new(options ?? Options, TrainingData.FromText(Corpus, null), run, resume, compute, 100, "nano train test",
            null, overwrite);

    static SortedDictionary<string, string> Everything(string folder) =>
        new(Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
        // empty, and not to be opened by another
        .Where(path => !path.EndsWith("running.lock", StringComparison.Ordinal))
        .ToDictionary(path => path, path => Convert.ToHexString(ReadShared(path))), StringComparer.Ordinal);

    static byte[] ReadShared(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }

    [Fact]
    public void A_second_trainer_is_refused_told_by_whom_and_changes_nothing()
    {
        string run = temp.File("run");
        using (var first = New(run))
        {
            using var events = first.Run(CancellationToken.None).GetEnumerator();
            for (int i = 0; i < 7; i++)
                Assert.True(events.MoveNext());
            var before = Everything(run);
            foreach (bool resume in new[] { true, false })
            {
                var e = Assert.Throws<NanoException>(() => New(run, resume));
                Assert.Contains($"'{run}' is in use by process {Environment.ProcessId} on "
                    + $"{Environment.MachineName}, since {DateTimeOffset.Now:yyyy-MM-dd}", e.Message,
                    StringComparison.Ordinal);
            }
            Assert.Equal(before, Everything(run));

            // Who reads is not in the way, and is not kept out.
            Assert.Equal((RunProgress.Running, 5), (RunSummary.Of(run).Progress, RunSummary.Of(run).Step));
            ModelLoader.Load(run).Model.Dispose();
            while (events.MoveNext())
                Assert.NotNull(events.Current);
        }
        Assert.False(File.Exists(Path.Combine(run, "running.json")));
        Assert.Equal(0, new FileInfo(Path.Combine(run, "running.lock")).Length);
        Assert.Equal(RunProgress.Finished, RunSummary.Of(run).Progress);
        New(run, resume: true).Dispose();
    }

    [Fact]
    public void The_same_folder_through_a_link_is_the_same_run()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need rights on Windows");
        Directory.CreateDirectory(temp.File("run"));
        Directory.CreateSymbolicLink(temp.File("link"), temp.File("run"));
        using (RunLock.Acquire(temp.File("run")))
            Assert.Contains("is in use by process",
                Assert.Throws<NanoException>(() => RunLock.Acquire(temp.File("link"))).Message,
                StringComparison.Ordinal);
        RunLock.Acquire(temp.File("link")).Dispose();
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{\"Pid\":1,\"Host\":null,\"Since\":\"2025-01-01T00:00:00Z\"}")]
    [InlineData("{\"Pid\":1,\"Host\":\"\\ud800\",\"Since\":\"2025-01-01T00:00:00Z\"}")]
    [InlineData("\0\0\0")]
    public void A_holder_that_cannot_be_read_is_another_process(string holder)
    {
        using var taken = RunLock.Acquire(temp.Root);
        File.WriteAllText(temp.File("running.json"), holder);
        Assert.Contains("is in use by another process",
            Assert.Throws<NanoException>(() => RunLock.Acquire(temp.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_killed_process_left_is_no_lock()
    {
        File.WriteAllText(temp.File("running.lock"), "");
        File.WriteAllText(temp.File("running.json"),
            "{\"Pid\":1,\"Host\":\"gone\",\"Since\":\"2025-01-01T00:00:00Z\"}");
        Assert.False(RunLock.IsHeld(temp.Root));
        using (var taken = RunLock.Acquire(temp.Root))
            Assert.True(taken.Excludes && RunLock.IsHeld(temp.Root) == true);
        Assert.False(RunLock.IsHeld(temp.Root));
        Assert.Null(RunLock.IsHeld(temp.File("never")));
    }

    [Fact]
    public void A_trainer_that_is_refused_for_other_reasons_gives_the_lock_back()
    {
        string run = temp.File("run");
        using (var trainer = New(run))
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        Assert.Throws<NanoException>(() => New(run, resume: true, options: Options with { LearningRate = 0.5 }));
        Assert.Contains("already holds a run", Assert.Throws<NanoException>(() => New(run, overwrite: false)).Message,
            StringComparison.Ordinal);
        Assert.False(RunLock.IsHeld(run));
        Assert.Throws<NanoException>(() => New(temp.File("none"), resume: true));
        Assert.False(Directory.Exists(temp.File("none")));
    }

    [Fact]
    public void A_sweep_that_another_process_runs_is_refused()
    {
        var sweep = new Sweep(temp.Root, new SweepGrid("tiny", [SweepOption.Parse("--lr", "1e-2,1e-3")]));
        using (RunLock.Acquire(temp.Root))
        {
            var e = Assert.Throws<NanoException>(() =>
                sweep.Run((_, _) => throw new InvalidOperationException(), (_, _) => { }, CancellationToken.None));
            Assert.StartsWith($"the sweep in '{temp.Root}' is in use by process ", e.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(temp.File("sweep.json")));
        }
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_an_error_for_people()
    {
        File.WriteAllText(temp.File("file"), "");
        Assert.Contains(temp.File("file"),
            Assert.Throws<NanoException>(() => RunLock.Acquire(temp.File("file"))).Message,
            StringComparison.Ordinal);
        Directory.CreateDirectory(temp.File("run/running.lock"));
        Assert.Contains(temp.File("run"), Assert.Throws<NanoException>(() => RunLock.Acquire(temp.File("run"))).Message,
            StringComparison.Ordinal);
    }
}
