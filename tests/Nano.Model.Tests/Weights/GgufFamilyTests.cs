using System.Security.Cryptography;
using System.Text.Json;

namespace Nano.Tests.Formats;

/// <summary>GGUF files of families of decoders: there and back, quantised, and as llama.cpp reads them.</summary>
public class GgufFamilyTests
{
    private static readonly DecoderConfig Llama = new()
    {
        VocabSize = 48,
        ContextLength = 64,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        HeadDim = 16,
        Channels = 64,
        Intermediate = 96,
        NormEpsilon = 1e-5f,
        TiedHead = false,
    };

    private static readonly DecoderConfig Plain = Llama with
    {
        KvHeads = 4,
        Intermediate = 256,
        NormKind = NormKind.Layer,
        IsGated = false,
        Activation = ActivationKind.GeluErf,
    };

    private static readonly DecoderConfig Gemma = Llama with
    {
        NormKind = NormKind.RmsPlusOne,
        Norms = NormPlacement.Both,
        Activation = ActivationKind.GeluTanh,
        EmbeddingScale = 8,
        AttentionScale = 0.25f,
        Window = 6,
        TiedHead = true,
    };

    private static readonly DecoderConfig Cohere = Llama with
    {
        NormKind = NormKind.LayerWithoutBias,
        IsParallel = true,
        SharesNorm = true,
        Pairing = RopePairing.Interleaved,
        LogitScale = 0.25f,
        TiedHead = true,
    };

    private static DecoderConfig LongRope(int original, int context) => Llama with
    {
        Family = DecoderFamily.Phi3,
        ContextLength = context,
        RopeScaling = new RopeScaling.LongRope([1, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6],
            [1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5], original, context),
    };

    /// <summary>A small model of each family.</summary>
    internal static Dictionary<string, DecoderConfig> Families { get; } = new()
    {
        ["mixtral"] = Llama with { Family = DecoderFamily.Mixtral, Mixture = new(4, 96, new RouterRule(2)) },
        ["qwen3_moe"] = Llama with
        {
            Family = DecoderFamily.Qwen3Moe,
            QkNorm = true,
            Mixture = new(4, 32, new RouterRule(2)),
        },
        ["gemma2"] = Gemma with { Family = DecoderFamily.Gemma2, ScoreCap = 20, LogitCap = 10, FullEvery = 2 },
        ["gemma3"] = Gemma with
        {
            Family = DecoderFamily.Gemma3,
            Layers = 7,
            QkNorm = true,
            FullEvery = 6,
            RopeTheta = 1e6,
            LocalRopeTheta = 1e4,
            RopeScaling = new RopeScaling.Linear(8),
        },
        ["phi3"] = Llama with { Family = DecoderFamily.Phi3, RotaryDim = 12 },
        // llama.cpp takes the factors by its context, which here is 256, and not by the text.
        ["phi3_short"] = LongRope(512, 1024),
        ["phi3_long"] = LongRope(16, 64),
        ["olmo2"] = Llama with { Family = DecoderFamily.Olmo2, Norms = NormPlacement.After, QkNormAllHeads = true },
        ["gpt_neox"] = Plain with
        {
            Family = DecoderFamily.GptNeox,
            IsParallel = true,
            RotaryDim = 4,
            QkvBias = true,
            OutputBias = true,
            MlpBias = true,
        },
        ["bloom"] = Plain with
        {
            Family = DecoderFamily.Bloom,
            EmbeddingNorm = true,
            Positions = PositionKind.Slopes,
            Activation = ActivationKind.GeluTanh,
            QkvBias = true,
            OutputBias = true,
            MlpBias = true,
            TiedHead = true,
        },
        ["falcon"] = Plain with { Family = DecoderFamily.Falcon, KvHeads = 1, IsParallel = true, SharesNorm = true },
        ["falcon_40b"] = Plain with { Family = DecoderFamily.FalconTwoNorms, KvHeads = 2, IsParallel = true },
        ["mpt"] = Plain with
        {
            Family = DecoderFamily.Mpt,
            NormKind = NormKind.LayerWithoutBias,
            Positions = PositionKind.Slopes,
            TiedHead = true,
        },
        ["cohere"] = Cohere with { Family = DecoderFamily.Cohere },
        ["cohere2"] = Cohere with
        {
            Family = DecoderFamily.Cohere2,
            Layers = 4,
            Window = 6,
            FullEvery = 4,
            UnrotatedEvery = 4,
        },
        ["smollm3"] = Llama with { Family = DecoderFamily.SmolLm3, Layers = 4, UnrotatedEvery = 4, TiedHead = true },
        ["starcoder"] = Plain with
        {
            Family = DecoderFamily.StarCoder,
            KvHeads = 1,
            Positions = PositionKind.Learned,
            Activation = ActivationKind.GeluTanh,
            QkvBias = true,
            OutputBias = true,
            MlpBias = true,
            TiedHead = true,
        },
        ["starcoder2"] = Plain with
        {
            Family = DecoderFamily.StarCoder2,
            KvHeads = 2,
            Activation = ActivationKind.GeluTanh,
            QkvBias = true,
            OutputBias = true,
            MlpBias = true,
            TiedHead = true,
        },
    };

