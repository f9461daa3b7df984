using System.Diagnostics;

namespace Nano;

/// <summary>
/// A run: text in, checkpoints, log and report out. <see cref="Run"/> is the training loop, and reads like one.
/// </summary>
public sealed class Trainer : IDisposable
{
    private const int SampleLength = 200;

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
    private readonly RunRecorder recorder;
    private readonly bool resumed;
    private readonly string? chatTemplate; // of the model that the run started from

    /// <summary>
    /// Prepares a run: a fresh model, the model to start from, or the state of the newest checkpoint if resuming.
    /// </summary>
    /// <param name="options">The settings; the vocabulary size is that of the tokenizer.</param>
    /// <param name="data">The text to learn from.</param>
    /// <param name="run">The run's folder.</param>
    /// <param name="resume">Continue from the newest checkpoint there.</param>
    /// <param name="compute">The threads to run on.</param>
    /// <param name="peakGflops">The measured peak of the machine or device, for the log; NaN if unknown.</param>
    /// <param name="command">The command that repeats this run, for the report.</param>
    /// <param name="device">
    /// The device that computes steps and evaluations; null for <paramref name="compute"/>, which draws the
    /// samples in any case.
    /// </param>
    /// <param name="overwrite">Whether a new run may take the place of one that is there.</param>
    /// <param name="start">
    /// The model to start from, which the caller closes; null for random weights, and when resuming.
    /// </param>
    /// <exception cref="NanoException">
    /// The options are impossible, the run cannot be resumed or written, or another trainer is at work on it.
    /// </exception>
    public Trainer(TrainOptions options, TrainingData data, string run, bool resume, Compute compute, double peakGflops,
        string command, TrainingDevice? device = null, bool overwrite = true, ModelStart? start = null)
    {
        if (start is null != (resume || options.From is null))
            throw new ArgumentException(
                "a run starts from a model if its options name one, and a resumed run from its checkpoint");
        (this.data, this.compute, this.run, resumed) = (data, compute, run, resume);
        Options = options.With(Tokenizer);
        Options.Validate();
        MemoryPlan.RefuseTooLarge(Options);
        train = new BatchLoader(data.Train, Options.Batch, Options.Time, "training", Options.Sampling,
            Options.Pack ? data.SeparatorForPacking : null);
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
        recorder = new RunRecorder(run, resume, overwrite);
        try
        {
            if (resume)
                Checkpoint.Load(run, Model, state);
            chatTemplate = resume ? Checkpoint.ChatTemplate(run) : start?.ChatTemplate;
            StartStep = state.Step;
            guard.Load(state);
            trainStep.FromHost();
            patience.Load(state.Numbers);
            var machine = new RunMachine(
                Machine.CpuName(), compute.Threads, SimdWidths.NameOf(compute.Width), peakGflops, device?.Name);
            recorder.Open(StartStep, guard.Rollbacks, new RunEntry(Options.Preset, command, DateTimeOffset.UtcNow,
                new OrderedDictionary<string, string>(state.Describe()), machine, data.Origin, Model.Parameters.Count));
        }
        catch
        {
            recorder.Dispose();
            throw;
        }
    }

    /// <summary>The settings.</summary>
    public TrainOptions Options { get; }

    /// <summary>The model that is trained.</summary>
    public LanguageModel Model { get; }

    /// <summary>The tokenizer of the text.</summary>
    public ITokenizer Tokenizer => data.Tokenizer;

    /// <summary>Arithmetic of one training token.</summary>
    public double FlopsPerToken { get; }

    /// <summary>Updates done before this process.</summary>
    public long StartStep { get; }

    /// <summary>The place of the report.</summary>
    public string ReportPath => recorder.ReportPath;

    /// <summary>Sentences about the run's folder as it was found; empty if all is well.</summary>
    public IReadOnlyList<string> Notes => recorder.Notes;

    /// <summary>Tokens of (training, validation).</summary>
    public (long Train, long Validation) TokenCounts => (train.TokenCount, validation.TokenCount);

    /// <summary>
    /// The loss over the whole validation split before the first step; null unless this process started from a
    /// model.
    /// </summary>
    public double? ValLossBefore { get; private set; }

