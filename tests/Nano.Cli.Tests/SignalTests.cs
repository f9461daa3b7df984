using System.Globalization;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// Ctrl-C and SIGTERM: the step at hand is finished and saved, and the run goes on later as if
/// nothing had been.
/// </summary>
[Collection(nameof(TinyRun))]
public sealed class SignalTests(TinyRun run) : IDisposable
{
    private const ulong SigInt = 1 << 1;
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public void A_signal_saves_and_a_resumed_run_gives_the_same_bytes(string signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        Assert.SkipWhen(signal == "INT" && InterruptsAreIgnored(),
            "these tests were started with SIGINT ignored, as in the background of a shell script, and so is every "
            + "program they start");
        string undisturbed = temp.File("undisturbed"), stopped = temp.File("stopped");
        string[] options = [.. Tiny.Model, "--steps", "8000", "--eval-interval", "3500", "--data", run.Data];
        Cli.Run(["train", .. options, "--out", undisturbed]).Succeeds();

        CliResult result;
        using (var program = Cli.Start(["train", .. options, "--out", stopped]))
        {
            // the first line comes after 100 of the steps; the many left keep a fast machine busy until the
            // signal arrives
            program.WaitFor("\nstep ");
            program.Signal(signal);
            result = program.Finish();
        }
        Assert.True(result.ExitCode == 130, result.ToString());
        Assert.Empty(result.Error);
        Assert.Contains("stopping after this step", result.Out, StringComparison.Ordinal);
        Assert.Contains("--resume", result.Out, StringComparison.Ordinal);
        long step = long.Parse(File.ReadAllText(Path.Combine(stopped, "latest")).Trim()["step-".Length..],
            CultureInfo.InvariantCulture);
        Assert.InRange(step, 100, 7999);
        Assert.Contains($"stopped after step {step}; saved {Path.Combine(stopped, $"step-{step:D6}")}", result.Out,
            StringComparison.Ordinal);
        Assert.Contains("\"interrupted\"", File.ReadLines(Path.Combine(stopped, "log.jsonl")).Last(),
            StringComparison.Ordinal);

        var resumed = Cli.Run(["train", .. options, "--out", stopped, "--resume"]).Succeeds();
        Assert.Contains($"resumed after step {step}", resumed.Out, StringComparison.Ordinal);
        Tiny.AssertSame(undisturbed, stopped);
    }

    /// <summary>
    /// One step of 300,000 micro-batches: it would take minutes, and the second signal does not
    /// wait for it.
    /// </summary>
    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void A_second_signal_ends_the_run_at_once_and_leaves_the_checkpoint_before_it_whole(string signal,
        int exitCode)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        Assert.SkipWhen(signal == "INT" && InterruptsAreIgnored(),
            "these tests were started with SIGINT ignored, as in the background of a shell script, and so is every "
            + "program they start");
        string folder = temp.File("run");
        CliResult result;
        using (var program = Cli.Start(["train", .. Tiny.Model, "--steps", "2", "--accumulate", "300000", "--data",
            run.Data, "--out", folder]))
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

