using System.Diagnostics;

namespace Nano;

/// <summary>What a run reports while it goes.</summary>
public abstract record TrainEvent(long Step);

/// <summary>The model that the run starts from was evaluated before the first step: its loss over the whole validation split, as <see cref="Finished"/> has it.</summary>
public sealed record Started(double ValLoss) : TrainEvent(0);

/// <summary>One update is done. Step counts from 1.</summary>
public sealed record StepDone(long Step, StepResult Result, double LearningRate, double Milliseconds) : TrainEvent(Step);

/// <summary>A step stood out. BackTo is where a rollback returned to, otherwise the step.</summary>
public sealed record SpikeFound(long Step, Spike Spike, long BackTo) : TrainEvent(Step);

/// <summary>The model was evaluated on random batches of both splits, a sample was drawn and a checkpoint saved.</summary>
public sealed record Evaluated(long Step, double TrainLoss, double ValLoss, string Sample, string Checkpoint, RunVerdict Verdict) : TrainEvent(Step);

/// <summary>A checkpoint that would have gone holds files that are none of a checkpoint's; its folder stays under this name.</summary>
public sealed record FilesKept(long Step, string Folder) : TrainEvent(Step);

/// <summary>The run is over. ValLoss is over the whole validation split; Seconds covers training and evaluation of this process.</summary>
public sealed record Finished(long Step, double TrainLoss, double ValLoss, double Seconds, long Tokens, string Checkpoint, bool Interrupted, RunVerdict Verdict) : TrainEvent(Step)
{
    /// <summary>Whether it ended because its validation loss no longer fell.</summary>
    public bool StoppedEarly { get; init; }
}

/// <summary>A device that takes the steps of a run.</summary>
/// <param name="Name">For logs and reports.</param>
/// <param name="NewStep">Makes the training step of a model; it takes batches from the loader.</param>
public sealed record TrainingDevice(string Name, Func<LanguageModel, Compute, BatchLoader, TrainOptions, ITrainStep> NewStep);

/// <summary>
/// A run: text in, checkpoints, log and report out. <see cref="Run"/> is the training loop, and reads like one.
/// </summary>
public sealed class Trainer : IDisposable
{
    private const int SampleLength = 200, GradNormsEvery = 10;

    private readonly Compute compute;
    private readonly string run;
    private readonly ITrainStep trainStep;
    private readonly BatchLoader train, validation;
    private readonly SpikeGuard guard;
    private readonly EarlyStopping patience;
    private readonly WeightAverage? average;
    private readonly LanguageModel shown; // what is evaluated and sampled from
    private readonly ITokenLosses losses; // of that
    private readonly Generator generator;
    private readonly TrainingData data;
    private readonly RunState state;
    private readonly RunLock turn;
    private readonly RunLog log;
    private readonly RunHistory history;
    private readonly List<string> notes = [], kept = []; // kept: folders with foreign files, not yet told
    private readonly bool resumed;
    private readonly string? chatTemplate; // of the model that the run started from

