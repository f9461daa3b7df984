using System.Text.Json.Nodes;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>Runs over a text with garbage in one place, which rolls them back, killed around that.</summary>
public sealed class RollbackTests : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    /// <summary>The alphabet over and over, but for one place.</summary>
    private string[] Options()
    {
        char[] text = string.Concat(Enumerable.Repeat("abcdefghijklmnopqrstuvwxyz\n", 400)).ToCharArray();
        "0918273645091827364509182736".AsSpan().CopyTo(text.AsSpan(3000));
        File.WriteAllText(temp.File("text.txt"), new string(text));
        return ["train", "shakespeare-char", "--layers", "2", "--heads", "2", "--channels", "16", "--seq", "8",
            "--batch", "4", "--steps", "400", "--eval-interval", "50",
            "--lr", "0.02", "--min-lr", "0.002", "--warmup", "5", "--on-spike", "rollback", "--max-rollbacks", "50",
                "--data", temp.File("text.txt"), "--out"];
    }

    private static string[] Lines(string run)
    {
        using var stream = new FileStream(Path.Combine(run, "log.jsonl"), FileMode.Open, FileAccess.Read,
            FileShare.ReadWrite | FileShare.Delete);
        return new StreamReader(stream).ReadToEnd().Split('\n');
    }

    [Fact]
    public void Killed_before_in_and_after_rollbacks_a_run_goes_on_to_the_same_bytes_and_the_same_log()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        string[] options = Options();
        string whole = temp.File("whole"), killed = temp.File("killed");
        Cli.Run([.. options, whole]).Succeeds();
        string[] log = [.. Tiny.Log(whole)];
        int[] rollbacks = [.. log.Index().Where(line => (string?)JsonNode.Parse(line.Item)!["action"] == "rollback")
            .Select(line => line.Index)];
        Assert.True(rollbacks.Length > 0, "the garbage made no spike");

        // Each moment is a number of lines in the log: before the spike, at its step, at its rollback, and
        // while the steps it undid are made again.
        int kills = 0;
        foreach (int lines in (int[])[rollbacks[0] - 2, rollbacks[0], rollbacks[0] + 1, rollbacks[0] + 5])
        {
            bool resumes = Checkpoint.Exists(killed);
            using var program = Cli.Start(resumes ? ["train", "--resume", killed] : [.. options, killed]);
            program.WaitFor("run      ");
            while (!program.HasExited
                && (!File.Exists(Path.Combine(killed, "log.jsonl")) || Lines(killed).Length - 1 < lines))
                Thread.Yield();
            if (kills % 2 == 0)
                program.Kill();
            else
                program.Signal("TERM");
            int code = program.Finish().ExitCode;
            Assert.True(code is 137 or 130 or 0, $"{code}");
            kills++;
        }
        Cli.Run("train", "--resume", killed).Succeeds();
        Assert.Equal(Tiny.Digests(whole), Tiny.Digests(killed));
        Assert.Equal(log, Tiny.Log(killed));
    }
}
