using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Nano.Cli.Tests;

/// <summary>What a finished program left.</summary>
internal sealed record CliResult(int ExitCode, string Out, string Error)
{
    /// <summary>The last line of stdout as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(Out.TrimEnd('\n').Split('\n')[^1]).RootElement;

    /// <summary>The keys of that object, in its order.</summary>
    public IEnumerable<string> JsonKeys => Json.EnumerateObject().Select(property => property.Name);

    public override string ToString() => $"exit code {ExitCode}\n--- stdout\n{Out}\n--- stderr\n{Error}";

    public CliResult Succeeds()
    {
        Assert.True(ExitCode == 0, ToString());
        return this;
    }

    /// <summary>
    /// An error as people should see it: "error: ..." with these words on stderr, and no stack
    /// trace.
    /// </summary>
    public CliResult Fails(int exitCode, params string[] words)
    {
        Assert.True(ExitCode == exitCode, ToString());
        Assert.StartsWith("error: ", Error.Split('\n')
            .First(line => line.StartsWith("error: ", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.DoesNotContain("\n   at ", Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", Error, StringComparison.Ordinal);
        Assert.All(words, word => Assert.True(Error.Contains(word, StringComparison.Ordinal),
            $"'{word}' is missing: {this}"));
        return this;
    }
}

/// <summary>
/// Runs the real program. Unless told otherwise it has no network, no data folder and none of the
/// caller's NANO_ settings.
/// </summary>
internal static class Cli
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    /// <summary>Runs a program of the system, such as mount, and says whether it is there and succeeded.</summary>
    public static bool HasRun(string program, params string[] args)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false; // there is no such program
        }
    }

    public static CliResult Run(params string[] args) => Run(args, null);

    public static CliResult Run(string[] args, string? stdin, Dictionary<string, string>? environment = null,
        string? folder = null)
    {
        using var program = Start(args, environment, folder);
        return program.Finish(stdin);
    }

    /// <summary>
    /// Runs the program under a shell's limit on the size of the files it writes, beyond which
    /// writing is an error.
    /// </summary>
    public static CliResult RunLimited(int kilobytes, params string[] args)
    {
        // The runtime writes its own code through a file unless told not to.
        using var program = Start("bash", ["-c", $"trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\"", "bash",
            .. Program, .. args], new() { ["DOTNET_EnableWriteXorExecute"] = "0" }, null);
        return program.Finish();
    }

    /// <summary>Runs the program from a line of bash, in which it is called "$@".</summary>
    public static CliResult RunInShell(string line, params string[] args) => RunInShell(line, args, null);

    public static CliResult RunInShell(string line, string[] args, Dictionary<string, string>? environment)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there is no bash on Windows");
        using var program = Start("bash", ["-c", line, "bash", .. Program, .. args], environment, null);
        return program.Finish();
    }

    /// <summary>Runs the program with a terminal as stdin, stdout and stderr; what it shows is in Out.</summary>
    public static CliResult RunInTerminal(params string[] args) => RunInTerminal(args, "");

