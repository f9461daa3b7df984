namespace Nano;

/// <summary>
/// A grid of runs, one after the other, each in a folder of its own beside sweep.json. Finished
/// runs are not run again, interrupted ones resume from its checkpoint, and values added to a list
/// add runs. A run that goes astray is noted and does not end the sweep.
/// </summary>
public sealed class Sweep
{
    private const string StateFile = "sweep.json";

    private readonly string folder;
    private readonly SweepGrid grid;
    private readonly IReadOnlyList<SweepPoint> points;
    private SweepRun[] runs;

    /// <summary>Begins a sweep, or takes up the one in the folder.</summary>
    /// <exception cref="NanoException">The sweep there has another definition; each difference is listed.</exception>
    /// <exception cref="BadFileException">Its file is damaged.</exception>
    public Sweep(string folder, SweepGrid grid)
    {
        (this.folder, this.grid, points) = (folder, grid, grid.Points());
        runs = Read();
    }

    /// <summary>The runs of the grid, as far as the file in the folder says.</summary>
    private SweepRun[] Read()
    {
        var known = new Dictionary<string, SweepRun>(StringComparer.Ordinal);
        if (File.Exists(Path.Combine(folder, StateFile)))
        {
            var file = SweepFile.Read(Path.Combine(folder, StateFile));
            var differences = grid.DifferencesFrom(file.Grid).ToList();
            if (differences.Count > 0)
                throw new NanoException(
                    $"the sweep in '{folder}' was started with other options: {string.Join("; ", differences)}",
                    "repeat its command to resume, add values to one of its lists to extend it, or take another `out`");
            foreach (var run in file.Runs)
                known[run.Name] = run;
        }
        return [.. points.Select(point => known.GetValueOrDefault(point.Name)
            ?? new SweepRun(point.Name, point.Options, SweepStatus.Waiting, 0, double.NaN, 0, null))];
    }

    /// <summary>All runs, in the order of the grid.</summary>
    public IReadOnlyList<SweepRun> Runs => runs;

    /// <summary>The finished runs, the lowest validation loss first, and behind them all others.</summary>
    public IReadOnlyList<SweepRun> Ranked =>
        [.. runs.OrderBy(run => run.Status == SweepStatus.Done ? run.ValLoss : double.PositiveInfinity)];

    /// <summary>The path of the page with all curves.</summary>
    public string ReportPath => Path.Combine(folder, "sweep.html");

    /// <summary>The folder of a run.</summary>
    public string FolderOf(SweepRun run) => Path.Combine(folder, run.Name);

    /// <summary>Runs the unfinished runs.</summary>
    /// <param name="open">Prepares a run in a folder, from its checkpoint if there is one.</param>
    /// <param name="progress">Is told the number of a run in the grid and what it reports; null when it begins.</param>
    /// <param name="stop">Ends it after the step at hand, which is saved.</param>
    /// <exception cref="NanoException">Another process runs it, or its folder cannot be written.</exception>
    public void Run(Func<SweepPoint, string, Trainer> open, Action<int, TrainEvent?> progress, CancellationToken stop)
    {
        using var runLock = RunLock.Acquire(folder, "sweep");
        runs = Read(); // another process may have continued it
        foreach (string file in (string[])[Path.Combine(folder, StateFile), ReportPath])
            AtomicFile.RemoveRemains(file);
        Save();
        for (int i = 0; i < runs.Length && !stop.IsCancellationRequested; i++)
        {
            if (runs[i].Status is SweepStatus.Done or SweepStatus.Diverged)
                continue;
            progress(i, null);
            RunOne(i, open, progress, stop);
            Save();
        }
    }

    private void RunOne(int i, Func<SweepPoint, string, Trainer> open, Action<int, TrainEvent?> progress,
        CancellationToken stop)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        try
        {
            using var trainer = open(points[i], FolderOf(runs[i]));
            foreach (var e in trainer.Run(stop))
            {
                progress(i, e);
                if (e is Finished end)
                    runs[i] = runs[i] with
                    {
                        Status = end.Interrupted ? SweepStatus.Stopped : SweepStatus.Done,
                        Steps = end.Step,
                        ValLoss = end.ValLoss,
                        Error = null
                    };
            }
        }
        catch (NanoException e)
        {
            runs[i] = runs[i] with
            {
                Status = e is DivergedException ? SweepStatus.Diverged : SweepStatus.Failed,
                Error = e.Message
            };
        }
        runs[i] = runs[i] with { Seconds = runs[i].Seconds + clock.Elapsed.TotalSeconds };
    }

    private void Save()
    {
        var options = new OrderedDictionary<string, string[]>(grid.Options
            .Select(option => KeyValuePair.Create(option.Name, option.Values.ToArray())));
        new SweepFile(1, grid.Preset, options, runs,
            [.. Ranked.Where(run => run.Status == SweepStatus.Done).Select(run => run.Name)])
            .Write(Path.Combine(folder, StateFile));
        SweepReport.Write(this, grid);
    }
}
