using System.Globalization;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>Ctrl-C and SIGTERM: the step at hand is finished and saved, and the run goes on later as if nothing had been.</summary>
[Collection(nameof(TinyRun))]
public sealed class SignalTests(TinyRun run) : IDisposable
{
    private const ulong SigInt = 1 << 1;
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [SkippableTheory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public void A_signal_saves_and_a_resumed_run_gives_the_same_bytes(string signal)
    {
        Skip.If(OperatingSystem.IsWindows(), "no signals on Windows");
        Skip.If(signal == "INT" && InterruptsAreIgnored(), "these tests were started with SIGINT ignored, as in the background of a shell script, and so is every program they start");
        string undisturbed = temp.File("undisturbed"), stopped = temp.File("stopped");
        string[] options = [.. Tiny.Model, "--steps", "8000", "--eval-interval", "3500", "--data", run.Data];
        Cli.Run(["train", .. options, "--out", undisturbed]).Succeeds();

        CliResult result;
        using (var program = Cli.Start(["train", .. options, "--out", stopped]))
        {
            program.WaitFor("\nstep "); // the first line comes after 100 of the steps; the many left keep a fast machine busy until the signal arrives
            program.Signal(signal);
            result = program.Finish();
        }
        Assert.True(result.ExitCode == 130, result.ToString());
        Assert.Empty(result.Error);
        Assert.Contains("stopping after this step", result.Out, StringComparison.Ordinal);
        Assert.Contains("--resume", result.Out, StringComparison.Ordinal);
        long step = long.Parse(File.ReadAllText(Path.Combine(stopped, "latest")).Trim()["step-".Length..], CultureInfo.InvariantCulture);
        Assert.InRange(step, 100, 7999);
        Assert.Contains($"stopped after step {step}; saved {Path.Combine(stopped, $"step-{step:D6}")}", result.Out, StringComparison.Ordinal);
        Assert.Contains("\"interrupted\"", File.ReadLines(Path.Combine(stopped, "log.jsonl")).Last(), StringComparison.Ordinal);

        var resumed = Cli.Run(["train", .. options, "--out", stopped, "--resume"]).Succeeds();
        Assert.Contains($"resumed after step {step}", resumed.Out, StringComparison.Ordinal);
        Tiny.AssertSame(undisturbed, stopped);
    }

    /// <summary>One step of 300,000 micro-batches: it would take minutes, and the second signal does not wait for it.</summary>
    [SkippableTheory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public void A_second_signal_ends_the_run_at_once_and_leaves_the_checkpoint_before_it_whole(string signal, int exitCode)
    {
        Skip.If(OperatingSystem.IsWindows(), "no signals on Windows");
        Skip.If(signal == "INT" && InterruptsAreIgnored(), "these tests were started with SIGINT ignored, as in the background of a shell script, and so is every program they start");
        string folder = temp.File("run");
        CliResult result;
        using (var program = Cli.Start(["train", .. Tiny.Model, "--steps", "2", "--accumulate", "300000", "--data", run.Data, "--out", folder]))
        {
            program.WaitFor("eval      0");
            program.Signal(signal);
            program.WaitFor("once more to stop at once");
            Assert.False(program.HasExited);
            var files = Tiny.Snapshot(folder);
            program.Signal(signal);
            result = program.Finish();
            Assert.Equal(files, Tiny.Snapshot(folder));
        }
        Assert.True(result.ExitCode == exitCode, result.ToString());
        Assert.Empty(result.Error);
        Assert.DoesNotContain("saved", result.Out, StringComparison.Ordinal);
        Assert.Equal("step-000000\n", File.ReadAllText(Path.Combine(folder, "latest")));
        Cli.Run("generate", "--model", folder, "--max-tokens", "5").Succeeds();
        Cli.Run("train", "--resume", folder, "--accumulate", "1").Fails(1, "accumulate was 300000 and is now 1");
    }

    [SkippableFact]
    public void An_interrupted_text_ends_between_two_tokens()
    {
        Skip.If(OperatingSystem.IsWindows(), "no signals on Windows");
        Skip.If(InterruptsAreIgnored(), "these tests were started with SIGINT ignored, as in the background of a shell script, and so is every program they start");
        using var program = Cli.Start(["generate", "--model", run.Folder, "--max-tokens", "100000000", "--prompt", "to be"]);
        program.WaitFor("\n");
        program.Signal("INT");
        var result = program.Finish();
        Assert.True(result.ExitCode == 130, result.ToString());
        Assert.StartsWith("to be", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("error", result.Error, StringComparison.Ordinal);
    }

    internal static bool InterruptsAreIgnored()
    {
        const string status = "/proc/self/status", ignored = "SigIgn:";
        return File.Exists(status) && File.ReadLines(status).FirstOrDefault(line => line.StartsWith(ignored, StringComparison.Ordinal)) is { } line
            && (ulong.Parse(line[ignored.Length..], NumberStyles.HexNumber | NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture) & SigInt) != 0;
    }
}
