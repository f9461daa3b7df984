namespace Nano.Tests;

/// <summary>Short runs for tests of what is rounded to bfloat16 in a training step.</summary>
static class RoundedTraining
{
    /// <summary>A small GPT-2 with dropout, whose 24 channels do not fill vectors.</summary>
    public static Gpt2Config SmallModel(int contextLength) => new()
    {
        VocabSize = 29,
        ContextLength = contextLength,
        Layers = 2,
        Heads = 3,
        Channels = 24,
        Dropout = 0.1f,
    };

    /// <summary>The bits of the parameters after three steps, and the steps' results.</summary>
    public static (int[] Parameters, StepResult[] Results) Train(TrainOptions options, int threads = 2,
        SimdWidth? width = null)
    {
        using var model = Runs.NewModel(options);
        using var compute = new Compute(threads, width);
        using var step = new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(500, 29), options.Batch, options.Time, "test"), options);
        StepResult[] results = [.. Enumerable.Range(0, 3).Select(i => step.Run(i, 1e-2))];
        Assert.False(compute.RoundsProducts);
        return (Runs.Bits(model), results);
    }

    /// <summary>Trains on one window of text until its loss is next to nothing.</summary>
    public static void LearnByHeart(TrainOptions options)
    {
        using var model = Runs.NewModel(options);
        using var compute = new Compute(1);
        using var step = new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(options.Time + 1, 11), options.Batch, options.Time, "test"), options);
        double last = 0;
        for (int i = 0; i < 150; i++)
            last = step.Run(i, 1e-2).Loss;
        Assert.True(last < 0.02, $"loss {last}");
    }
}