    /// <summary>Prepares a run: a fresh model, the model to start from, or the state of the newest checkpoint if resuming.</summary>
    /// <param name="options">What to compute; the vocabulary size is taken from the tokenizer.</param>
    /// <param name="data">What to learn from.</param>
    /// <param name="run">The run's folder.</param>
    /// <param name="resume">Continue from the newest checkpoint there.</param>
    /// <param name="compute">Where to run.</param>
    /// <param name="peakGflops">The measured ceiling of what takes the steps, for the log; NaN if it is not known.</param>
    /// <param name="command">The command that repeats this run, for the report.</param>
    /// <param name="device">What takes the steps and evaluates; null for <paramref name="compute"/>, which draws the samples in any case.</param>
    /// <param name="overwrite">Whether a new run may take the place of one that is there.</param>
    /// <param name="start">The model to start from, read here and still the caller's to close; null for random weights, and when resuming.</param>
    /// <exception cref="NanoException">The options are impossible, the run cannot be resumed or written, or another trainer is at work on it.</exception>
    public Trainer(TrainOptions options, TrainingData data, string run, bool resume, Compute compute, double peakGflops, string command,
        TrainingDevice? device = null, bool overwrite = true, ModelStart? start = null)
    {
        if (start is null != (resume || options.From is null))
            throw new ArgumentException("a run starts from a model if its options name one, and a resumed run from its checkpoint");
        (this.data, this.compute, this.run, resumed) = (data, compute, run, resume);
        Options = options.With(Tokenizer);
        Options.Validate();
        RefuseTooLarge(Options);
        train = new BatchLoader(data.Train, Options.Batch, Options.Time, "training", Options.Sampling, Options.Pack ? data.SeparatorForPacking : null);
        validation = new BatchLoader(data.Validation, Options.Batch, Options.Time, "validation");
        if (device is null)
            MemoryPlan.CheckFit(Options, compute.Threads);
        Model = LanguageModel.Create(Options.Model);
        FlopsPerToken = Options.Model.TrainingFlopsPerToken(Options.Time);
        Model.Initialize(Options.Seed);
        if (start is not null)
            Options = Options with { FromSha256 = start.LoadInto(Model) };
        trainStep = device?.NewStep(Model, compute, train, Options) ?? new TrainStep(Model, compute, train, Options);
        average = Options.Stability.AverageDecay > 0 ? new WeightAverage(Model, Options.Stability.AverageDecay) : null;
        shown = average?.Model ?? Model;
        losses = average is null ? trainStep.Losses : new ModelLosses(shown, compute);
        generator = new Generator(shown, compute) { Tokens = Tokenizer.VocabSize };
        patience = new EarlyStopping(Options.Stability.Patience, Options.Stability.MinDelta);
        (string, Tensor)[] learned = [.. trainStep.Optimizer.State, .. average?.State ?? []];
        guard = new SpikeGuard(Options.Stability, trainStep, Model, learned);
        state = new RunState(Options, data.Identity, [.. learned, .. guard.State]);
        turn = TakeTurn(overwrite);
        try
        {
            if (resume)
                Checkpoint.Load(run, Model, state);
            chatTemplate = resume ? Checkpoint.ChatTemplate(run) : start?.ChatTemplate;
            StartStep = state.Step;
            guard.Load(state);
            trainStep.FromHost();
            patience.Load(state.Numbers);
            log = OpenLog();
            history = ReadHistory(new RunEntry(Options.Preset, command, DateTimeOffset.UtcNow, new OrderedDictionary<string, string>(state.Describe()),
                new RunMachine(Machine.CpuName(), compute.Threads, SimdWidths.NameOf(compute.Width), peakGflops, device?.Name), data.Origin, Model.Parameters.Count));
        }
        catch
        {
            log?.Dispose();
            turn.Dispose();
            throw;
        }
    }

    /// <summary>The options of the run.</summary>
    public TrainOptions Options { get; }

    /// <summary>The model that is trained.</summary>
    public LanguageModel Model { get; }

    /// <summary>The tokenizer of its text.</summary>
    public ITokenizer Tokenizer => data.Tokenizer;

    /// <summary>Arithmetic of one training token.</summary>
    public double FlopsPerToken { get; }

    /// <summary>Updates done before this process.</summary>
    public long StartStep { get; }

    /// <summary>Where the report is written.</summary>
    public string ReportPath => Path.Combine(run, "report.html");

    /// <summary>What a person should know of the run's folder, as it was found; empty if all is well.</summary>
    public IReadOnlyList<string> Notes => notes;

    /// <summary>Tokens of (training, validation).</summary>
    public (long Train, long Validation) TokenCounts => (train.TokenCount, validation.TokenCount);

    /// <summary>The loss over the whole validation split before the first step; null unless this process started from a model.</summary>
    public double? ValLossBefore { get; private set; }

    /// <summary>What it learns from.</summary>
    public TrainingData Data => data;

