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
        AssertLogits(model, where, 1e-5f);
    }

    /// <summary>Folders of goldens, and the reason of those that cannot be a graph.</summary>
    private static readonly Dictionary<string, string> Refused = new()
    {
        ["mamba"] = "DepthwiseCausalConv has no ONNX form",
        ["mamba2"] = "DepthwiseCausalConv has no ONNX form",
        ["jamba"] = "DepthwiseCausalConv has no ONNX form",
        ["rwkv7"] = "DepthwiseCausalConv has no ONNX form",
        ["mixtral"] = "the rows of each expert depend on numbers",
        ["qwen3_moe"] = "the rows of each expert depend on numbers",
        ["deepseek_v3"] = "is neither some columns nor another shape",
        ["phi3"] = "its rotary angles change for a whole text that grows long",
    };

    public static TheoryData<string> Folders => [.. Goldens.ZooModels];

    /// <summary>Every folder of goldens becomes a graph with our logits, or an error with a reason.</summary>
    [Theory]
    [MemberData(nameof(Folders))]
    public void Folders_of_any_kind_are_exported_or_refused(string folder)
    {
        var where = Providers.Needs("onnx-cpu");
        string path = Goldens.Zoo(folder);
        if (ConfigFile.LoadAny(Path.Combine(path, "config.json")) is not ModelConfig config)
        {
            var unfit = Assert.Throws<BadFileException>(() => ModelLoader.LoadModel(path));
            Assert.Contains("which does not write text", unfit.Message, StringComparison.Ordinal);
            return;
        }
        using var model = ModelLoader.LoadModel(path);
        if (!Refused.TryGetValue(folder, out string? reason))
        {
            AssertLogits(model, where, 1e-4f);
            AssertLogits(model, where, 1e-4f, onlyLast: true);
            return;
        }
        foreach (var export in (Action[])[() => OnnxExporter.Build(model), () => OnnxExporter.BuildGradients(model)])
        {
            var error = Assert.Throws<NanoException>(export);
            Assert.Contains($"'{config.ModelType}' cannot be an ONNX graph", error.Message, StringComparison.Ordinal);
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
            Assert.NotNull(error.Hint);
        }
    }

    private static void AssertLogits(LanguageModel model, OrtProvider where, float tolerance, bool onlyLast = false)
    {
        var config = model.Config;
        using var session = new OrtSession(OnnxExporter.Build(model, new() { LastLogits = onlyLast }).ToModel().Span,
            where, 1);
        using var compute = new Compute(1);
        foreach (var (B, T) in new[] { (1, 1), (2, 7), (3, Math.Min(19, config.ContextLength)) })
        {
            var random = new Random(B + T);
            int[] ids = [.. Enumerable.Range(0, B * T).Select(_ => random.Next(config.VocabSize))];
            using var input = Longs(ids, B, T);
            using var output = OrtTensor.OfFloats(B, onlyLast ? 1 : T, config.VocabSize);
            session.Run([("input_ids", input)], [("logits", output)]);
            compute.NextStep();
            var expected = model.Forward(compute, Tensor.FromIds(new Shape(B, T), ids));
            if (onlyLast)
                expected = compute.Slice(expected, 1, T - 1, 1);
            for (int i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected.Data[i] - output.Floats[i])
                    < tolerance * Math.Max(1, Math.Abs(expected.Data[i])),
                    $"B {B} T {T} element {i}: {output.Floats[i]}, ours {expected.Data[i]}");
        }
    }
}
