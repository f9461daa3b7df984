using System.Diagnostics;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// SIGKILL at random moments of a run of 300 steps with a checkpoint every third: as often as
/// NANO_KILLS says (make kill-test: fifty).
/// </summary>
[Collection(nameof(TinyRun))]
public sealed class KillTests(TinyRun run) : IDisposable
{
    private const int Few = 6, MostLines = 8;

    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public void Every_checkpoint_is_whole_at_every_kill_and_the_end_is_that_of_an_undisturbed_run()
    {
        int kills = int.TryParse(Environment.GetEnvironmentVariable("NANO_KILLS"), out int wished) ? wished : Few;
        string undisturbed = temp.File("undisturbed"), killed = temp.File("killed");
        string[] options = ["shakespeare-char", "--layers", "2", "--heads", "2", "--channels", "32", "--seq", "32",
            "--batch", "4", "--accumulate", "2",
            "--steps", "300", "--eval-interval", "3", "--keep", "3", "--data", run.Data];
        Cli.Run(["train", .. options, "--out", undisturbed]).Succeeds();
        var random = new Random(kills);
        int checkpoints = 0, resumes = 0;
        for (int i = 0; i < kills; i++)
        {
            resumes += Checkpoint.Exists(killed) ? 1 : 0;
            using var program = Start(options, killed);
            WaitForLines(program, killed, random.Next(MostLines));
            Spin(random.Next(20_000));
            Assert.False(program.HasExited, $"the run ended before kill {i + 1}");
            program.Kill();
            program.Finish();
            checkpoints += CheckAll(killed);
        }
        using (var program = Start(options, killed))
            program.Finish().Succeeds();
        Assert.True(resumes >= kills / 2 && checkpoints >= kills,
            $"{kills} kills, {resumes} resumed, {checkpoints} checkpoints seen: too few to mean anything");
        Tiny.AssertSame(undisturbed, killed);
        Assert.Equal(File.ReadAllText(Path.Combine(undisturbed, "best")),
            File.ReadAllText(Path.Combine(killed, "best")));
        Assert.Equal(4, CheckAll(killed)); // three and the best
        Assert.Empty(Directory.EnumerateFileSystemEntries(killed, "*.tmp"));
    }

    private static RunningCli Start(string[] options, string folder) => Checkpoint.Exists(folder)
        ? Cli.Start(["train", "--resume", folder]) : Cli.Start(["train", .. options, "--out", folder]);

    /// <summary>
    /// Every folder that is not temporary is a model with a trainer's state; latest and best lead
    /// to one. Returns how many there are.
    /// </summary>
    private static int CheckAll(string run)
    {
        if (!File.Exists(Path.Combine(run, "latest")))
            return 0;
        var folders = Directory.GetDirectories(run, "step-*")
            .Where(folder => !folder.EndsWith(".tmp", StringComparison.Ordinal)).ToList();
        string latest = File.ReadAllText(Path.Combine(run, "latest"));
        foreach (string folder in folders)
        {
            using var trainer = new TempFolder();
            Tiny.CopyFolder(folder, trainer.File(Path.GetFileName(folder)));
            File.WriteAllText(trainer.File("latest"), Path.GetFileName(folder));
            var saved = Checkpoint.Read(trainer.Root);
            using var model = LanguageModel.Create(saved.Options.Model);
            using var step = new TrainStep(model, new Compute(1), new BatchLoader(new int[100], 1, 32, "test"),
                saved.Options);
            Checkpoint.Load(trainer.Root, model, new RunState(saved.Options, saved.Data, [.. step.Optimizer.State]));
        }
        ModelLoader.Load(run).Model.Dispose();
        ModelLoader.Load(Path.Combine(run, "best")).Model.Dispose();
        Assert.Contains(latest.Trim(), folders.Select(Path.GetFileName));
        return folders.Count;
    }

    /// <summary>Waits until the log has grown by so many lines since the first look at it.</summary>
    private static void WaitForLines(RunningCli program, string run, int lines)
    {
        string log = Path.Combine(run, "log.jsonl");
        program.WaitFor("run      ");
        int before = Count(log);
        while (!program.HasExited && Count(log) < before + lines)
            Thread.Yield();
    }

    private static int Count(string log)
    {
        if (!File.Exists(log))
            return 0;
        using var stream = new FileStream(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Count(c => c == '\n');
    }

    private static void Spin(int microseconds)
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalMicroseconds < microseconds)
            Thread.SpinWait(20);
    }
}
