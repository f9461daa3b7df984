namespace Nano;

/// <summary>
/// A run in memory: its model, step, average, safeguards and state, loaded from a checkpoint and saved as one.
/// </summary>
internal sealed class RunInMemory : IDisposable
{
    private readonly Compute compute;
    private readonly ITokenizer tokenizer;
    private readonly RunState state;
    private readonly WeightAverage? average;
    private readonly RoundedWeights? roundedAverage;

    /// <summary>Takes over the model and its step, which it disposes.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="data">The text to learn from.</param>
    /// <param name="model">The model with the weights that it starts from.</param>
    /// <param name="step">The step that trains it.</param>
    /// <param name="compute">The threads to run on.</param>
    public RunInMemory(TrainOptions options, TrainingData data, LanguageModel model, ITrainStep step, Compute compute)
    {
        (Model, Step, tokenizer, this.compute) = (model, step, data.Tokenizer, compute);
        var stability = options.Stability;
        average = stability.AverageDecay > 0 ? new WeightAverage(model, stability.AverageDecay) : null;
        roundedAverage = average is null || options.FakeQuant == WeightType.F32 ? null
            : new RoundedWeights(average.Model, options.FakeQuant);
        Patience = new EarlyStopping(stability.Patience, stability.MinDelta);
        (string, Tensor)[] learned = [.. step.Optimizer.State, .. average?.State ?? []];
        Guard = new SpikeGuard(stability, step, model, learned);
        state = new RunState(options, data.Identity, [.. learned, .. Guard.State]);
    }

    /// <summary>The model that is trained.</summary>
    public LanguageModel Model { get; }

    /// <summary>The step that trains it.</summary>
    public ITrainStep Step { get; }

    /// <summary>The guard between gradients and updates.</summary>
    public SpikeGuard Guard { get; }

    /// <summary>The end of a run that no longer improves.</summary>
    public EarlyStopping Patience { get; }

    /// <summary>The model that is evaluated and sampled from: the averaged one, if there is one.</summary>
    public LanguageModel Shown => average?.Model ?? Model;

    /// <summary>Updates done when the run was last loaded or saved.</summary>
    public long StepsDone => state.Step;

    /// <summary>The chat template of the model that the run started from; null if it has none.</summary>
    public string? ChatTemplate { get; set; }

    /// <summary>The values that decide the run's results, by name.</summary>
    public OrderedDictionary<string, string> Describe() => new(state.Describe());

    /// <summary>The losses of <see cref="Shown"/>.</summary>
    public ITokenLosses NewLosses() => average is null ? Step.Losses
        : roundedAverage is null ? new ModelLosses(Shown, compute) : new RoundedLosses(Shown, compute, roundedAverage);

    /// <summary>Begins at the newest checkpoint, or at the first step.</summary>
    /// <param name="run">The folder with the checkpoints; null for the first step.</param>
    public void Load(string? run)
    {
        if (run is not null)
        {
            Checkpoint.Load(run, Model, state);
            ChatTemplate = Checkpoint.ChatTemplate(run);
        }
        Guard.Load(state);
        Step.FromHost();
        Patience.Load(state.Numbers);
    }

    /// <summary>The gradients of a step; numbers that are not finite are a result where the guard mends them.</summary>
    public StepResult FindGradients(long step)
    {
        try
        {
            return Step.FindGradients(step);
        }
        catch (DivergedException e) when (Guard.Mends)
        {
            return new StepResult(double.NaN, double.NaN) { Diverged = e.Message };
        }
    }

    /// <summary>Moves the weights along the gradients just found, and their average after them.</summary>
    public void Update(double learningRate, StepResult gradients)
    {
        Step.Update(learningRate, gradients);
        average?.Follow(compute, Step.Optimizer.StepCount);
    }

    /// <summary>
    /// Returns to the last evaluation and skips the batches since; the result is the step to continue with.
    /// </summary>
    public long Rollback(long step) => Guard.Rollback(state, step);

    /// <summary>Saves a checkpoint; the result is its folder.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="step">Steps done.</param>
    /// <param name="kept">Receives the names of folders that hold files of others.</param>
    /// <param name="isBest">Whether it is the best so far.</param>
    public string Save(string run, long step, ICollection<string> kept, bool isBest = false)
    {
        Step.ToHost();
        new FiniteCheck(Model, compute).Parameters(step);
        SaveNumbers(step);
        return Checkpoint.Save(run, Model, tokenizer, state, isBest, average?.Model, kept, ChatTemplate);
    }

    /// <summary>Saves a checkpoint after an evaluation, to which rollbacks return; the result is its folder.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="step">Steps done.</param>
    /// <param name="kept">Receives the names of folders that hold files of others.</param>
    /// <param name="valLoss">The loss of the evaluation on validation text.</param>
    public string SaveEvaluated(string run, long step, ICollection<string> kept, double valLoss)
    {
        bool isBest = state.IsBest(valLoss);
        SaveNumbers(step);
        Guard.CaptureSnapshot(state);
        return Save(run, step, kept, isBest);
    }

    private void SaveNumbers(long step)
    {
        state.Step = step;
        Patience.Save(state.Numbers);
        Guard.Save(state.Numbers);
    }

    public void Dispose()
    {
        Guard.Dispose();
        average?.Dispose();
        roundedAverage?.Dispose();
        Step.Dispose();
        Model.Dispose();
    }
}
