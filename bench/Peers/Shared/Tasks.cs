namespace Nano.Peers;

/// <summary>A training step that Nano and a peer make from equal weights and equal batches.</summary>
/// <param name="Config">The model.</param>
/// <param name="Batch">Rows.</param>
/// <param name="Time">Tokens of each.</param>
internal sealed record TrainingTask(Gpt2Config Config, int Batch, int Time)
{
    private const ulong WeightSeed = 1, TokenSeed = 7;

    /// <summary>The task of a model's name, a published GPT-2 or a recipe of Nano.</summary>
    public static TrainingTask Of(string name, int batch, int time) => new(
        Presets.All.TryGetValue(name, out var preset) ? (Gpt2Config)preset.Model : Gpt2Config.Named(name), batch, time);

    /// <summary>Batch, clipping, and the rule of both contenders: AdamW with its usual constants.</summary>
    public TrainOptions Options => new()
    {
        Preset = "peers",
        Model = Config,
        Batch = Batch,
        Time = Time,
        Steps = 1000,
        LearningRate = 1e-4,
        MinLearningRate = 1e-5,
    };

    /// <summary>The model with its initial weights.</summary>
    public LanguageModel NewModel()
    {
        var model = LanguageModel.Create(Config);
        model.Initialize(WeightSeed);
        return model;
    }

    /// <summary>Random tokens, and the batches that the steps draw from them.</summary>
    public BatchLoader NewLoader()
    {
        int[] tokens = [.. Enumerable.Range(0, (Batch * Time * 4) + 1)
            .Select(i => (int)Philox.Below(TokenSeed, 0, (ulong)i, Config.VocabSize))];
        return new BatchLoader(tokens, Batch, Time, "benchmark");
    }
}

/// <summary>A matrix product of a linear layer: forward, or the gradient of its input or weight.</summary>
internal static class ProductTask
{
    private const int Shown = 64;

    /// <summary>The case of Nano's benchmarks, which has the operands.</summary>
    public static BenchCase Of(string product, int m, int n, int k) =>
        BenchCases.Gemm("gpt2", new GemmSizes(Enum.Parse<GemmProduct>(product), m, n, k));

    /// <summary>Elements spread over a result.</summary>
    public static double[] Sample(ReadOnlySpan<float> result)
    {
        double[] shown = new double[Shown];
        for (int i = 0; i < Shown; i++)
            shown[i] = result[(int)((long)i * (result.Length - 1) / (Shown - 1))];
        return shown;
    }
}
