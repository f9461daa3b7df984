using System.Diagnostics;
using System.Globalization;

namespace Nano.Peers;

/// <summary>One piece of work of one contender.</summary>
/// <param name="About">The library, its version, and the form in which it does the work.</param>
/// <param name="Values">Numbers by which the results of two contenders are compared; called once, before
/// any <paramref name="Run"/>.</param>
/// <param name="Run">The timed part.</param>
/// <param name="Prepare">Runs before each <paramref name="Run"/>, outside the timing; null for nothing.</param>
internal sealed record Work(string About, Func<IReadOnlyList<double>> Values, Action Run, Action? Prepare = null);

/// <summary>
/// The process of one contender: it makes its work, then does what the lines of its input say, one at a time, and
/// waits in between. Each contender has a process of its own, so that its memory can be told from the other's,
/// and one that does not load ends nobody else's run.
/// </summary>
internal static class WorkProcess
{
    /// <summary>Marks the lines of the answers: libraries write to the console as well.</summary>
    public const string Mark = "#peer ";

    /// <summary>Answers every line of the input until it ends.</summary>
    /// <param name="arguments">The task, of which the first word is the kind.</param>
    /// <param name="create">Makes the work of a task.</param>
    /// <returns>The exit code.</returns>
    public static int Serve(string[] arguments, Func<string[], Work> create)
    {
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        try
        {
            var work = create(arguments);
            Answer("ready " + work.About);
            while (Console.ReadLine() is { } line)
                Answer(line.Split(' ') switch
                {
                    ["values"] => string.Join(' ', work.Values().Select(value => value.ToString("R"))),
                    ["run", var count] => Seconds(work, int.Parse(count)).ToString("R"),
                    _ => PeakBytes().ToString(),
                });
            return 0;
        }
        catch (Exception e) // whatever a foreign library throws is the reason why it is left out
        {
            Answer("refused " + e.GetBaseException().Message.Split('\n')[0].TrimEnd());
            return 1;
        }
    }

    private static void Answer(string text)
    {
        Console.WriteLine(Mark + text);
        Console.Out.Flush();
    }

    /// <summary>Seconds of one run, from this many without a pause.</summary>
    private static double Seconds(Work work, int count)
    {
        var spent = TimeSpan.Zero;
        for (int i = 0; i < count; i++)
        {
            if (i == 0 || work.Prepare is not null)
                work.Prepare?.Invoke();
            long start = Stopwatch.GetTimestamp();
            work.Run();
            spent += Stopwatch.GetElapsedTime(start);
        }
        return spent.TotalSeconds / count;
    }

    /// <summary>The most memory that this process has had so far; 0 where the system does not say.</summary>
    private static long PeakBytes()
    {
        const string status = "/proc/self/status";
        if (File.Exists(status) && File.ReadLines(status).FirstOrDefault(line => line.StartsWith("VmHWM:",
            StringComparison.Ordinal)) is { } line)
            return long.Parse(line["VmHWM:".Length..].Replace("kB", "", StringComparison.Ordinal)) * 1024;
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
