namespace Nano;

/// <summary>
/// The part of a log that reports, summaries and verdicts need, built entry by entry in bounded
/// memory, however long the run: <see cref="Curve"/>s of the steps, the evaluations (thinned beyond
/// <see cref="MostEvaluations"/>: the first, the best and the last stay), the first
/// <see cref="MostSpikes"/> spikes, and the signals that have a band. Steps undone by a rollback
/// are removed. The history is a function of the entries: reading a log again gives the same as
/// following it.
/// </summary>
public sealed class RunHistory
{
    /// <summary>Evaluations kept at most.</summary>
    internal const int MostEvaluations = 1000;

    /// <summary>Spikes kept at most.</summary>
    internal const int MostSpikes = 1000;

    /// <summary>Steps of which every single value is kept.</summary>
    internal const int MostSteps = 1 << 14;

    private const int MostGroupSteps = 1 << 11, MostGroups = 1000, MostPending = 10_000;

    private readonly IReadOnlyList<RecipeBands> known;
    private readonly SignalWindows windows = new();
    private readonly List<RunSignal> signals = []; // only those with a band, once the recipe is known
    private readonly List<EvalEntry> evaluations = [];
    private readonly List<SpikeEntry> spikes = [];
    private double peak = double.NaN;

    /// <summary>A log without entries, to be judged by these bands.</summary>
    public RunHistory(IReadOnlyList<RecipeBands>? known = null) => this.known = known ?? RecipeBands.Known;

    /// <summary>The entries of a log.</summary>
    public static RunHistory Of(IEnumerable<RunLogEntry> entries, IReadOnlyList<RecipeBands>? known = null)
    {
        var history = new RunHistory(known);
        foreach (var entry in entries)
            history.Add(entry);
        return history;
    }

    /// <summary>
    /// Reads a log file once, in bounded memory. Lines that are not entries are counted and
    /// skipped; a torn last line is not counted.
    /// </summary>
    /// <exception cref="IOException">The system cannot read it.</exception>
    public static RunHistory Read(string path)
    {
        var history = new RunHistory();
        bool inPieces = false;
        foreach (var line in RunLogReader.Lines(path))
        {
            if (line.Entry is { } entry)
                history.Add(entry);
            else if (!line.IsTorn && !inPieces)
                history.BadLines++;
            inPieces = line.Entry is null && !line.IsWhole;
        }
        return history;
    }

    /// <summary>The first description of the run, or null if the log has none.</summary>
    public RunEntry? Run { get; private set; }

    /// <summary>
    /// The recipe that the run follows, if it was measured, and otherwise in what it differs from
    /// the nearest.
    /// </summary>
    internal (RecipeBands? Found, IReadOnlyList<string> Differences) Recipe { get; private set; } = (null, []);

    /// <summary>Descriptions of the run, one for each session that wrote one.</summary>
    public int Sessions { get; private set; }

    /// <summary>The last end, or null.</summary>
    public EndEntry? End { get; private set; }

    /// <summary>The last profile, or null.</summary>
    public ProfileEntry? Profile { get; private set; }

    /// <summary>The evaluations, or a part of them.</summary>
    public IReadOnlyList<EvalEntry> Evaluations => evaluations;

    /// <summary>The last evaluation, or null.</summary>
    public EvalEntry? LastEvaluation => evaluations.Count > 0 ? evaluations[^1] : null;

    /// <summary>
    /// Number of entries of this kind in the log, whether or not they are in the list.
    /// </summary>
    public int EvaluationCount { get; private set; }

    /// <summary>The first spikes.</summary>
    public IReadOnlyList<SpikeEntry> Spikes => spikes;

    /// <summary>
    /// Number of entries of this kind in the log, whether or not they are in the list.
    /// </summary>
    public int SpikeCount { get; private set; }

    /// <summary>The step logged last, or 0.</summary>
    public int LastStep { get; private set; }

    /// <summary>The first step whose training loss is not finite, or null.</summary>
    public int? BrokenStep { get; private set; }

    /// <summary>Time in steps, those undone included, in seconds.</summary>
    public double Seconds => milliseconds / 1000;

    /// <summary>True if nothing was logged.</summary>
    public bool IsEmpty { get; private set; } = true;

    /// <summary>Lines of the file that are not entries.</summary>
    public int BadLines { get; set; }

