namespace Nano;

/// <summary>Named recipes: a model, its training options and the corpus they are meant for.</summary>
public static class Presets
{
    private static readonly Gpt2Config NanoGpt = new()
    {
        VocabSize = 1,
        Bias = false,
        Gelu = GeluForm.Erf,
        TiedHead = true,
        LayerNormEpsilon = 1e-5f,
        Layers = 4,
        Heads = 4,
        Channels = 128,
        ContextLength = 64,
    };

    /// <summary>The vocabulary of the corpus that the presets are meant for; a run takes that of its own.</summary>
    public const int ShakespeareCharacters = 65;

    /// <summary>All presets by name.</summary>
    public static IReadOnlyDictionary<string, TrainOptions> All { get; } = new[]
    {
        // nanoGPT's README, "I only have a macbook": 2,000 steps on a CPU, validation loss 1.88.
        new TrainOptions
        {
            Preset = "shakespeare-char", Model = NanoGpt, Batch = 12, Time = 64, Steps = 2000, LearningRate = 1e-3, MinLearningRate = 1e-4,
            Optimizer = new(Beta2: 0.99),
        },
        // nanoGPT's config/train_shakespeare_char.py: the 10.65 M parameter model, validation loss 1.47 on a GPU.
        new TrainOptions
        {
            Preset = "shakespeare-gpt", Model = NanoGpt with { Layers = 6, Heads = 6, Channels = 384, ContextLength = 256, Dropout = 0.2f }, Batch = 64, Time = 256,
            Steps = 5000, LearningRate = 1e-3, MinLearningRate = 1e-4, Optimizer = new(Beta2: 0.99), EvalBatches = 20,
        },
    }.ToDictionary(options => options.Preset, StringComparer.Ordinal);

    /// <exception cref="NanoException">No such preset; the message names the nearest.</exception>
    public static TrainOptions Get(string name) => All.TryGetValue(name, out var options) ? options
        : throw new NanoException($"there is no preset '{name}'", NearestMatch.Hint(name, [.. All.Keys], "presets"));
}
