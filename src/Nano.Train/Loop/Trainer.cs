using System.Diagnostics;

namespace Nano;

/// <summary>
/// A run: text in, checkpoints, log and report out. <see cref="Run"/> is the training loop, and reads like one.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly TrainingData data;
    private readonly string run;
    private readonly bool resumed;
    private readonly BatchLoader train, validation;
    private readonly RunInMemory trained;
    private readonly RunEvaluation evaluation;
    private readonly RunRecorder recorder;

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
        (this.data, this.run, resumed) = (data, run, resume);
        Options = options.With(Tokenizer);
        Options.Validate();
        MemoryPlan.RefuseTooLarge(Options);
        train = new BatchLoader(data.Train, Options.Batch, Options.Time, "training", Options.Sampling,
            Options.Pack ? data.SeparatorForPacking : null);
        validation = new BatchLoader(data.Validation, Options.Batch, Options.Time, "validation");
        if (device is null)
            MemoryPlan.CheckFit(Options, compute.Threads);
        var model = LanguageModel.Create(Options.Model);
        FlopsPerToken = Options.Model.TrainingFlopsPerToken(Options.Time);
        model.Initialize(Options.Seed);
        if (start is not null)
            Options = Options with { FromSha256 = start.LoadInto(model) };
        var step = device?.NewStep(model, compute, train, Options) ?? new TrainStep(model, compute, train, Options);
        trained = new RunInMemory(Options, data, model, step, compute) { ChatTemplate = start?.ChatTemplate };
        evaluation = new RunEvaluation(Options, trained, train, validation, Tokenizer, compute);
        recorder = new RunRecorder(run, resume, overwrite);
        try
        {
            trained.Load(resume ? run : null);
            StartStep = trained.StepsDone;
            recorder.Open(StartStep, trained.Guard.Rollbacks, new RunEntry(Options.Preset, command,
                DateTimeOffset.UtcNow, trained.Describe(), new RunMachine(Machine.CpuName(), compute.Threads,
                    SimdWidths.NameOf(compute.Width), peakGflops, device?.Name), data.Origin, model.Parameters.Count));
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
    public LanguageModel Model => trained.Model;

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
        while (step < Options.Steps && !trained.Patience.IsOver && !stop.IsCancellationRequested)
        {
            long start = Stopwatch.GetTimestamp();
            double learningRate = Options.LearningRateAt(step);
            var result = trained.FindGradients(step++);
            var spike = trained.Guard.Judge(step, result);
            if (spike is null or { Action: OnSpike.Warn })
                trained.Update(learningRate, result);
            (loss, tokens) = (result.Loss, tokens + Options.TokensPerStep);
            var done = new StepDone(step, result, learningRate, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            yield return recorder.Write(done, Options, FlopsPerToken, trained.Step);
            if (spike is not null)
            {
                long at = step;
                step = spike.Action == OnSpike.Rollback ? trained.Rollback(at) : at;
                yield return recorder.Write(new SpikeFound(at, spike, step));
                if (spike.Action == OnSpike.Rollback)
                    continue;
            }
            if (step % Options.EvalInterval == 0 || step == Options.Steps)
                yield return EvaluateAndSave(step);
            foreach (var told in recorder.TellKept(step))
                yield return told;
        }
        bool early = trained.Patience.IsOver && step < Options.Steps, interrupted = step < Options.Steps && !early;
        string checkpoint = interrupted ? trained.Save(run, step, recorder.Kept) : Checkpoint.Folder(run, step);
        foreach (var told in recorder.TellKept(step))
            yield return told;
        double validationLoss = interrupted ? double.NaN : evaluation.OnAllOfValidation();
        string end = interrupted ? "interrupted" : early ? "early stop" : "done";
        recorder.Write(new EndEntry((int)step, validationLoss, clock.Elapsed.TotalSeconds, tokens, end));
        recorder.WriteReport();
        yield return new Finished(step, loss, validationLoss, clock.Elapsed.TotalSeconds, tokens, checkpoint,
            interrupted, recorder.Verdict)
        {
            StoppedEarly = early,
        };
    }

    /// <summary>Text that the model continues from the default prompt; of characters that is the line feed.</summary>
    public string Sample(int length, ulong seed) => evaluation.Sample(length, seed);

    /// <summary>Adds the time of each op to the log and the report of a run that has ended.</summary>
    public void AddProfile(ProfileEntry profile)
    {
        recorder.Write(profile);
        recorder.WriteReport();
    }

    private Started EvaluateStart()
    {
        var entry = evaluation.OfStart();
        ValLossBefore = entry.ValLoss;
        recorder.Write(entry);
        return new Started(entry.ValLoss);
    }

    private Evaluated EvaluateAndSave(long step)
    {
        var entry = evaluation.After(step);
        trained.Patience.Observe(entry.ValLoss);
        // Before the checkpoint: entries beyond one are dropped on resuming, and missing ones stay missing.
        recorder.Write(entry);
        string checkpoint = trained.SaveEvaluated(run, step, recorder.Kept, entry.ValLoss);
        if (step > 0 && step < Options.Steps) // the last report is written when the run ends
            recorder.WriteReport();
        return new Evaluated(step, entry.TrainLoss, entry.ValLoss, entry.Sample, checkpoint, recorder.Verdict);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        recorder.Dispose();
        evaluation.Dispose();
        trained.Dispose();
    }
}