    /// <summary>The same with a redirection of the shell's, of stdin for example.</summary>
    public static CliResult RunInTerminal(string[] args, string redirection)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && HasRun("script", "--version"),
            "a terminal is made with util-linux's script");
        string[] words = [.. Program, .. args];
        string line = string.Join(' ',
            words.Select(word => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'"));
        line += redirection;
        using var program = Start("script", ["-qec", line, "/dev/null"], new() { ["SHELL"] = "/bin/sh" }, null);
        return program.Finish();
    }

    /// <summary>Starts the program through another one, such as nohup.</summary>
    public static RunningCli StartUnder(string starter, string[] args) =>
        Start(starter, [.. Program, .. args], null, null);

    public static RunningCli Start(string[] args, Dictionary<string, string>? environment = null,
        string? folder = null) => Start(Program[0], [.. Program[1..], .. args], environment, folder);

    /// <summary>The program and the first of its arguments; NANO_TEST_PROGRAM names another build of it.</summary>
    private static string[] Program { get; } =
        Environment.GetEnvironmentVariable("NANO_TEST_PROGRAM") is { Length: > 0 } program ? [program]
        : [Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", "exec",
            Path.Combine(AppContext.BaseDirectory, "nano.dll")];

    private static RunningCli Start(string file, string[] args, Dictionary<string, string>? environment, string? folder)
    {
        var start = new ProcessStartInfo(file, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? Path.GetTempPath(),
            StandardInputEncoding = new UTF8Encoding(false),
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach (string name in (string[])["NANO_SIMD", "NANO_EMIT", "NANO_HUGE_PAGES", "NANO_THREADS", "no_proxy",
            "NO_PROXY"])
            start.Environment.Remove(name);
        start.Environment["NANO_DATA"] = Path.Combine(Path.GetTempPath(), "nano-test-no-such-folder");
        // nobody listens on the discard port
        start.Environment["https_proxy"] = start.Environment["http_proxy"] = "http://127.0.0.1:9";
        foreach (var (name, value) in environment ?? [])
            start.Environment[name] = value;
        return new RunningCli(Process.Start(start)!, Longest);
    }
}

/// <summary>A program that is still running.</summary>
internal sealed class RunningCli : IDisposable
{
    private readonly Process process;
    private readonly TimeSpan longest;
    private readonly StringBuilder output = new(), error = new();

    public RunningCli(Process process, TimeSpan longest)
    {
        (this.process, this.longest) = (process, longest);
        process.OutputDataReceived += (_, line) => Append(output, line.Data);
        process.ErrorDataReceived += (_, line) => Append(error, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>What stdout has so far.</summary>
    public string Out
    {
        get
        {
            lock (output)
                return output.ToString();
        }
    }

    /// <summary>Memory that it has now, in bytes (VmRSS of Linux).</summary>
    public long ResidentBytes => 1024 * long.Parse(
        File.ReadLines($"/proc/{process.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Waits until the program has printed so many lines, or ended.</summary>
    public void WaitForLines(int count)
    {
        var clock = Stopwatch.StartNew();
        while (Out.Count(c => c == '\n') < count && !process.HasExited)
        {
            Assert.True(clock.Elapsed < longest, $"{count} lines did not come");
            Thread.Sleep(20);
        }
    }

    public bool HasExited => process.HasExited;

    /// <summary>The number of its process.</summary>
    public int Id => process.Id;

    /// <summary>Sends some of its input.</summary>
    public void Write(string text)
    {
        process.StandardInput.Write(text);
        process.StandardInput.Flush();
    }

    public CliResult Finish(string? stdin = null)
    {
        try
        {
            process.StandardInput.Write(stdin);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading what it was given; the exit code tells.
        }
        if (!process.WaitForExit(longest))
        {
            process.Kill();
            throw new TimeoutException($"nano did not end within {longest.TotalSeconds} s:\n{output}\n{error}");
        }
        process.WaitForExit(); // for the rest of its output
        return new CliResult(process.ExitCode, output.ToString(), error.ToString());
    }

    /// <summary>Sends SIGKILL.</summary>
    public void Kill() => process.Kill();

    /// <summary>Sends a signal by its short name.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", ["-" + name,
            process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Waits until the program has printed something, or ended.</summary>
    public void WaitFor(string text) => WaitFor(text, () => Out);

    /// <summary>Waits until the program has complained, or ended.</summary>
    public void WaitForError(string text) => WaitFor(text, () =>
    {
        lock (error)
            return error.ToString();
    });

    private void WaitFor(string text, Func<string> output)
    {
        var clock = Stopwatch.StartNew();
        while (!output().Contains(text, StringComparison.Ordinal) && !process.HasExited)
        {
            Assert.True(clock.Elapsed < longest, $"'{text}' did not come");
            Thread.Sleep(1);
        }
    }

    public void Dispose()
    {
        if (!process.HasExited)
            process.Kill();
        process.Dispose();
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is not null)
            lock (text)
                text.Append(line).Append('\n');
    }
}
