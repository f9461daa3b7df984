namespace Nano;

/// <summary>
/// A named model with random weights and random text, ready for training steps: what the train-step
/// benchmark measures.
/// </summary>
internal sealed class TrainStepSetup : IDisposable
{
    private const double LearningRate = 1e-4;

    /// <param name="compute">The context to run in.</param>
    /// <param name="name">The model's.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="time">Tokens of each.</param>
    /// <param name="precision">Of its products.</param>
    /// <param name="step">The training step; null for Nano's own.</param>
    /// <exception cref="NanoException">No such model or preset, or sizes that do not fit it.</exception>
    public TrainStepSetup(Compute compute, string name, int batch, int time,
        Precision precision = Precision.Float32, Func<TrainStepSetup, Compute, ITrainStep>? step = null)
    {
        var config = Config(name);
        Options = new TrainOptions
        {
            Preset = name,
            Model = config,
            Batch = batch,
            Time = time,
            Steps = 1000,
            LearningRate = LearningRate,
            MinLearningRate = 1e-5,
            Precision = precision,
        };
        Options.Validate();
        Model = LanguageModel.Create(config);
        Model.Initialize(1);
        var tokens = new int[(batch * time * 4) + 1];
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = (int)Philox.Below(7, 0, (ulong)i, config.VocabSize);
        Loader = new BatchLoader(tokens, batch, time, "benchmark");
        Step = step is null ? new TrainStep(Model, compute, Loader, Options) : step(this, compute);
    }

    public LanguageModel Model { get; }

    public BatchLoader Loader { get; }

    public TrainOptions Options { get; }

    public ITrainStep Step { get; }

    /// <summary>A whole step, its number counted from 0.</summary>
    public StepResult Run(long number)
    {
        var result = Step.FindGradients(number);
        Step.Update(LearningRate, result);
        return result;
    }

    /// <summary>A published size of GPT-2, or a preset's model.</summary>
    public static ModelConfig Config(string name) =>
        Presets.All.TryGetValue(name, out var preset) ? preset.Model : Gpt2Config.Named(name);

    public void Dispose()
    {
        Step.Dispose();
        Model.Dispose();
    }
}
