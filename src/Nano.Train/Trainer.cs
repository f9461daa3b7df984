using System.Diagnostics;

namespace Nano;

/// <summary>What a run reports while it goes.</summary>
public abstract record TrainEvent(long Step);

/// <summary>One update is done. Step counts from 1.</summary>
public sealed record StepDone(long Step, StepResult Result, double LearningRate, double Milliseconds) : TrainEvent(Step);

/// <summary>A step stood out. BackTo is where a rollback returned to, otherwise the step.</summary>
public sealed record SpikeFound(long Step, Spike Spike, long BackTo) : TrainEvent(Step);

/// <summary>The model was evaluated on random batches of both splits, a sample was drawn and a checkpoint saved.</summary>
public sealed record Evaluated(long Step, double TrainLoss, double ValLoss, string Sample, string Checkpoint, RunVerdict Verdict) : TrainEvent(Step);

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
    private readonly RunLog log;
    private readonly bool resumed;

    /// <summary>Prepares a run: a fresh model, or the state of the newest checkpoint if resuming.</summary>
    /// <param name="options">What to compute; the vocabulary size is taken from the tokenizer.</param>
    /// <param name="data">What to learn from.</param>
    /// <param name="run">The run's folder.</param>
    /// <param name="resume">Continue from the newest checkpoint there.</param>
    /// <param name="compute">Where to run.</param>
    /// <param name="peakGflops">The measured ceiling of what takes the steps, for the log; NaN if it is not known.</param>
    /// <param name="command">The command that repeats this run, for the report.</param>
    /// <param name="device">What takes the steps and evaluates; null for <paramref name="compute"/>, which draws the samples in any case.</param>
    public Trainer(TrainOptions options, TrainingData data, string run, bool resume, Compute compute, double peakGflops, string command, TrainingDevice? device = null)
    {
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
        trainStep = device?.NewStep(Model, compute, train, Options) ?? new TrainStep(Model, compute, train, Options);
        average = Options.Stability.AverageDecay > 0 ? new WeightAverage(Model, Options.Stability.AverageDecay) : null;
        shown = average?.Model ?? Model;
        losses = average is null ? trainStep.Losses : new ModelLosses(shown, compute);
        generator = new Generator(shown, compute);
        patience = new EarlyStopping(Options.Stability.Patience, Options.Stability.MinDelta);
        (string, Tensor)[] learned = [.. trainStep.Optimizer.State, .. average?.State ?? []];
        guard = new SpikeGuard(Options.Stability, trainStep, Model, learned);
        state = new RunState(Options, data.Identity, [.. learned, .. guard.State]);
        if (resume)
            Checkpoint.Load(run, Model, state);
        StartStep = state.Step;
        guard.Load(state);
        trainStep.FromHost();
        patience.Load(state.Numbers);
        log = OpenLog(resume, peakGflops, command, device?.Name);
    }

    public TrainOptions Options { get; }

    public LanguageModel Model { get; }

    public ITokenizer Tokenizer => data.Tokenizer;

    /// <summary>Arithmetic of one training token.</summary>
    public double FlopsPerToken { get; }

    /// <summary>Updates done before this process.</summary>
    public long StartStep { get; }

    /// <summary>Where the report is written.</summary>
    public string ReportPath => Path.Combine(run, "report.html");

    /// <summary>Tokens of (training, validation).</summary>
    public (long Train, long Validation) TokenCounts => (train.TokenCount, validation.TokenCount);

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
        if (!resumed)
            yield return EvaluateAndSave(0);
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
        }
        bool early = patience.IsOver && step < Options.Steps, interrupted = step < Options.Steps && !early;
        string checkpoint = interrupted ? Save(step) : Checkpoint.Folder(run, step);
        double validationLoss = interrupted ? double.NaN : Evaluate.OnAll(losses, validation);
        log.Write(new EndEntry((int)step, validationLoss, clock.Elapsed.TotalSeconds, tokens, interrupted ? "interrupted" : early ? "early stop" : "done"));
        var entries = RunLog.Read(LogPath);
        Report.Write(ReportPath, entries);
        yield return new Finished(step, loss, validationLoss, clock.Elapsed.TotalSeconds, tokens, checkpoint, interrupted, RunVerdict.Of(entries)) { StoppedEarly = early };
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
        log.Write(profile);
        Report.Write(ReportPath, RunLog.Read(LogPath));
    }

    private Evaluated EvaluateAndSave(long step)
    {
        trainStep.ToHost();
        double trainLoss = Evaluate.OnRandomRows(losses, train, Options.EvalRows, Options.Seed, RandomPurpose.TrainingEvaluation);
        double valLoss = Evaluate.OnRandomRows(losses, validation, Options.EvalRows, Options.Seed, RandomPurpose.ValidationEvaluation);
        if (!double.IsFinite(trainLoss + valLoss))
            throw trainStep.DivergedAt(step); // before a checkpoint that is of no use takes the place of a good one
        string sample = Sample(SampleLength, Options.Seed);
        patience.Observe(valLoss);
        log.Write(new EvalEntry((int)step, trainLoss, valLoss, sample, RunHealth.Of(Model, compute))); // before the checkpoint: what is logged beyond one is dropped on resuming, what is missing stays missing
        bool isBest = state.IsBest(valLoss);
        KeepNumbers(step);
        guard.TakeSnapshot(state);
        string checkpoint = Save(step, isBest);
        var entries = RunLog.Read(LogPath);
        if (step > 0 && step < Options.Steps) // the last report is written when the run ends
            Report.Write(ReportPath, entries);
        return new Evaluated(step, trainLoss, valLoss, sample, checkpoint, RunVerdict.Of(entries));
    }

    private string Save(long step, bool isBest = false)
    {
        trainStep.ToHost();
        new FiniteCheck(Model, compute).Parameters(step);
        KeepNumbers(step);
        return Checkpoint.Save(run, Model, Tokenizer, state, isBest, average?.Model);
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
        log.Write(new StepEntry((int)done.Step, done.Result.Loss, done.LearningRate, done.Result.GradientNorm, done.Milliseconds, tokensPerSecond,
            tokensPerSecond * FlopsPerToken / 1e9, done.Step == 1 || done.Step % GradNormsEvery == 0 ? trainStep.Norm.ByGroup() : null));
        return done;
    }

    private SpikeFound Logged(SpikeFound found)
    {
        log.Write(new SpikeEntry((int)found.Step, found.Spike.LossScore, found.Spike.NormScore, found.Spike.Action.ToString().ToLowerInvariant(), (int)found.BackTo, found.Spike.Reason));
        return found;
    }

    private string LogPath => Path.Combine(run, "log.jsonl");

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

    private RunLog OpenLog(bool resume, double peakGflops, string command, string? device)
    {
        Directory.CreateDirectory(run);
        if (!resume)
            Checkpoint.DeleteAll(run);
        foreach (string file in (string[])[LogPath, ReportPath])
            AtomicFile.RemoveRemains(file);
        var opened = RunLog.Open(LogPath, resume ? (int)StartStep : null, guard.Rollbacks);
        if (!resume)
            opened.Write(new RunEntry(Options.Preset, command, DateTimeOffset.UtcNow, new OrderedDictionary<string, string>(state.Describe()),
                new RunMachine(Machine.CpuName(), compute.Threads, compute.Width.ToString(), peakGflops, device), data.Origin, Model.Parameters.Count));
        return opened;
    }

    public void Dispose()
    {
        log.Dispose();
        generator.Dispose();
        guard.Dispose();
        average?.Dispose();
        trainStep.Dispose();
        Model.Dispose();
    }
}