    public static TheoryData<string> Names => [.. Families.Keys];

    /// <summary>Random weights in steps of 1/1024, to which 1 can be added and taken away.</summary>
    private static LanguageModel Model(string name)
    {
        var model = Models.Random(Families[name]);
        foreach (var parameter in model.Parameters.All)
            foreach (ref float value in parameter.Data)
                value = (MathF.Round(value * 1024) / 1024) + 0f; // no -0
        return model;
    }

    [Theory, MemberData(nameof(Names))]
    public void A_model_comes_back_from_a_file_with_its_bits(string name)
    {
        using var temp = new TempFolder();
        using var model = Model(name);
        GgufModel.Write(temp.File("a.gguf"), ModelSource.Of(model));
        using var source = ModelLoader.Open(temp.File("a.gguf"));
        Assert.Equal(Without(model.Config), Without(source.Config));
        using var read = source.Load();
        foreach (var (before, after) in model.Parameters.All.Zip(read.Parameters.All))
            Assert.Equal(Models.Bits(before.Data), Models.Bits(after.Data));
        Directory.CreateDirectory(temp.File("folder"));
        AnyModel.Save(temp.File("folder"), read);
        using var again = AnyModel.Load(temp.File("folder"));
        Assert.Equal(Without(model.Config), Without((ModelConfig)again.Architecture));
        foreach (var (before, after) in model.Parameters.All.Zip(again.Parameters.All))
            Assert.Equal(Models.Bits(before.Data), Models.Bits(after.Data));
    }

    /// <summary>The factors of losses in training are not in a file.</summary>
    private static DecoderConfig Without(ModelConfig config)
    {
        var decoder = (DecoderConfig)config;
        return decoder with { Mixture = decoder.Mixture is { } mixture ? mixture with { BalanceLoss = 0 } : null };
    }

    [Theory, MemberData(nameof(Names))]
    public void A_quantised_file_runs_with_nearly_the_logits_of_the_model(string name)
    {
        using var temp = new TempFolder();
        using var model = Model(name);
        using var compute = new Compute(1);
        int[] ids = Models.RandomIds(20, 48);
        float[] expected = Models.Logits(model, compute, ids);
        GgufModel.Quantise(temp.File("q.gguf"), ModelSource.Of(model), new() { FileType = GgufFileType.Q8_0 });
        using var source = ModelLoader.Open(temp.File("q.gguf"));
        Assert.Contains(source.Tensors, tensor => tensor.Type == WeightType.Q8_0);
        using var quantised = source.LoadToRun();
        float[] actual = Models.Logits(quantised, compute, ids);
        // Gaussian weights in blocks of 32 of 8 bits are off by 0.4 % of their deviation.
        double error = Math.Sqrt(expected.Zip(actual, (a, b) => Math.Pow(a - b, 2)).Sum()),
            size = Math.Sqrt(expected.Sum(logit => (double)logit * logit));
        Assert.InRange(error / size, 1e-6, 0.08);
    }

