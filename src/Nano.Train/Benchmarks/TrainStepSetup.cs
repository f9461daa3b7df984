namespace Nano;

/// <summary>A named model with random weights and random text, ready for training steps: what the train-step benchmark measures.</summary>
internal sealed class TrainStepSetup : IDisposable
{
    private readonly LanguageModel model;

    /// <exception cref="NanoException">No such model or preset, or sizes that do not fit it.</exception>
    public TrainStepSetup(Compute compute, string name, int batch, int time)
    {
        var config = Config(name);
        var options = new TrainOptions { Preset = name, Model = config, Batch = batch, Time = time, Steps = 1000, LearningRate = 1e-4, MinLearningRate = 1e-5 };
        options.Validate();
        model = LanguageModel.Create(config);
        model.Initialize(1);
        var tokens = new int[(batch * time * 4) + 1];
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = (int)Philox.Below(7, 0, (ulong)i, config.VocabSize);
        Step = new TrainStep(model, compute, new BatchLoader(tokens, batch, time, "benchmark"), options);
    }

    public TrainStep Step { get; }

    /// <summary>A published size of GPT-2, or a preset's model.</summary>
    public static ModelConfig Config(string name) => Presets.All.TryGetValue(name, out var preset) ? preset.Model : Gpt2Config.Named(name);

    public void Dispose()
    {
        Step.Dispose();
        model.Dispose();
    }
}