    internal Curve Loss { get; } = new(MostSteps);

    internal Curve LearningRate { get; } = new(MostSteps);

    internal Curve GradNorm { get; } = new(MostSteps);

    internal Curve Speed { get; } = new(MostSteps);

    /// <summary>Each step's share of the peak, in percent, of the machine its session ran on.</summary>
    internal Curve ShareOfPeak { get; } = new(MostSteps);

    /// <summary>The gradient norm of each part of the model, by its name.</summary>
    internal OrderedDictionary<string, Curve> GroupNorms { get; } = [];

    /// <summary>The loads of the experts of each block that is a mixture.</summary>
    internal LoadCurves Loads { get; } = new();

    /// <summary>The numbers that are judged, in the order of the log.</summary>
    internal IReadOnlyList<RunSignal> Signals => signals;

    private double milliseconds;

    /// <summary>Takes the next entry.</summary>
    public void Add(RunLogEntry entry)
    {
        IsEmpty = false;
        if (entry is SpikeEntry { Action: "rollback" } rollback)
            Undo(rollback.BackTo);
        switch (entry)
        {
            case RunEntry run:
                Begin(run);
                break;
            case StepEntry step:
                Add(step);
                break;
            case EvalEntry eval:
                Add(eval);
                break;
            case SpikeEntry spike:
                SpikeCount++;
                if (spikes.Count < MostSpikes)
                    spikes.Add(spike);
                break;
            case EndEntry end:
                End = end;
                break;
            case ProfileEntry profile:
                Profile = profile;
                break;
        }
        foreach (var signal in windows.Add(entry))
            if (Run is null ? signals.Count < MostPending : IsJudged(signal))
                signals.Add(signal);
    }

    private void Begin(RunEntry run)
    {
        Sessions++;
        peak = run.Machine.PeakGflops;
        if (Run is not null)
            return;
        Run = run;
        Recipe = RecipeBands.For(known, run);
        signals.RemoveAll(signal => !IsJudged(signal));
    }

    private bool IsJudged(RunSignal signal) => Recipe.Found?.Find(signal.Name, signal.Step) is not null;

    private void Add(StepEntry step)
    {
        LastStep = step.Step;
        milliseconds += step.Milliseconds;
        if (BrokenStep is null && !double.IsFinite(step.TrainLoss))
            BrokenStep = step.Step;
        Loss.Add(step.Step, step.TrainLoss);
        LearningRate.Add(step.Step, step.LearningRate);
        GradNorm.Add(step.Step, step.GradNorm);
        Speed.Add(step.Step, step.TokensPerSecond);
        ShareOfPeak.Add(step.Step, 100 * step.Gflops / peak);
        if (step.ExpertLoads is { } loads)
            Loads.Add(step.Step, loads);
        if (step.GradNorms is not { } norms)
            return;
        if (GroupNorms.Values.All(curve => curve.Count == 0))
        {
            GroupNorms.Clear();
            foreach (string name in norms.Keys.Take(MostGroups))
                GroupNorms.Add(name, new Curve(MostGroupSteps));
        }
        foreach (var (name, curve) in GroupNorms)
            curve.Add(step.Step, norms.GetValueOrDefault(name, double.NaN));
    }

    private void Add(EvalEntry eval)
    {
        EvaluationCount++;
        if (evaluations.Count == MostEvaluations)
            Thin();
        evaluations.Add(eval);
    }

    /// <summary>Drops every second evaluation, but not the first, the best nor the last.</summary>
    private void Thin()
    {
        var best = evaluations.Where(eval => double.IsFinite(eval.ValLoss)).MinBy(eval => eval.ValLoss);
        EvalEntry[] kept = [.. evaluations.Where((eval, i) => i % 2 == 0 || i == evaluations.Count - 1
            || ReferenceEquals(eval, best))];
        evaluations.Clear();
        evaluations.AddRange(kept);
    }

    /// <summary>Takes out the steps after one that a rollback has returned to.</summary>
    private void Undo(int backTo)
    {
        foreach (var curve in (Curve[])[Loss, LearningRate, GradNorm, Speed, ShareOfPeak, .. GroupNorms.Values,
            .. Loads.All])
            curve.DropAfter(backTo);
        if (BrokenStep > backTo)
            BrokenStep = null;
        signals.RemoveAll(signal => RunSignals.IsUndone(signal, backTo));
    }
}