    // What llama.cpp makes of the very files that are written here; see tests/goldens/gguf_families. Its products and
    // functions are less exact than float32.
    [Theory, MemberData(nameof(Names))]
    public void Llama_cpp_reads_the_file_as_the_same_model(string name)
    {
        using var temp = new TempFolder();
        using var model = Model(name);
        string folder = Environment.GetEnvironmentVariable("NANO_GGUF_OUT") ?? temp.Root,
            file = Path.Combine(folder, name + ".gguf");
        GgufModel.Write(temp.File("a.gguf"), ModelSource.Of(model));
        using (var source = ModelLoader.Open(temp.File("a.gguf")))
        {
            source.Metadata!.Set("tokenizer.ggml.model", "no_vocab"); // llama.cpp wants to be told
            GgufModel.Write(file, source);
        }
        using var goldens = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("gguf_families/llama_cpp.json")));
        var golden = goldens.RootElement.GetProperty(name);
        Assert.Equal(golden.GetProperty("sha256").GetString(),
            Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))));
        int[] text = Numbers(golden, "prompt", number => number.GetInt32());
        double[] expected = Numbers(golden, "logits", number => number.GetDouble());
        using var compute = new Compute(1);
        float[] logits = Models.Logits(model, compute, text)[^48..];
        double error = Math.Sqrt(logits.Zip(expected, (a, b) => Math.Pow(a - b, 2)).Sum()
            / expected.Sum(logit => logit * logit));
        Assert.True(error < 2e-3, $"{error}");
        using var generator = new Generator(model, compute);
        Assert.Equal(Numbers(golden, "greedy", number => number.GetInt32()),
            generator.Continue(text, new SamplerOptions { Temperature = 0 }).Take(16));
    }

    private static T[] Numbers<T>(JsonElement golden, string key, Func<JsonElement, T> read) =>
        [.. golden.GetProperty(key).EnumerateArray().Select(read)];

    // The tensors of Mixtral's older files, one for each expert.
    [Fact]
    public void Experts_may_have_tensors_of_their_own()
    {
        using var temp = new TempFolder();
        using var model = Model("mixtral");
        GgufModel.Write(temp.File("a.gguf"), ModelSource.Of(model));
        using (var reader = GgufReader.Open(temp.File("a.gguf")))
            GgufWriter.Write(temp.File("b.gguf"), reader.Metadata, [.. reader.Tensors.Values.SelectMany(tensor =>
                tensor.Shape.Count < 3 ? [Part(reader, tensor, tensor.Name, [.. tensor.Shape], 0)]
                : Enumerable.Range(0, 4).Select(expert => Part(reader, tensor,
                    tensor.Name.Replace("_exps", $".{expert}", StringComparison.Ordinal), [.. tensor.Shape.Skip(1)],
                    expert)))]);
        using var source = ModelLoader.Open(temp.File("b.gguf"));
        using var read = source.Load();
        foreach (var (before, after) in model.Parameters.All.Zip(read.Parameters.All))
            Assert.Equal(Models.Bits(before.Data), Models.Bits(after.Data));
    }

    private static GgufTensorToWrite Part(GgufReader reader, GgufTensor tensor, string name, long[] shape, int part) =>
        new(name, tensor.Type, shape, stream =>
        {
            byte[] bytes = new byte[sizeof(float) * shape.Aggregate((product, size) => product * size)];
            reader.Copy(tensor.Offset + (part * (long)bytes.Length), bytes);
            stream.Write(bytes);
        });

    public static TheoryData<string, DecoderConfig, string> Refused => new()
    {
        { "scale", Families["gemma2"] with { AttentionScale = 0.3f }, "means 0.25" },
        { "pattern", Families["gemma3"] with { FullEvery = 3 }, "sixth layer" },
        { "activation", Families["olmo2"] with { Activation = ActivationKind.Relu }, "activation function is Relu" },
        { "dense layer", Families["qwen3_moe"] with { Mixture = new(4, 32, new(2)) { FirstDense = 1 } }, "one MLP" },
        { "weights", Families["mixtral"] with { Mixture = new(4, 96, new(2, Normalises: false)) }, "one MLP" },
        { "dynamic", Families["phi3"] with { RopeScaling = new RopeScaling.Dynamic(2, 32) }, "scaling is Dynamic" },
        { "opt", Families["starcoder"] with { Family = DecoderFamily.Opt }, "type opt are not written" },
    };

    [Theory, MemberData(nameof(Refused))]
    public void A_model_that_no_file_means_is_refused(string name, DecoderConfig config, string expected)
    {
        using var temp = new TempFolder();
        using var model = Models.Random(config);
        string message = Assert.Throws<NanoException>(() =>
            GgufModel.Write(temp.File("a.gguf"), ModelSource.Of(model))).Message;
        Assert.True(message.Contains(expected, StringComparison.Ordinal), $"{name}: {message}");
    }
}