    /// <summary>The text to learn from.</summary>
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
        foreach (var told in recorder.TellKept(step))
            yield return told;
        while (step < Options.Steps && !patience.IsOver && !stop.IsCancellationRequested)
        {
            long start = Stopwatch.GetTimestamp();
            double learningRate = Options.LearningRateAt(step);
            var result = FindGradients(step++);
            var spike = guard.Judge(step, result);
            if (spike is null or { Action: OnSpike.Warn })
                Update(learningRate, result);
            (loss, tokens) = (result.Loss, tokens + Options.TokensPerStep);
            var done = new StepDone(step, result, learningRate, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            yield return recorder.Write(done, Options, FlopsPerToken, trainStep.Norm);
            if (spike is not null)
            {
                long at = step;
                step = spike.Action == OnSpike.Rollback ? guard.Rollback(state, at) : at;
                yield return recorder.Write(new SpikeFound(at, spike, step));
                if (spike.Action == OnSpike.Rollback)
                    continue;
            }
            if (step % Options.EvalInterval == 0 || step == Options.Steps)
                yield return EvaluateAndSave(step);
            foreach (var told in recorder.TellKept(step))
                yield return told;
        }
        bool early = patience.IsOver && step < Options.Steps, interrupted = step < Options.Steps && !early;
        string checkpoint = interrupted ? Save(step) : Checkpoint.Folder(run, step);
        foreach (var told in recorder.TellKept(step))
            yield return told;
        double validationLoss = interrupted ? double.NaN : EvaluateRows.OnAll(losses, validation);
        string end = interrupted ? "interrupted" : early ? "early stop" : "done";
        recorder.Write(new EndEntry((int)step, validationLoss, clock.Elapsed.TotalSeconds, tokens, end));
        recorder.WriteReport();
        yield return new Finished(step, loss, validationLoss, clock.Elapsed.TotalSeconds, tokens, checkpoint,
            interrupted, recorder.Verdict)
        {
            StoppedEarly = early,
        };
    }

    /// <summary>The gradients of a step; numbers that are not finite are a result where the guard mends them.</summary>
    private StepResult FindGradients(long step)
    {
        try
        {
            return trainStep.FindGradients(step);
        }
        catch (DivergedException e) when (guard.Mends)
        {
            return new StepResult(double.NaN, double.NaN) { Diverged = e.Message };
        }
    }

    private void Update(double learningRate, StepResult gradients)
    {
        trainStep.Update(learningRate, gradients);
        average?.Follow(compute, trainStep.Optimizer.StepCount);
    }

    /// <summary>Text that the model continues from the default prompt; of characters that is the line feed.</summary>
    public string Sample(int length, ulong seed)
    {
        var tokens = generator.Continue(Prompt.Default(Tokenizer), new SamplerOptions { Seed = seed });
        return Tokenizer.Decode([.. tokens.Take(length)]);
    }

    /// <summary>Adds the time of each op to the log and the report of a run that has ended.</summary>
    public void AddProfile(ProfileEntry profile)
    {
        recorder.Write(profile);
        recorder.WriteReport();
    }

    private Started EvaluateStart()
    {
        var started = new Started(EvaluateRows.OnAll(losses, validation));
        if (!double.IsFinite(started.ValLoss))
            throw trainStep.DivergedAt(0);
        ValLossBefore = started.ValLoss;
        recorder.Write(new StartEntry(Options.From!, Options.FromSha256!, started.ValLoss));
        return started;
    }

    private Evaluated EvaluateAndSave(long step)
    {
        trainStep.ToHost();
        var (rows, seed) = (Options.EvalRows, Options.Seed);
        double trainLoss = EvaluateRows.OnRandomRows(losses, train, rows, seed, RandomPurpose.TrainingEvaluation);
        double valLoss = EvaluateRows.OnRandomRows(losses, validation, rows, seed, RandomPurpose.ValidationEvaluation);
        if (!double.IsFinite(trainLoss + valLoss))
            throw trainStep.DivergedAt(step); // before a useless checkpoint takes the place of a good one
        string sample = Sample(SampleLength, Options.Seed);
        patience.Observe(valLoss);
        // Before the checkpoint: entries beyond one are dropped on resuming, and missing ones stay missing.
        recorder.Write(new EvalEntry((int)step, trainLoss, valLoss, sample, RunHealth.Of(Model, compute)));
        bool isBest = state.IsBest(valLoss);
        KeepNumbers(step);
        guard.CaptureSnapshot(state);
        string checkpoint = Save(step, isBest);
        if (step > 0 && step < Options.Steps) // the last report is written when the run ends
            recorder.WriteReport();
        return new Evaluated(step, trainLoss, valLoss, sample, checkpoint, recorder.Verdict);
    }

    private string Save(long step, bool isBest = false)
    {
        trainStep.ToHost();
        new FiniteCheck(Model, compute).Parameters(step);
        KeepNumbers(step);
        return Checkpoint.Save(run, Model, Tokenizer, state, isBest, average?.Model, recorder.Kept, chatTemplate);
    }

    private void KeepNumbers(long step)
    {
        state.Step = step;
        patience.Save(state.Numbers);
        guard.Save(state.Numbers);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        recorder.Dispose();
        generator.Dispose();
        guard.Dispose();
        average?.Dispose();
        trainStep.Dispose();
        Model.Dispose();
    }
}
