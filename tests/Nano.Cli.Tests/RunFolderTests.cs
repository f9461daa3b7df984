using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>What else may be at work, or lie, in a run's folder.</summary>
[Collection(nameof(TinyRun))]
public sealed class RunFolderTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    /// <summary>Enough steps to be at work while others try.</summary>
    private string[] Long(string folder) => ["train", .. Tiny.Model, "--steps", "30000", "--eval-interval", "1000",
        "--data", run.Data, "--out", folder];

    [Fact]
    public void A_second_trainer_says_who_is_at_work_and_changes_nothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        string folder = temp.File("run"), link = temp.File("link");
        using (var first = Cli.Start(Long(folder)))
        {
            first.WaitFor("eval   1000");
            Directory.CreateSymbolicLink(link, folder);
            foreach (string[] again in (string[][])[["train", "--resume", link], [.. Long(folder), "--overwrite"]])
                Cli.Run(again).Fails(1, $"is in use by process {first.Id} on {Environment.MachineName}, since ",
                    "hint: ");
            Cli.Run("generate", "--model", folder, "--max-tokens", "5").Succeeds();
            Assert.Contains("running", Cli.Run("runs", "list", temp.Root).Succeeds().Out, StringComparison.Ordinal);
            Assert.False(first.HasExited);
            first.Kill(); // leaves no lock
            first.Finish();
        }
        Assert.Contains("interrupted", Cli.Run("runs", "list", temp.Root).Succeeds().Out, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(folder, "running.json")));
        string latest = File.ReadAllText(Path.Combine(folder, "latest"));
        using var second = Cli.Start(["train", "--resume", link]);
        second.WaitFor("eval ");
        second.Signal("TERM");
        var result = second.Finish();
        Assert.True(result.ExitCode == 130, result.ToString());
        Assert.Contains($"resumed after step "
            + $"{int.Parse(latest.Trim()[5..], System.Globalization.CultureInfo.InvariantCulture)}", result.Out,
            StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(folder, "running.json")));
    }

    [Fact]
    public void Where_there_are_no_locks_a_note_says_so()
    {
        var environment = new Dictionary<string, string> { ["DOTNET_SYSTEM_IO_DISABLEFILELOCKING"] = "true" };
        var result = Cli.Run(Tiny.Train(run.Data, temp.File("run")), null, environment).Succeeds();
        Assert.Contains("note     the run's folder has no file locks", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("note ", Cli.Run(Tiny.Train(run.Data, temp.File("other"))).Succeeds().Out,
            StringComparison.Ordinal);
        Tiny.AssertSame(temp.File("other"), temp.File("run"));
    }

    [Fact]
    public void A_spoilt_log_does_not_keep_a_run_from_going_on()
    {
        string whole = temp.File("whole"), spoilt = temp.File("spoilt"), log = Path.Combine(spoilt, "log.jsonl");
        Cli.Run(Tiny.Train(run.Data, whole, "--keep", "9")).Succeeds();
        Tiny.CopyFolder(whole, spoilt);
        Directory.Delete(Path.Combine(spoilt, "step-000020"), recursive: true);
        Directory.Delete(Path.Combine(spoilt, "step-000015"), recursive: true);
        File.WriteAllText(Path.Combine(spoilt, "latest"), "step-000010\n");
        byte[] bad = [.. new byte[300], (byte)'\n', 0xFF, 0x1B, (byte)'\n', .. "{\"kind\":\"later\"}\n"u8];
        byte[] lines = File.ReadAllBytes(log);
        int second = Array.IndexOf(lines, (byte)'\n') + 1;
        File.WriteAllBytes(log, [.. lines[..second], .. bad, .. lines[second..]]);

        Cli.Run("generate", "--model", spoilt, "--max-tokens", "5").Succeeds();
        Assert.Contains("left out: 3 lines of ", Cli.Run("runs", "list", spoilt).Succeeds().Error,
            StringComparison.Ordinal);
        var result = Cli.Run("train", "--resume", spoilt).Succeeds();
        Assert.Contains($"note     3 lines of '{log}' could not be read; they are now in "
            + $"'{Path.Combine(spoilt, "log.bad.jsonl")}'", result.Out, StringComparison.Ordinal);
        Assert.Equal(bad, File.ReadAllBytes(Path.Combine(spoilt, "log.bad.jsonl")));
        Tiny.AssertSame(whole, spoilt);
        Assert.Contains("3 lines of the log could not be read", File.ReadAllText(Path.Combine(spoilt, "report.html")),
            StringComparison.Ordinal);
        Assert.Empty(Cli.Run("runs", "list", spoilt).Succeeds().Error);
    }

    [Fact]
    public void Checkpoints_without_a_pointer_are_a_run_all_the_same()
    {
        string folder = run.CopyTo(temp.File("run"));
        File.Delete(Path.Combine(folder, "latest"));
        File.WriteAllText(Path.Combine(folder, "step-000020", "notes.txt"), "mine");
        var before = Tiny.Snapshot(folder);
        Cli.Run(Tiny.Train(run.Data, folder)).Fails(1, "already holds a run", "--overwrite");
        Assert.Equal(before, Tiny.Snapshot(folder));
        Assert.Contains("resumed after step 20", Cli.Run("train", "--resume", folder).Succeeds().Out,
            StringComparison.Ordinal);

        var result = Cli.Run(Tiny.Train(run.Data, folder, "--overwrite")).Succeeds();
        Assert.Contains($"note     files that this program did not write are in the way; they stay as "
            + $"'{Path.Combine(folder, "step-000020.kept")}'", result.Out, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(folder, "step-000020.kept", "notes.txt")));
        Tiny.AssertSame(run.Folder, folder);
    }
}
