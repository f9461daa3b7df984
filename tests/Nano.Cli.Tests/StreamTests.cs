using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// Terminals that show what models write, and standard streams that are closed, full or without a reader.
/// </summary>
[Collection(nameof(TinyRun))]
public sealed class StreamTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    private string Tokenizer => Path.Combine(run.Checkpoint, "tokenizer.json");

    /// <summary>A model that writes escapes, bells and line ends as often as letters: all its weights are 0.</summary>
    private string Wild()
    {
        string folder = Directory.CreateDirectory(temp.File("wild")).FullName;
        var tokenizer = CharTokenizer.FromText("ab\n\x1b\a\b\u009b\u202e[31m");
        var config = new Gpt2Config
        {
            VocabSize = tokenizer.VocabSize,
            ContextLength = 64,
            Layers = 1,
            Heads = 1,
            Channels = 16
        };
        using (var model = LanguageModel.Create(config))
            ModelDirectory.Save(folder, model, tokenizer);
        return folder;
    }

    [Fact]
    public void A_terminal_gets_no_control_characters_of_a_model()
    {
        string folder = Wild();
        string[] line = ["generate", "--model", folder, "--prompt", "a\x1b[31m", "--max-tokens", "60"];
        var piped = Cli.Run(line).Succeeds();
        Assert.Contains("a\x1b[31m", piped.Out, StringComparison.Ordinal); // elsewhere it is as it is
        Assert.Contains('\a', piped.Out);
        var shown = Cli.RunInTerminal(line).Succeeds();
        string text = AfterStart(shown.Out);
        Assert.DoesNotContain(text, c => c != '\n' && char.IsControl(c) || c == '\u202e');
        Assert.Contains("a\u241b[31m", text, StringComparison.Ordinal);
        Assert.Contains('\u2407', text);
    }

    [Fact]
    public void A_terminal_gets_no_control_characters_of_ids_or_names()
    {
        string folder = Wild();
        Assert.SkipUnless(OperatingSystem.IsLinux(), "a terminal is made with util-linux's script");
        var tokenizer = TokenizerLoader.Load(folder);
        File.WriteAllText(temp.File("ids"), string.Join(' ', tokenizer.Encode("\x1b[31m")));
        var decoded = Cli.RunInTerminal(["tokenize", "--tokenizer", folder, "--decode"],
            $" < '{temp.File("ids")}'").Succeeds();
        Assert.Equal("\u241b[31m\n", AfterStart(decoded.Out));
        var missing = Cli.RunInTerminal("generate", "--model", "no\x1b[31m\nsuch");
        Assert.DoesNotContain('\x1b', AfterStart(missing.Out));
        Assert.Contains("error: ", missing.Out, StringComparison.Ordinal);
    }

    /// <summary>
    /// What a terminal gets after what the runtime sends to begin with, without the carriage returns that it
    /// adds to line ends.
    /// </summary>
    private static string AfterStart(string shown) =>
        shown.Replace("\x1b[?1h\x1b=", "", StringComparison.Ordinal).Replace("\r", "", StringComparison.Ordinal);

    [Fact]
    public void A_closed_stdin_is_the_end_of_input()
    {
        File.WriteAllText(temp.File("template"), "{{ messages[0].content }}");
        foreach (string[] line in (string[][])[["tokenize", "--tokenizer", Tokenizer],
            ["chat", "--model", run.Folder, "--template", temp.File("template")]])
        {
            var result = Cli.RunInShell("\"$@\" <&-", line).Succeeds();
            Assert.Equal(("", "stdin is closed: there is nothing to read\n"), (result.Out, result.Error));
            Assert.Equal("", Cli.RunInShell("\"$@\" </dev/null", line).Succeeds().Out);
        }
    }

    [Fact]
    public void Input_that_never_ends_a_line_is_refused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "there is no /dev/zero");
        Cli.RunInShell("\"$@\" </dev/zero", "tokenize", "--tokenizer", Tokenizer).Fails(1, "line 1 of stdin",
            "more than 67,108,864 characters");
    }

    [Theory]
    [InlineData(">&-", "it is closed")]
    [InlineData(">/dev/full", "no space left on the disk")]
    public void A_stdout_that_takes_nothing_is_an_error(string redirection, string reason)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "there is no /dev/full");
        foreach (string[] line in (string[][])[
            ["generate", "--model", run.Folder, "--max-tokens", "5"],
            ["generate", "--model", run.Folder, "--max-tokens", "5", "--json"],
            ["eval", "--model", run.Folder, "--data", run.Data], ["info", "--model", "gpt2", "--json"],
            ["runs", "list", run.Folder],
            ["--help"], ["train", "--data", run.Data, "--out", temp.File("run"), .. Tiny.Options]])
        {
            var result = Cli.RunInShell($"\"$@\" {redirection}", line).Fails(1, $"cannot write to stdout: {reason}");
            Assert.DoesNotContain("should not happen", result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Errors_that_cannot_be_written_change_nothing()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "there is no /dev/full");
        foreach (string redirection in (string[])["2>&-", "2>/dev/full"])
        {
            var result = Cli.RunInShell($"\"$@\" {redirection}", "info", "--model", "gpt2", "--json").Succeeds();
            Assert.Equal("gpt2", result.Json.GetProperty("model_type").GetString());
            Assert.Equal(1, Cli.RunInShell($"\"$@\" {redirection}", "info", "--model", "nowhere").ExitCode);
        }
        Assert.Equal(1, Cli.RunInShell("\"$@\" <&- >&- 2>&-", "info", "--model", "gpt2").ExitCode);
    }

    /// <summary>A hundred million tokens would take hours.</summary>
    [Fact]
    public void A_reader_that_is_gone_ends_the_program()
    {
        const string behindHead = "\"$@\" | head -1; exit ${PIPESTATUS[0]}";
        string[] generate = ["generate", "--model", run.Folder, "--max-tokens", "100000000"];
        var quiet = Cli.RunInShell(behindHead, generate);
        Assert.Equal(141, quiet.ExitCode); // as a shell reports SIGPIPE
        Assert.DoesNotContain("error", quiet.Error, StringComparison.Ordinal);
        Cli.RunInShell("\"$@\" | true; exit ${PIPESTATUS[0]}", "eval", "--model", run.Folder, "--data", run.Data,
            "--json").Fails(1, "cannot write to stdout: its reader has closed the pipe");
        const string between = "yes 'to be' | \"$@\" | head -1; exit ${PIPESTATUS[1]}";
        Assert.Equal(141, Cli.RunInShell(between, "tokenize", "--tokenizer", Tokenizer).ExitCode);
    }

    [Fact]
    public void A_run_whose_reader_is_gone_saves_and_can_go_on()
    {
        string folder = temp.File("run");
        string[] endless = [.. Tiny.Model, "--steps", "1000000", "--eval-interval", "1000000"];
        string[] line = ["train", "--data", run.Data, "--out", folder, .. endless];
        var result = Cli.RunInShell("\"$@\" | head -30; exit ${PIPESTATUS[0]}", line);
        Assert.Equal(141, result.ExitCode);
        string latest = File.ReadAllText(Path.Combine(folder, "latest")).Trim();
        Assert.NotEqual("step-000000", latest);
        Cli.Run("generate", "--model", folder, "--max-tokens", "5").Succeeds();
    }

    [Theory]
    [InlineData(24)]
    [InlineData(64)]
    [InlineData(159)]
    public void Too_few_open_files_are_said(int limit)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the limit is read from /proc");
        Cli.RunInShell($"ulimit -n {limit}; \"$@\"", "info", "--model", "gpt2").Fails(1,
            $"only {limit} files may be open at a time", "hint: raise the limit");
    }

    [Fact]
    public void The_least_number_of_open_files_is_enough()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the limit is read from /proc");
        string folder = temp.File("run");
        foreach (string[] line in (string[][])[
            ["train", "--data", run.Data, "--out", folder, .. Tiny.Options],
            ["generate", "--model", folder, "--max-tokens", "5"],
            ["eval", "--model", folder, "--data", run.Data],
            ["export", "--model", folder, "--out", temp.File("m.onnx")], ["runs", "list", temp.Root]])
            Cli.RunInShell("ulimit -n 160; \"$@\"", line).Succeeds();
    }
}
