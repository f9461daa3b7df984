namespace Nano.Tests;

/// <summary>
/// Exported graphs on ONNX Runtime against our kernels, with int64 ids, as others expect them of a
/// file.
/// </summary>
public class ExportTests
{
    internal static void NeedsLibrary() => Providers.Needs("onnx-cpu");

    internal static IReadOnlyDictionary<string, ModelConfig> Models { get; } = new Dictionary<string, ModelConfig>
    {
        { "gpt2", new Gpt2Config { VocabSize = 61, ContextLength = 19, Layers = 2, Heads = 2, Channels = 32 } },
        { "gpt2, erf, no bias, own head", new Gpt2Config { VocabSize = 61, ContextLength = 19, Layers = 2, Heads = 2,
            Channels = 32, Bias = false, Gelu = GeluForm.Erf, TiedHead = false } },
        { "llama", new DecoderConfig { VocabSize = 61, ContextLength = 19, Layers = 2, Heads = 4, KvHeads = 2,
            Channels = 32, Intermediate = 56 } },
        { "llama, interleaved, window", new DecoderConfig { VocabSize = 61, ContextLength = 19, Layers = 2, Heads = 4,
            Channels = 32, Intermediate = 56, Pairing = RopePairing.Interleaved, Window = 4, TiedHead = false } },
        { "qwen3", new DecoderConfig { VocabSize = 61, ContextLength = 19, Layers = 2, Heads = 4, KvHeads = 1,
            HeadDim = 6, Channels = 32, Intermediate = 56, QkNorm = true } },
    };

    internal static OrtTensor Longs(int[] values, int B, int T) =>
        OrtTensor.OfLongs([.. values.Select(value => (long)value)], B, T);

    public static TheoryData<string, string> Names => Providers.With(Models.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void Logits_are_those_of_our_kernels_for_every_batch_and_length(string name, string provider)
    {
        var where = Providers.Needs(provider);
        var config = Models[name];
        using var model = LanguageModel.Create(config);
        model.Initialize(3);
        using var session = new OrtSession(OnnxExporter.Build(model).ToModel().Span, where, 1);
        using var compute = new Compute(1);
        foreach (var (B, T) in new[] { (1, 1), (2, 7), (3, 19) })
        {
            var random = new Random(B + T);
            int[] ids = [.. Enumerable.Range(0, B * T).Select(_ => random.Next(config.VocabSize))];
            using var input = Longs(ids, B, T);
            using var output = OrtTensor.OfFloats(B, T, config.VocabSize);
            session.Run([("input_ids", input)], [("logits", output)]);
            compute.NextStep();
            var expected = model.Forward(compute, Tensor.FromIds(new Shape(B, T), ids));
            for (int i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected.Data[i] - output.Floats[i]) < 1e-5,
                    $"B {B} T {T} element {i}: {output.Floats[i]}, ours {expected.Data[i]}");
        }
    }
}
