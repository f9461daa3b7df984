namespace Nano;

/// <summary>The folder of a run while it is trained: lock, log, report, and files of others in it.</summary>
internal sealed class RunRecorder : IDisposable
{
    private const int GradNormsEvery = 10;

    private readonly string run;
    private readonly bool resumed;
    private readonly RunLock runLock;
    private readonly List<string> notes = [], kept = []; // kept: folders with foreign files, not yet told
    private RunLog? log;
    private RunHistory? history;

    /// <summary>
    /// Locks the folder, and looks again at what is there: another process may have made a run meanwhile.
    /// </summary>
    /// <param name="run">The folder.</param>
    /// <param name="resumed">Whether a run there is continued.</param>
    /// <param name="overwrite">Whether a new run may take the place of one that is there.</param>
    /// <exception cref="NanoException">
    /// Another trainer is at work on it, or there is a run, or none to continue.
    /// </exception>
    public RunRecorder(string run, bool resumed, bool overwrite)
    {
        (this.run, this.resumed) = (run, resumed);
        if (resumed)
            Checkpoint.Read(run); // before a folder is made
        runLock = RunLock.Acquire(run);
        try
        {
            if (!resumed && !overwrite)
                Checkpoint.RefuseRun(run);
            if (!runLock.Excludes)
                notes.Add("the run's folder has no file locks: nothing keeps a second trainer out of it");
            if (resumed)
                CheckpointFolders.Clean(run, kept);
        }
        catch (Exception e)
        {
            runLock.Dispose();
            throw AtomicFile.IsOfTheDisk(e) ? AtomicFile.Explain(Path.Combine(run, ModelFolder.Latest), e) : e;
        }
    }

    /// <summary>The place of the report.</summary>
    public string ReportPath => Path.Combine(run, "report.html");

    /// <summary>Sentences about the folder as it was found.</summary>
    public IReadOnlyList<string> Notes => notes;

    /// <summary>Receives the new names of folders that hold files of others.</summary>
    public ICollection<string> Kept => kept;

    /// <summary>The run so far, beside what its recipe is known to do.</summary>
    public RunVerdict Verdict => RunVerdict.Of(history!);

    private string LogPath => Path.Combine(run, RunSummary.LogName);

    /// <summary>Opens the log; a log that does not describe its run begins with a description.</summary>
    /// <param name="step">Steps done; later ones are dropped from the log.</param>
    /// <param name="rollbacks">Returns to an earlier step among them.</param>
    /// <param name="description">The run, as the log tells it.</param>
    public void Open(long step, int rollbacks, RunEntry description)
    {
        log = OpenLog(step, rollbacks);
        history = RunFiles.ReadLog(LogPath);
        if (history.Run is null)
            Write(description);
        if (log.PutAside > 0)
            notes.Add($"{log.PutAside} {(log.PutAside == 1 ? "line" : "lines")} of '{LogPath}' could not be read; "
                + $"{(log.PutAside == 1 ? "it is" : "they are")} now in '{RunLog.AsideOf(LogPath)}'");
        notes.AddRange(kept.Select(RunFiles.Describe));
        kept.Clear();
    }

    /// <summary>Opens the log; of a new run, puts away what another run has left.</summary>
    private RunLog OpenLog(long step, int rollbacks)
    {
        RunLog? opened = null;
        try
        {
            foreach (string file in (string[])[LogPath, ReportPath])
                AtomicFile.RemoveRemains(file);
            if (!resumed)
                RunFiles.PutAwayForeign(LogPath, ReportPath, kept);
            opened = RunLog.Open(LogPath, resumed ? (int)step : null, rollbacks);
            if (!resumed)
            {
                File.Delete(RunLog.AsideOf(LogPath));
                Checkpoint.DeleteAll(run, kept);
            }
            return opened;
        }
        catch (Exception e)
        {
            opened?.Dispose();
            throw AtomicFile.IsOfTheDisk(e) ? AtomicFile.Explain(LogPath, e) : e;
        }
    }

    /// <summary>Adds an entry to the log.</summary>
    public void Write(RunLogEntry entry)
    {
        log!.Write(entry);
        history!.Add(entry);
    }

    /// <summary>
    /// Adds a step to the log, with the norms of its gradients and the loads of experts block by block every ten steps.
    /// </summary>
    public StepDone Write(StepDone done, TrainOptions options, double flopsPerToken, ITrainStep step)
    {
        bool byBlock = done.Step == 1 || done.Step % GradNormsEvery == 0;
        double tokensPerSecond = options.TokensPerStep / done.Milliseconds * 1000;
        Write(new StepEntry((int)done.Step, done.Result.Loss, done.LearningRate, done.Result.GradientNorm,
            done.Milliseconds, tokensPerSecond, tokensPerSecond * flopsPerToken / 1e9,
            byBlock ? step.Norm.ByGroup() : null, byBlock ? step.Loads?.ByBlock() : null));
        return done;
    }

    /// <summary>Adds a spike to the log.</summary>
    public SpikeFound Write(SpikeFound found)
    {
        var spike = found.Spike;
        Write(new SpikeEntry((int)found.Step, spike.LossScore, spike.NormScore,
            spike.Action.ToString().ToLowerInvariant(), (int)found.BackTo, spike.Reason));
        return found;
    }

    /// <summary>Writes the report of the run as its log has it.</summary>
    public void WriteReport() => Report.Write(ReportPath, history!);

    /// <summary>The folders with files of others that have not been told yet.</summary>
    public FilesKept[] TellKept(long step)
    {
        FilesKept[] told = kept.Count == 0 ? [] : [.. kept.Select(folder => new FilesKept(step, folder))];
        kept.Clear();
        return told;
    }

    public void Dispose()
    {
        log?.Dispose();
        runLock.Dispose();
    }
}
