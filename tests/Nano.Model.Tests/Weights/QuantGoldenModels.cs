using System.Security.Cryptography;
using System.Text.Json;

namespace Nano.Tests.Formats;

/// <summary>
/// Whole files that llama.cpp quantised (goldens/quant_models): types and digests of their tensors,
/// logits and greedy continuations.
/// </summary>
static class QuantGoldenModels
{
    static readonly JsonElement Index =
        JsonDocument.Parse(File.ReadAllText(Goldens.Path("quant_models/index.json"))).RootElement;

    /// <summary>The architectures of the three models.</summary>
    public static readonly IReadOnlyDictionary<string, ModelConfig> Configs = new Dictionary<string, ModelConfig>
    {
        ["stories260K"] = new DecoderConfig
        {
            VocabSize = 512,
            ContextLength = 512,
            Layers = 5,
            Heads = 8,
            KvHeads = 4,
            Channels = 64,
            Intermediate = 172,
            TiedHead = false,
        },
        ["llama256"] = new DecoderConfig
        {
            VocabSize = 320,
            ContextLength = 256,
            Layers = 2,
            Heads = 4,
            KvHeads = 1,
            Channels = 256,
            Intermediate = 256,
            TiedHead = false,
        },
        ["gpt2_256"] = new Gpt2Config
        {
            VocabSize = 320,
            ContextLength = 256,
            Layers = 1,
            Heads = 4,
            Channels = 256,
        },
    };

    public static TheoryData<string, GgufFileType> All => Files(file => true);

    /// <summary>Files whose source is at hand: stories260K's in the data folder, llama256's Q8_0 in the goldens.</summary>
    public static TheoryData<string, GgufFileType> WithSource => Files(file =>
        !file.GetProperty("quantised_from").GetString()!.Contains("not kept", StringComparison.Ordinal));

    /// <summary>Files that have logits.</summary>
    public static TheoryData<string, GgufFileType> Kept => Files(file =>
        file.GetProperty("file").ValueKind != JsonValueKind.Null);

    static TheoryData<string, GgufFileType> Files(Func<JsonElement, bool> where)
    {
        var data = new TheoryData<string, GgufFileType>();
        foreach (JsonElement model in Index.GetProperty("models").EnumerateArray())
            foreach (JsonElement file in model.GetProperty("files").EnumerateArray().Where(where))
                data.Add(model.GetProperty("name").GetString()!, (GgufFileType)file.GetProperty("file_type").GetInt32());
        return data;
    }

    /// <summary>The entry of a file in the index.</summary>
    public static JsonElement Entry(string model, GgufFileType type) => Index.GetProperty("models").EnumerateArray()
        .Single(entry => entry.GetProperty("name").GetString() == model).GetProperty("files").EnumerateArray()
        .Single(file => file.GetProperty("file_type").GetInt32() == (int)type);

    public static IReadOnlyList<int> Positions =>
        [.. Index.GetProperty("positions").EnumerateArray().Select(position => position.GetInt32())];

    public static int PromptLength => Index.GetProperty("greedy_prompt").GetInt32();

    /// <summary>The standard deviation of a model's logits.</summary>
    public static float LogitDeviation(string model) => Index.GetProperty("models").EnumerateArray()
        .Single(entry => entry.GetProperty("name").GetString() == model).GetProperty("logit_std").GetSingle();

    /// <summary>The path of a quantised file: one of the goldens, or made from its source in a folder.</summary>
    public static string Path(string model, GgufFileType type, TempFolder folder)
    {
        string golden = Goldens.Path($"quant_models/{model}-{type}.gguf"), made = folder.File($"{model}-{type}.gguf");
        return File.Exists(golden) ? golden : Make(model, type, made);
    }

    /// <summary>Quantises a model from its source.</summary>
    public static string Make(string model, GgufFileType type, string path)
    {
        using ModelSource source = ModelLoader.Open(model == "stories260K"
            ? PublicFiles.Path("stories260K/stories260K.gguf") : Goldens.Path($"quant_models/{model}-Q8_0.gguf"));
        IReadOnlyList<string> notes = GgufModel.Quantise(path, source, new QuantisationOptions
        {
            FileType = type,
            Requantises = true,
        });
        Assert.All(notes, note => Assert.Contains("are no multiple of", note, StringComparison.Ordinal));
        return path;
    }

    /// <summary>The first digits of the digest of a tensor's bytes.</summary>
    public static string Digest(GgufReader file, GgufTensor tensor)
    {
        (int elements, int size) = Gguf.BlockOf(tensor.Type)!.Value;
        var bytes = new byte[tensor.Count / elements * size];
        file.Copy(tensor.Offset, bytes);
        return Convert.ToHexStringLower(SHA256.HashData(bytes))[..16];
    }
}