    /// <summary>
    /// Trains until the last step or until asked to stop, which finishes the step at hand and saves.
    /// </summary>
    /// <exception cref="NanoException">A loss or gradient is not finite, or a checkpoint cannot be saved.</exception>
    public IEnumerable<TrainEvent> Run(CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        long step = StartStep, tokens = 0;
        double loss = double.NaN;
        if (!resumed && Options.From is not null)
            yield return EvaluateStart();
        if (!resumed)
            yield return EvaluateAndSave(0);
        foreach (var told in TellKept(step))
            yield return told;
        while (step < Options.Steps && !patience.IsOver && !stop.IsCancellationRequested)
        {
            long start = Stopwatch.GetTimestamp();
            double learningRate = Options.LearningRateAt(step);
            var (result, spike) = guard.FindGradients(step++);
            if (spike is null or { Action: OnSpike.Warn })
                Update(learningRate, result);
            (loss, tokens) = (result.Loss, tokens + Options.TokensPerStep);
            yield return Logged(new StepDone(step, result, learningRate, Stopwatch.GetElapsedTime(start).TotalMilliseconds));
            if (spike is not null)
            {
                long at = step;
                step = spike.Action == OnSpike.Rollback ? guard.Rollback(state, at) : at;
                yield return Logged(new SpikeFound(at, spike, step));
                if (spike.Action == OnSpike.Rollback)
                    continue;
            }
            if (step % Options.EvalInterval == 0 || step == Options.Steps)
                yield return EvaluateAndSave(step);
            foreach (var told in TellKept(step))
                yield return told;
        }
        bool early = patience.IsOver && step < Options.Steps, interrupted = step < Options.Steps && !early;
        string checkpoint = interrupted ? Save(step) : Checkpoint.Folder(run, step);
        foreach (var told in TellKept(step))
            yield return told;
        double validationLoss = interrupted ? double.NaN : EvaluateRows.OnAll(losses, validation);
        Write(new EndEntry((int)step, validationLoss, clock.Elapsed.TotalSeconds, tokens, interrupted ? "interrupted" : early ? "early stop" : "done"));
        Report.Write(ReportPath, history);
        yield return new Finished(step, loss, validationLoss, clock.Elapsed.TotalSeconds, tokens, checkpoint, interrupted, RunVerdict.Of(history)) { StoppedEarly = early };
    }

    private void Update(double learningRate, StepResult gradients)
    {
        trainStep.Update(learningRate, gradients);
        average?.Follow(compute, trainStep.Optimizer.StepCount);
    }

    /// <summary>A piece of text in the model's present voice.</summary>
    public string Sample(int length, ulong seed)
    {
        // Of characters that is the lowest: the line feed, where a text has lines.
        return Tokenizer.Decode([.. generator.Continue(Prompt.Default(Tokenizer), new SamplerOptions { Seed = seed }).Take(length)]);
    }

    /// <summary>Adds where the time went to the log and the report of a run that has ended.</summary>
    public void AddProfile(ProfileEntry profile)
    {
        Write(profile);
        Report.Write(ReportPath, history);
    }

    private Started EvaluateStart()
    {
        var started = new Started(EvaluateRows.OnAll(losses, validation));
        if (!double.IsFinite(started.ValLoss))
            throw trainStep.DivergedAt(0);
        ValLossBefore = started.ValLoss;
        Write(new StartEntry(Options.From!, Options.FromSha256!, started.ValLoss));
        return started;
    }

    private Evaluated EvaluateAndSave(long step)
    {
        trainStep.ToHost();
        double trainLoss = EvaluateRows.OnRandomRows(losses, train, Options.EvalRows, Options.Seed, RandomPurpose.TrainingEvaluation);
        double valLoss = EvaluateRows.OnRandomRows(losses, validation, Options.EvalRows, Options.Seed, RandomPurpose.ValidationEvaluation);
        if (!double.IsFinite(trainLoss + valLoss))
            throw trainStep.DivergedAt(step); // before a checkpoint that is of no use takes the place of a good one
        string sample = Sample(SampleLength, Options.Seed);
        patience.Observe(valLoss);
        Write(new EvalEntry((int)step, trainLoss, valLoss, sample, RunHealth.Of(Model, compute))); // before the checkpoint: what is logged beyond one is dropped on resuming, what is missing stays missing
        bool isBest = state.IsBest(valLoss);
        KeepNumbers(step);
        guard.TakeSnapshot(state);
        string checkpoint = Save(step, isBest);
        if (step > 0 && step < Options.Steps) // the last report is written when the run ends
            Report.Write(ReportPath, history);
        return new Evaluated(step, trainLoss, valLoss, sample, checkpoint, RunVerdict.Of(history));
    }

    private string Save(long step, bool isBest = false)
    {
        trainStep.ToHost();
        new FiniteCheck(Model, compute).Parameters(step);
        KeepNumbers(step);
        return Checkpoint.Save(run, Model, Tokenizer, state, isBest, average?.Model, kept, chatTemplate);
    }

