namespace Nano;

/// <summary>Named recipes: a model, its training options and the vocabulary they are meant for; a run takes the size of its own.</summary>
public static class Presets
{
    private const int ShakespeareCharacters = 65, Llama2Vocabulary = 32000;

    private static readonly Gpt2Config NanoGpt = new()
    {
        VocabSize = ShakespeareCharacters,
        Bias = false,
        Gelu = GeluForm.Erf,
        TiedHead = true,
        LayerNormEpsilon = 1e-5f,
        Layers = 4,
        Heads = 4,
        Channels = 128,
        ContextLength = 64,
    };

    // nanoGPT's README, "I only have a macbook": 2,000 steps on a CPU, validation loss 1.88.
    private static readonly TrainOptions ShakespeareChar = new()
    {
        Preset = "shakespeare-char",
        Model = NanoGpt,
        Batch = 12,
        Time = 64,
        Steps = 2000,
        LearningRate = 1e-3,
        MinLearningRate = 1e-4,
        Optimizer = new(Beta2: 0.99),
    };

    /// <summary>All presets by name.</summary>
    public static IReadOnlyDictionary<string, TrainOptions> All { get; } = new[]
    {
        ShakespeareChar,
        // nanoGPT's config/train_shakespeare_char.py: the 10.65 M parameter model, validation loss 1.47 on a GPU.
        ShakespeareChar with
        {
            Preset = "shakespeare-gpt", Model = NanoGpt with { Layers = 6, Heads = 6, Channels = 384, ContextLength = 256, Dropout = 0.2f }, Batch = 64, Time = 256, Steps = 5000,
        },
        // The recipe of shakespeare-char and, within 1 %, its number of parameters.
        ShakespeareChar with { Preset = "llama-char", Model = NewLlama(ShakespeareCharacters, 4, 4, 128, 344, 64) },
        // llama2.c's TinyStories models and its learning rate, batches for a CPU.
        Pretraining("llama-15m", null, NewLlama(Llama2Vocabulary, 6, 6, 288, 768, 256), 5e-4, 16, 4),
        Pretraining("llama-42m", null, NewLlama(Llama2Vocabulary, 8, 8, 512, 1376, 1024), 5e-4, 4, 8),
        Pretraining("llama-110m", null, NewLlama(Llama2Vocabulary, 12, 12, 768, 2048, 1024), 5e-4, 2, 16),
        // The published sizes, with the learning rates of GPT-3's table for models of these sizes (Brown et al., 2020, table 2.1).
        Pretraining("gpt2-124m", "gpt2", Gpt2Config.Named("gpt2"), 6e-4, 4, 16),
        Pretraining("gpt2-355m", "gpt2", Gpt2Config.Named("gpt2-medium"), 3e-4, 2, 32),
        Pretraining("gpt2-774m", "gpt2", Gpt2Config.Named("gpt2-large"), 2.5e-4, 1, 64),
        Pretraining("gpt2-1558m", "gpt2", Gpt2Config.Named("gpt2-xl"), 2e-4, 1, 64),
    }.ToDictionary(options => options.Preset, StringComparer.Ordinal);

    internal static LlamaConfig NewLlama(int vocabulary, int layers, int heads, int channels, int intermediate, int context) => new()
    {
        VocabSize = vocabulary,
        Layers = layers,
        Heads = heads,
        Channels = channels,
        Intermediate = intermediate,
        ContextLength = context,
        NormEpsilon = 1e-5f,
    };

    private static TrainOptions Pretraining(string name, string? tokenizer, ModelConfig model, double learningRate, int batch, int accumulate) => new()
    {
        Preset = name,
        Model = model,
        DefaultTokenizer = tokenizer,
        Batch = batch,
        Time = model.ContextLength,
        Accumulate = accumulate,
        CheckpointActivations = true,
        Steps = 5000,
        LearningRate = learningRate,
        MinLearningRate = learningRate / 10,
    };

    /// <exception cref="NanoException">No such preset; the message names the nearest.</exception>
    public static TrainOptions Get(string name) => All.TryGetValue(name, out var options) ? options
        : throw new NanoException($"there is no preset '{name}'", NearestMatch.Hint(name, [.. All.Keys], "presets"));
}
