using System.Diagnostics;

namespace Nano.Peers;

/// <summary>A contender that could not be built, loaded or run; the message is its reason.</summary>
internal sealed class PeerException(string reason) : Exception(reason);

/// <summary>The other end of a <see cref="WorkProcess"/>: one contender at its task.</summary>
internal sealed class PeerProcess : IDisposable
{
    private readonly Process process;
    private string lastError = "";

    /// <exception cref="PeerException">It does not start, or refuses the task.</exception>
    public PeerProcess(string file, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        process = Process.Start(start) ?? throw new PeerException($"{file} does not start");
        process.ErrorDataReceived += (_, line) => lastError = line.Data is { Length: > 0 } text ? text : lastError;
        process.BeginErrorReadLine();
        try
        {
            string[] answer = Read().Split(' ', 2);
            About = answer[0] == "ready" ? answer[1] : throw new PeerException(answer[1]);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The library, its version and the form in which it does the work.</summary>
    public string About { get; }

    /// <summary>The numbers by which results are compared.</summary>
    public double[] Values() => [.. Ask("values").Split(' ').Select(double.Parse)];

    /// <summary>Seconds of one run, from this many without a pause.</summary>
    public double Run(int count) => double.Parse(Ask($"run {count}"));

    /// <summary>The most memory that the process has had.</summary>
    public long PeakBytes() => long.Parse(Ask("memory"));

    private string Ask(string question)
    {
        process.StandardInput.WriteLine(question);
        process.StandardInput.Flush();
        string answer = Read();
        return answer.StartsWith("refused ", StringComparison.Ordinal)
            ? throw new PeerException(answer["refused ".Length..]) : answer;
    }

    private string Read()
    {
        while (process.StandardOutput.ReadLine() is { } line)
            if (line.StartsWith(WorkProcess.Mark, StringComparison.Ordinal))
                return line[WorkProcess.Mark.Length..];
        process.WaitForExit();
        throw new PeerException($"its process ended with code {process.ExitCode}"
            + (lastError.Length > 0 ? $": {lastError}" : ""));
    }

    public void Dispose()
    {
        process.StandardInput.Close(); // the end of its input ends it
        if (!process.WaitForExit(TimeSpan.FromSeconds(10)))
            process.Kill(entireProcessTree: true);
        process.Dispose();
    }
}
