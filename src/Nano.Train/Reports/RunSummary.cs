namespace Nano;

/// <summary>The state of a run: running, interrupted or finished.</summary>
public enum RunProgress
{
    /// <summary>A process has its log open.</summary>
    Running,

    /// <summary>It was stopped or killed; --resume continues it.</summary>
    Interrupted,

    /// <summary>It came to its last step, or stopped because its validation loss no longer fell.</summary>
    Finished,
}

/// <summary>A run in a line.</summary>
/// <param name="Folder">The folder of the run.</param>
/// <param name="Preset">Its recipe.</param>
/// <param name="Progress">Its state.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps planned; null if the log does not say.</param>
/// <param name="ValLoss">The last validation loss, over the whole split if it is known; NaN if there is none.</param>
/// <param name="BestValLoss">The lowest.</param>
/// <param name="Seconds">Time spent in training steps, over all sessions.</param>
/// <param name="Started">The start of its first session.</param>
/// <param name="Verdict">The verdict on the run.</param>
public sealed record RunSummary(
    string Folder,
    string Preset,
    RunProgress Progress,
    int Step,
    int? Steps,
    double ValLoss,
    double BestValLoss,
    double Seconds,
    DateTimeOffset Started,
    RunVerdict Verdict)
{
    /// <summary>The name of the log in a run's folder.</summary>
    public const string LogName = "log.jsonl";

    private const int Deepest = 8;
    private const long LargestLog = 1L << 40;

    /// <summary>The summary of the run in a folder.</summary>
    /// <exception cref="NanoException">There is no run.</exception>
    /// <exception cref="BadFileException">Its log cannot be read; the message says why.</exception>
    public static RunSummary Of(string folder) => Of(folder, ReadLog(folder));

    /// <summary>Lines of its log that are not entries and are skipped.</summary>
    public int BadLines { get; private init; }

    /// <summary>The log of the run in a folder.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    /// <exception cref="BadFileException">It cannot be read; the message says why.</exception>
    public static RunHistory ReadLog(string folder)
    {
        string path = Path.Combine(folder, LogName);
        try
        {
            var file = new FileInfo(path);
            if (!file.Exists)
                throw new NanoException($"there is no run in '{folder}'",
                    $"a run's folder holds {LogName}; 'nano runs list' shows those there are");
            if (file.Length is 0 or > LargestLog) // a pipe or a device has no length
                throw new BadFileException(path,
                    $"a log has from 1 to {LargestLog} bytes, this file has {file.Length}");
            var history = RunHistory.Read(path);
            return history.Run is not null ? history : throw new BadFileException(path, "no line describes a run");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException(path, e.Message, e);
        }
    }

    /// <summary>
    /// Every run below a folder, the latest first, and what is wrong with those that cannot be
    /// read. Links are not followed.
    /// </summary>
    /// <exception cref="NanoException">There is no such folder.</exception>
    public static (IReadOnlyList<RunSummary> Runs, IReadOnlyList<Exception> Broken) Below(string folder)
    {
        if (!Directory.Exists(folder))
            throw new NanoException($"there is no folder '{folder}'",
                "'nano train' makes runs/PRESET unless told otherwise");
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            MaxRecursionDepth = Deepest,
            IgnoreInaccessible = true,
            AttributesToSkip = FileAttributes.ReparsePoint
        };
        var (runs, broken) = (new List<RunSummary>(), new List<Exception>());
        foreach (string path in Directory.EnumerateFiles(folder, LogName, options).Order(StringComparer.Ordinal))
            try
            {
                runs.Add(Of(Path.GetDirectoryName(path)!));
            }
            catch (Exception e) when (e is NanoException or BadFileException)
            {
                broken.Add(e);
            }
        return ([.. runs.OrderByDescending(run => run.Started)
            .ThenBy(run => run.Folder, StringComparer.Ordinal)], broken);
    }

    internal static RunSummary Of(string folder, RunHistory history)
    {
        var (run, end) = (history.Run!, history.End);
        bool isPlanned = int.TryParse(run.Config.GetValueOrDefault("steps"),
            System.Globalization.CultureInfo.InvariantCulture, out int planned);
        double[] losses = [.. history.Evaluations.Select(eval => eval.ValLoss).Append(end?.ValLoss ?? double.NaN)
            .Where(double.IsFinite)];
        return new RunSummary(folder, run.Preset, ProgressOf(folder, end), end?.Step ?? history.LastStep,
            isPlanned ? planned : null, losses.LastOrDefault(double.NaN),
            losses.DefaultIfEmpty(double.NaN).Min(), history.Seconds, run.Started, RunVerdict.Of(history))
        {
            BadLines = history.BadLines,
        };
    }

    /// <summary>
    /// A trainer has its run's lock; one of older programs held its log open for writing, which
    /// nobody who asks for it alone gets past.
    /// </summary>
    private static RunProgress ProgressOf(string folder, EndEntry? end)
    {
        if (end is not null)
            return end.Reason is "done" or "early stop" ? RunProgress.Finished : RunProgress.Interrupted;
        if (RunLock.IsHeld(folder) is { } isHeld)
            return isHeld ? RunProgress.Running : RunProgress.Interrupted;
        try
        {
            new FileStream(Path.Combine(folder, LogName), FileMode.Open, FileAccess.Read, FileShare.None).Dispose();
            return RunProgress.Interrupted;
        }
        catch (IOException)
        {
            return RunProgress.Running;
        }
    }
}