    private FilesKept[] TellKept(long step)
    {
        FilesKept[] told = kept.Count == 0 ? [] : [.. kept.Select(folder => new FilesKept(step, folder))];
        kept.Clear();
        return told;
    }

    private void KeepNumbers(long step)
    {
        state.Step = step;
        patience.Save(state.Numbers);
        guard.Save(state.Numbers);
    }

    private StepDone Logged(StepDone done)
    {
        double tokensPerSecond = Options.TokensPerStep / done.Milliseconds * 1000;
        Write(new StepEntry((int)done.Step, done.Result.Loss, done.LearningRate, done.Result.GradientNorm, done.Milliseconds, tokensPerSecond,
            tokensPerSecond * FlopsPerToken / 1e9, done.Step == 1 || done.Step % GradNormsEvery == 0 ? trainStep.Norm.ByGroup() : null));
        return done;
    }

    private SpikeFound Logged(SpikeFound found)
    {
        Write(new SpikeEntry((int)found.Step, found.Spike.LossScore, found.Spike.NormScore, found.Spike.Action.ToString().ToLowerInvariant(), (int)found.BackTo, found.Spike.Reason));
        return found;
    }

    private void Write(RunLogEntry entry)
    {
        log.Write(entry);
        history.Add(entry);
    }

    private string LogPath => Path.Combine(run, RunSummary.LogName);

    /// <summary>Systems hand out memory that they do not have and kill who touches it; so it is counted before.</summary>
    private static void RefuseTooLarge(TrainOptions options)
    {
        double state = OptimizerKind.Get(options.Optimizer.Name).StateFloats + (options.Stability.AverageDecay > 0 ? 1 : 0);
        double floats = 2 + state + (options.Stability.OnSpike == OnSpike.Rollback ? 1 + state : 0); // weights, gradients, what else a checkpoint keeps; a copy of weights and state
        double bytes = floats * sizeof(float) * options.Model.ParameterShapes().Sum(parameter => (double)parameter.Shape.Length);
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > available)
            throw new NanoException($"the model takes {bytes:N0} bytes to train, and this machine has {available:N0}", "use fewer --layers or --channels");
    }

    /// <summary>Takes the run's lock, and looks again at what is there: another process may have made a run meanwhile.</summary>
    private RunLock TakeTurn(bool overwrite)
    {
        if (resumed)
            Checkpoint.Read(run); // before a folder is made
        var taken = RunLock.Take(run);
        try
        {
            if (!resumed && !overwrite)
                Checkpoint.RefuseRun(run);
            if (!taken.Excludes)
                notes.Add("the run's folder has no file locks: nothing keeps a second trainer out of it");
            if (resumed)
                CheckpointFolders.Clean(run, kept);
            return taken;
        }
        catch (Exception e)
        {
            taken.Dispose();
            throw AtomicFile.IsOfTheDisk(e) ? AtomicFile.Explain(Path.Combine(run, ModelFolder.Latest), e) : e;
        }
    }

    /// <summary>Opens the log; of a new run, puts away what another run has left.</summary>
    private RunLog OpenLog()
    {
        RunLog? opened = null;
        try
        {
            foreach (string file in (string[])[LogPath, ReportPath])
                AtomicFile.RemoveRemains(file);
            if (!resumed)
                RunFiles.PutAwayForeign(LogPath, ReportPath, kept);
            opened = RunLog.Open(LogPath, resumed ? (int)StartStep : null, guard.Rollbacks);
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

    /// <summary>What the log tells so far; a log that does not describe its run begins with a description.</summary>
    private RunHistory ReadHistory(RunEntry description)
    {
        var read = RunFiles.ReadLog(LogPath);
        if (read.Run is null)
        {
            log.Write(description);
            read.Add(description);
        }
        if (log.PutAside > 0)
            notes.Add($"{log.PutAside} {(log.PutAside == 1 ? "line" : "lines")} of '{LogPath}' could not be read; {(log.PutAside == 1 ? "it is" : "they are")} now in '{RunLog.AsideOf(LogPath)}'");
        notes.AddRange(kept.Select(RunFiles.Describe));
        kept.Clear();
        return read;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        log.Dispose();
        turn.Dispose();
        generator.Dispose();
        guard.Dispose();
        average?.Dispose();
        trainStep.Dispose();
        Model.Dispose();
    }
}
