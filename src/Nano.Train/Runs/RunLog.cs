namespace Nano;

/// <summary>
/// The log of a training run: a file of JSON lines that only grows, so that a kill loses one line at most.
/// A resumed run first drops what was logged after its checkpoint, then continues in the same file.
/// Lines that are not entries, as a power cut or an editor leaves them, are put aside into a second
/// file and never stop a run.
/// </summary>
public sealed class RunLog : IDisposable
{
    private const string Hint = "the last checkpoint is whole; make room or allow writing, then continue the run";

    private readonly string path;
    private readonly FileStream file;

    private RunLog(string path, FileStream file) => (this.path, this.file) = (path, file);

    /// <summary>Number of lines that were put aside when the log was opened.</summary>
    public int PutAside { get; private init; }

    /// <summary>
    /// The file for lines of a log that are not entries, as they are: log.bad.jsonl beside
    /// log.jsonl.
    /// </summary>
    public static string AsideOf(string path) => Path.ChangeExtension(path, ".bad" + Path.GetExtension(path));

    /// <summary>Opens the log at <paramref name="path"/> for appending.</summary>
    /// <param name="path">The file, usually <c>log.jsonl</c> in the run folder, which must exist.</param>
    /// <param name="resumeAtStep"> Null starts a new file in place of an old one. A number keeps
    /// the lines up to and including that step and drops later steps and evaluations, any end and a
    /// torn last line; if there is no file, one is started. </param>
    /// <param name="rollbacks">Returns to an earlier step that lie behind the run to be resumed:
    /// what was logged before the last of them stays, later ones go.</param>
    /// <exception cref="NanoException">It cannot be read or written; the message names it.</exception>
    public static RunLog Open(string path, int? resumeAtStep, int rollbacks = 0)
    {
        try
        {
            int aside = resumeAtStep is int last && File.Exists(path) ? Rewrite(path, last, rollbacks) : 0;
            var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
            if (resumeAtStep is null)
                file.SetLength(0);
            file.Seek(0, SeekOrigin.End);
            return new RunLog(path, file) { PutAside = aside };
        }
        catch (Exception e) when (AtomicFile.IsOfTheDisk(e))
        {
            throw Explain(path, e);
        }
    }

    /// <summary>Appends one whole line and hands it to the operating system before returning.</summary>
    /// <exception cref="NanoException">The disk is full or gone. What was written of the line is
    /// taken back.</exception>
    public void Write(RunLogEntry entry)
    {
        long before = file.Position;
        try
        {
            file.Write(RunLogReader.Line(entry));
        }
        catch (Exception e) when (AtomicFile.IsOfTheDisk(e))
        {
            TakeBack(before);
            throw Explain(path, e);
        }
    }

    /// <summary>
    /// All entries of a log, in file order. A last line without its newline that cannot be read is
    /// what a kill leaves, and is left out.
    /// </summary>
    /// <exception cref="FormatException">A complete line is malformed; the message names its number.</exception>
    public static IReadOnlyList<RunLogEntry> Read(string path)
    {
        var entries = new List<RunLogEntry>();
        foreach (var line in RunLogReader.Lines(path))
            if (line.Entry is { } entry)
                entries.Add(entry);
            else if (line.IsWhole || line.Bytes.Length == RunLogReader.MaxLine)
                throw new FormatException(
                    $"Line {entries.Count + 1} of the run log '{path}' is not an entry. Mend or delete that line. "
                    + $"({line.Problem})");
        return entries;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();

    /// <summary>
    /// Puts aside lines that are not entries, and retains the entries up to that many steps and
    /// rollbacks. Returns how many lines were put aside.
    /// </summary>
    private static int Rewrite(string path, int step, int rollbacks)
    {
        int logged = 0, bad = 0;
        using (var aside = new AsideFile(AsideOf(path)))
            foreach (var line in RunLogReader.Lines(path))
                if (line.Entry is { } entry)
                    logged += SpikeLog.IsRollback(entry) ? 1 : 0;
                else if (!line.IsTorn)
                    bad += aside.Add(line) ? 1 : 0;
        AtomicFile.Write(path, stream => CopyBehind(path, stream, step, Math.Min(rollbacks, logged)));
        return bad;
    }

    private static void CopyBehind(string path, Stream to, int step, int rollbacks)
    {
        int seen = 0;
        foreach (var line in RunLogReader.Lines(path))
        {
            if (line.Entry is not { } entry)
                continue;
            if (SpikeLog.IsRollback(entry) && ++seen > rollbacks)
                return;
            if (entry is EndEntry or ProfileEntry
                || !(seen < rollbacks || SpikeLog.IsRollback(entry) || StepOf(entry) <= step))
                continue;
            to.Write(line.Bytes.Span);
            to.WriteByte((byte)'\n');
        }
    }

    private static int StepOf(RunLogEntry entry) => entry switch
    {
        StepEntry step => step.Step,
        EvalEntry eval => eval.Step,
        SpikeEntry spike => spike.Step,
        _ => 0,
    };

    private void TakeBack(long length)
    {
        try
        {
            file.SetLength(length);
        }
        catch (IOException)
        {
            // Half a line at the end of a log is dropped when the run is resumed.
        }
    }

    private static NanoException Explain(string path, Exception e) => new(AtomicFile.Explain(path, e).Message, Hint, e);

    /// <summary>The file for lines that are not entries, made for the first of them.</summary>
    private sealed class AsideFile(string path) : IDisposable
    {
        private FileStream? file;
        private bool inLine;

        /// <summary>Appends a line or a piece of one, and says whether it begins a line.</summary>
        public bool Add(RunLogLine line)
        {
            file ??= new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read);
            bool begins = !inLine;
            file.Write(line.Bytes.Span);
            inLine = !line.IsWhole;
            if (line.IsWhole)
                file.WriteByte((byte)'\n');
            return begins;
        }

        public void Dispose()
        {
            if (inLine)
                file!.WriteByte((byte)'\n');
            file?.Flush(flushToDisk: true);
            file?.Dispose();
        }
    }
}
