namespace Nano;

/// <summary>
/// The log and the report in a run's folder, which a new run replaces, and files of other people
/// that have their names.
/// </summary>
internal static class RunFiles
{
    private const string Kept = ".kept";
    private const int ReportBeginning = 1 << 16;

    private static ReadOnlySpan<byte> ReportMark => "<p class=\"over\">Nano training run"u8;

    /// <summary>Renames a log or a report that no run has written, so that a new run does not replace it.</summary>
    /// <param name="log">The path of the log.</param>
    /// <param name="report">The path of the report.</param>
    /// <param name="kept">Receives the new names.</param>
    /// <exception cref="IOException">The system refuses.</exception>
    public static void PutAwayForeign(string log, string report, ICollection<string> kept)
    {
        foreach (var (path, isOurs) in new (string, Func<string, bool>)[] { (log, IsLog), (report, IsReport) })
        {
            if (new FileInfo(path) is not { Exists: true, Length: > 0 } || isOurs(path))
                continue;
            string name = path + Kept;
            for (int i = 2; Path.Exists(name); i++)
                name = $"{path}{Kept}-{i}";
            File.Move(path, name);
            kept.Add(name);
        }
    }

    /// <summary>A sentence about something that was kept.</summary>
    public static string Describe(string kept) =>
        $"files that this program did not write are in the way; they stay as '{kept}'";

    /// <summary>Reads a run's log, and counts the lines that were put aside.</summary>
    /// <exception cref="NanoException">It cannot be read.</exception>
    public static RunHistory ReadLog(string path)
    {
        try
        {
            var history = RunHistory.Read(path);
            history.BadLines += File.Exists(RunLog.AsideOf(path)) ? CountLines(RunLog.AsideOf(path)) : 0;
            return history;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot read '{path}': {e.Message}", "check the file's permissions", e);
        }
    }

    private static bool IsLog(string path)
    {
        foreach (var line in RunLogReader.Lines(path))
            return line.Entry is not null || line.IsTorn;
        return true;
    }

    private static bool IsReport(string path) =>
        InputFile.ReadBeginning(path, ReportBeginning, "check the path").AsSpan().IndexOf(ReportMark) >= 0;

    private static int CountLines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete,
            bufferSize: 0);
        byte[] buffer = new byte[1 << 16];
        int lines = 0;
        for (int read; (read = file.Read(buffer)) > 0;)
            lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return lines;
    }
}
