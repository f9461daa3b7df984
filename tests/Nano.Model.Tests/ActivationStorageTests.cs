namespace Nano.Tests;

/// <summary>
/// Models whose blocks keep what the backward pass needs as bfloat16: the losses of float32,
/// gradients close to it, the same bits everywhere.
/// </summary>
public class ActivationStorageTests
{
    private const int B = 2, T = 30, V = 23;

    private static readonly Gpt2Config Gpt2 = new()
    {
        VocabSize = V,
        ContextLength = 30,
        Layers = 3,
        Heads = 2,
        Channels = 16,
        Dropout = 0.2f
    };
    private static readonly DecoderConfig Llama = new()
    {
        VocabSize = V,
        ContextLength = 30,
        Layers = 3,
        Heads = 4,
        KvHeads = 2,
        Channels = 24,
        Intermediate = 40,
        Dropout = 0.2f
    };

    private static readonly Dictionary<string, ModelConfig> Variants = new()
    {
        ["GPT-2"] = Gpt2,
        ["GPT-2, a head of its own"] = Gpt2 with { TiedHead = false, Bias = false },
        ["Llama"] = Llama,
        ["Mistral"] = Llama with { Window = 7, HeadDim = 10, TiedHead = false },
        ["Qwen3"] = Llama with { QkNorm = true, QkvBias = true, HeadDim = 16, Pairing = RopePairing.Interleaved },
    };

    public static TheoryData<string> Names => [.. Variants.Keys];

    private sealed record Result(int[] Nll, float[][] Gradients, long Peak);

    /// <summary>Two micro-batches, the second of packed documents.</summary>
    private static Result Run(ModelConfig config, SimdWidth width, int threads, Keep keep)
    {
        using var model = LanguageModel.Create(config);
        model.Initialize(4);
        using var compute = new Compute(threads, width) { Tape = new Tape() };
        model.Parameters.EnableGradients();
        var nlls = new List<int>();
        for (int micro = 0; micro < 2; micro++)
        {
            compute.NextStep();
            Tensor ids = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, V, micro)),
                targets = Tensor.FromIds(new Shape(B, T), Models.RandomIds(B * T, V, 5 + micro));
            var (loss, nll) = model.Loss(compute, ids, targets, 100, new()
            {
                Masks = new Dropout(config.Dropout, 1, (ulong)micro),
                Segments = micro == 0 ? null : new Segments(compute, 20, 25, 15),
                Keep = keep,
            });
            nlls.AddRange(Models.Bits(nll.Data));
            compute.Tape.Backward(compute, loss);
        }
        return new Result([.. nlls], [.. model.Parameters.All.Select(parameter => parameter.Gradient.Data.ToArray())],
            compute.StepArena.PeakBytes);
    }

    [Theory, MemberData(nameof(Names))]
    public void Losses_are_those_of_float32_and_gradients_close_and_the_same_everywhere(string name)
    {
        var plain = Run(Variants[name], SimdWidths.Best(), 1, Keep.All);
        int[]? expected = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
            {
                var stored = Run(Variants[name], width, threads, Keep.BFloat16);
                Assert.Equal(plain.Nll, stored.Nll);
                int[] bits = [.. stored.Gradients.SelectMany(gradient => Models.Bits(gradient))];
                expected ??= bits;
                Assert.True(expected.AsSpan().SequenceEqual(bits), $"{width}, {threads} threads");
                double norm = Math.Sqrt(plain.Gradients.Sum(gradient => gradient.Sum(value => (double)value * value)));
                double off = Math.Sqrt(plain.Gradients.Zip(stored.Gradients)
                    .Sum(pair => pair.First.Zip(pair.Second).Sum(g => Math.Pow((double)g.First - g.Second, 2))));
                Assert.InRange(off / norm, 1e-6, 0.01);
            }
    }

    [Theory, MemberData(nameof(Names))]
    public void A_deep_model_takes_little_more_than_half_the_memory(string name)
    {
        var config = Variants[name];
        ModelConfig deep = config is Gpt2Config gpt2 ? gpt2 with { Layers = 16 }
            : (DecoderConfig)config with { Layers = 16 };
        long plain = Run(deep, SimdWidths.Best(), 1, Keep.All).Peak,
            stored = Run(deep, SimdWidths.Best(), 1, Keep.BFloat16).Peak;
        Assert.InRange(stored, 0.4 * plain, 0.68 * plain);
    }
}
