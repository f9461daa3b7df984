using System.Globalization;

namespace Nano;

/// <summary>
/// The default recipe for a user's own text: a tokenizer by the kind of text, then a model and a
/// number of steps by the number of tokens. A function of the text alone, so that the same command
/// gives the same run on every machine.
/// </summary>
public static class AutoRecipe
{
    /// <summary>The name of the recipe.</summary>
    public const string Name = "auto";

    /// <summary>
    /// Texts up to this length (UTF-16 units) with up to this many different characters train
    /// better by character in the same time.
    /// </summary>
    private const int FewCharacters = 512, ShortText = 4_000_000, Vocabulary = 4096, ShortestRow = 4;

    /// <summary>A model, with the training text that it is meant for, in tokens.</summary>
    private sealed record Rung(long BelowTokens, int Layers, int Heads, int Channels, int Intermediate, int Time,
        int Batch, int Steps);

    // Each rung has about as many parameters as tokens at its upper end; the steps pass over a text at that
    // end once or twice, and over shorter ones more often.
    private static readonly Rung[] Rungs =
    [
        new(50_000, 2, 2, 64, 176, 32, 12, 500),
        new(3_000_000, 4, 4, 128, 344, 64, 12, 2000), // llama-char
        new(30_000_000, 6, 6, 192, 512, 128, 16, 5000),
        new(long.MaxValue, 6, 6, 288, 768, 256, 16, 10_000), // llama-15m
    ];

    /// <summary>A tokenizer for a text, null for its characters, and why.</summary>
    /// <exception cref="NanoException">The text has too little that repeats to learn a vocabulary from.</exception>
    public static (ITokenizer? Tokenizer, string Reason) Tokenizer(string text)
    {
        int distinct = text.EnumerateRunes().Distinct().Count();
        if (text.Length <= ShortText && distinct <= FewCharacters)
            return (null, string.Create(CultureInfo.InvariantCulture,
                $"characters as tokens: the text is short ({text.Length:N0}) and has few different ones ({distinct})"));
        return (BpeTrainer.Train([text], Vocabulary),
            string.Create(CultureInfo.InvariantCulture,
                $"a vocabulary of {Vocabulary:N0} learnt from the text: it is long ({text.Length:N0} characters) or "
                + $"has many different ones ({distinct:N0})"));
    }

    /// <summary>A model and steps for tokenized text, and why.</summary>
    public static (TrainOptions Options, string Reason) Options(TrainingData data)
    {
        var rung = Rungs.First(rung => data.Train.Length < rung.BelowTokens);
        int time = RowLength(rung.Time, data);
        var options = new TrainOptions
        {
            Preset = Name,
            Model = new DecoderConfig
            {
                VocabSize = data.Tokenizer.VocabSize,
                Layers = rung.Layers,
                Heads = rung.Heads,
                Channels = rung.Channels,
                Intermediate = rung.Intermediate,
                ContextLength = time,
                NormEpsilon = 1e-5f,
            },
            Batch = rung.Batch,
            Time = time,
            Steps = rung.Steps,
            LearningRate = 1e-3,
            MinLearningRate = 1e-4,
            Optimizer = new(Beta2: 0.99),
        };
        double passes = (double)options.TokensPerStep * options.Steps / data.Train.Length;
        return (options, string.Create(CultureInfo.InvariantCulture,
            $"a Llama of {rung.Layers} layers and {rung.Channels} channels, {rung.Steps:N0} steps: the text has "
            + $"{data.Train.Length:N0} tokens to train on, and is seen {passes:0.#} times"));
    }

    private const int TunedRow = 256, TunedRows = 4, TunedPasses = 3, FewestTunedSteps = 20, MostTunedSteps = 2000,
        TunedWarmup = 20;

    /// <summary>
    /// Options for tuning a model: the text is read three times, within 20 to 2,000 steps of 16
    /// rows, at a tenth of the learning rate with which models of its size are trained from random
    /// weights (nanoGPT tunes GPT-2 at 3e-5), without weight decay, which would pull published
    /// weights to zero.
    /// </summary>
    /// <param name="data">The text.</param>
    /// <param name="model">The model to start from.</param>
    /// <returns>The options, and why they are what they are.</returns>
    public static (TrainOptions Options, string Reason) TuningOptions(TrainingData data, ModelConfig model)
    {
        int time = RowLength(Math.Min(TunedRow, model.ContextLength), data);
        long tokensPerStep = (long)TunedRows * TunedRows * time,
            parameters = model.ParameterShapes().Sum(parameter => parameter.Shape.Length);
        int steps = (int)Math.Clamp(TunedPasses * data.Train.Length / tokensPerStep, FewestTunedSteps, MostTunedSteps);
        double rate = parameters switch { < 10_000_000 => 2e-4, < 100_000_000 => 1e-4, _ => 3e-5 };
        var options = new TrainOptions
        {
            Preset = Name,
            Model = model,
            Batch = TunedRows,
            Accumulate = TunedRows,
            Time = time,
            Steps = steps,
            LearningRate = rate,
            MinLearningRate = rate / 10,
            WarmupSteps = Math.Min(steps / 10, TunedWarmup),
            EvalInterval = Math.Max(1, steps / 5),
            Optimizer = new(WeightDecay: 0),
        };
        double passes = (double)options.TokensPerStep * steps / data.Train.Length;
        return (options, string.Create(CultureInfo.InvariantCulture,
            $"{steps:N0} steps at a learning rate of {rate:0e+0}: the text has {data.Train.Length:N0} tokens to "
            + $"train on, and is seen {passes:0.#} times"));
    }

    /// <summary>A length of row that both splits have room for, at most the one that is wanted.</summary>
    private static int RowLength(int wanted, TrainingData data)
    {
        while (wanted > ShortestRow && wanted >= Math.Min(data.Train.Length, data.Validation.Length))
            wanted /= 2;
        return wanted;
    }
}