    /// <summary>nohup starts a program with SIGHUP ignored, and it stays ignored.</summary>
    [Fact]
    public void A_run_under_nohup_goes_on_when_the_terminal_hangs_up()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "nohup is elsewhere not as here");
        string folder = temp.File("run");
        using var program = Cli.StartUnder("nohup", ["train", .. Tiny.Model, "--steps", "4000", "--eval-interval",
            "4000", "--data", run.Data, "--out", folder]);
        program.WaitFor("\nstep ");
        program.Signal("HUP");
        program.Signal("HUP");
        program.Finish().Succeeds();
        Assert.Equal("step-004000\n", File.ReadAllText(Path.Combine(folder, "latest")));
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public void A_sweep_that_was_stopped_goes_on_to_the_same_bytes(string signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        string[] sweep = ["sweep", "shakespeare-char", "--lr", "1e-3,1e-2", "--data", run.Data, .. Tiny.Model,
            "--steps", "3000", "--eval-interval", "1000", "--out", temp.File("sweep")];
        using (var program = Cli.Start(sweep))
        {
            program.WaitFor("run 1/2  step   1000");
            program.Signal(signal);
            var stopped = program.Finish();
            Assert.True(stopped.ExitCode == 130, stopped.ToString());
            Assert.Contains("stopped; continue with: the same command", stopped.Out, StringComparison.Ordinal);
        }
        Assert.Empty(Directory.EnumerateFileSystemEntries(temp.File("sweep"), "*.tmp", SearchOption.AllDirectories));
        Cli.Run(sweep).Succeeds();
        Cli.Run(["train", "shakespeare-char", "--lr", "1e-3", .. sweep[4..^1], temp.File("alone")]).Succeeds();
        Tiny.AssertSame(temp.File("alone"), temp.File("sweep/lr=1e-3"));
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void Preparing_data_that_was_stopped_leaves_nothing(string signal, int exitCode)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        Assert.SkipWhen(signal == "INT" && InterruptsAreIgnored(),
            "these tests were started with SIGINT ignored, as in the background of a shell script, and so is every "
            + "program they start");
        string text = temp.File("text.jsonl");
        string line = "{\"text\": \"" + string.Concat(Enumerable.Repeat("to be or not to be ", 50)) + "\"}\n";
        using (var writer = new StreamWriter(text))
            for (int i = 0; i < 20_000; i++)
                writer.Write(line);
        using var program = Cli.Start(["data", "prepare", text, "--tokenizer", run.Folder, "--separator", "none",
            "--out", temp.File("prepared"), "--threads", "1"]);
        program.WaitFor(" bytes");
        program.Signal(signal);
        var result = program.Finish();
        Assert.True(result.ExitCode == exitCode, result.ToString());
        Assert.Equal([text], Directory.EnumerateFileSystemEntries(temp.Root));
    }

    /// <summary>
    /// A verb that has no gentle way to stop: a model of 400 MB without a byte on the disk, which
    /// takes a while to write.
    /// </summary>
    [Theory]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void Other_verbs_delete_what_they_have_half_written(string signal, int exitCode)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "files with holes are elsewhere not as here");
        WriteHollowModel(temp.File("model"), layers: 8, channels: 1024);
        string converted = Directory.CreateDirectory(temp.File("out")).FullName;
        using var program = Cli.Start(["convert", temp.File("model"), Path.Combine(converted, "model.gguf")]);
        while (!program.HasExited && Directory.GetFiles(converted).Length == 0)
            Thread.Sleep(1);
        program.Signal(signal);
        var result = program.Finish();
        Assert.True(result.ExitCode == exitCode, result.ToString());
        Assert.Empty(Directory.GetFileSystemEntries(converted));
        Assert.Empty(result.Error);
    }

    /// <summary>A GPT-2 of zeros.</summary>
    private static void WriteHollowModel(string folder, int layers, int channels)
    {
        Directory.CreateDirectory(folder);
        var config = new Gpt2Config
        {
            VocabSize = 1000,
            ContextLength = 64,
            Layers = layers,
            Heads = 8,
            Channels = channels
        };
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJson());
        long offset = 0;
        var header = new System.Text.Json.Nodes.JsonObject();
        foreach (var (shape, tensor) in config.ParameterShapes().Select(parameter => parameter.Shape)
            .Zip(config.FileTensors()))
        {
            long[] sizes = shape.ToArray();
            if (tensor.IsTransposed)
                Array.Reverse(sizes);
            long end = offset + (4L * shape.Length);
            header[tensor.Name] = new System.Text.Json.Nodes.JsonObject
            {
                ["dtype"] = "F32",
                ["shape"] = new System.Text.Json.Nodes.JsonArray(
                    [.. sizes.Select(size => (System.Text.Json.Nodes.JsonNode)size)]),
                ["data_offsets"] = new System.Text.Json.Nodes.JsonArray(offset, end),
            };
            offset = end;
        }
        byte[] text = System.Text.Encoding.UTF8.GetBytes(header.ToJsonString());
        using var file = File.Create(Path.Combine(folder, "model.safetensors"));
        file.Write(BitConverter.GetBytes((long)text.Length));
        file.Write(text);
        file.SetLength(8 + text.Length + offset);
    }

    [Fact]
    public void An_interrupted_text_ends_between_two_tokens()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        Assert.SkipWhen(InterruptsAreIgnored(),
            "these tests were started with SIGINT ignored, as in the background of a shell script, and so is every "
            + "program they start");
        using var program = Cli.Start(["generate", "--model", run.Folder, "--max-tokens", "100000000",
            "--prompt", "to be"]);
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
        return File.Exists(status)
            && File.ReadLines(status)
                .FirstOrDefault(line => line.StartsWith(ignored, StringComparison.Ordinal)) is { } line
            && (ulong.Parse(line[ignored.Length..], NumberStyles.HexNumber | NumberStyles.AllowLeadingWhite,
                CultureInfo.InvariantCulture) & SigInt) != 0;
    }
}
