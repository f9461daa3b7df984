namespace Nano.Peers;

/// <summary>The files that both contenders read.</summary>
internal static class ModelFiles
{
    private const string NoVocabulary = "none";

    /// <summary>Models that text is made with: the names of their configurations, and titles.</summary>
    public static readonly IReadOnlyList<(string Name, string Title)> Models =
        [("gpt2", "GPT-2 124M"), ("llama-110m", "Llama 110M")];

    /// <summary>The types of their files.</summary>
    public static readonly IReadOnlyList<string> Types = ["F32", "F16", "Q8_0", "Q6_K", "Q4_K_M", "Q4_0"];

    /// <summary>tinyshakespeare, where the data folder has it.</summary>
    public static string Corpus { get; } =
        Path.Combine(Environment.GetEnvironmentVariable("NANO_DATA") ?? "data", "tinyshakespeare.txt");

    /// <summary>The configuration of a name.</summary>
    public static ModelConfig Config(string model) =>
        Presets.All.TryGetValue(model, out var preset) ? preset.Model : Gpt2Config.Named(model);

    /// <summary>The name of the file of a model whose matrices have a type.</summary>
    public static string Name(string model, string type) => $"{model}-{type}.gguf";

    /// <summary>True if both contenders compute the same with weights of a type, but for the order of sums.</summary>
    public static bool IsFloat32(string type) => type == "F32";

    /// <summary>
    /// Writes models of random weights in the types that are asked for. Positions of GPT-2 count ten times as much as
    /// in a fresh model: otherwise its likeliest next token is the one that it has just read, and greedy ids prove
    /// nothing.
    /// </summary>
    /// <param name="folder">An empty folder.</param>
    /// <param name="wanted">The names of the files that are read.</param>
    public static void Write(string folder, IReadOnlySet<string> wanted)
    {
        foreach (var (model, _) in Models)
            if (Types.Where(type => wanted.Contains(Name(model, type))).ToList() is { Count: > 0 } types)
                Write(folder, model, types);
    }

    private static void Write(string folder, string name, List<string> types)
    {
        string plain = Path.Combine(folder, "plain.gguf");
        using (var model = LanguageModel.Create(Config(name)))
        {
            model.Initialize(1);
            foreach (var positions in model.Parameters.All.Where(parameter => parameter.Name == "wpe.weight"))
                foreach (ref float value in positions.Data)
                    value *= 10;
            using var source = ModelSource.Of(model);
            GgufModel.Write(plain, source);
        }
        using (var source = ModelLoader.Open(plain))
        {
            source.Metadata!.Set("tokenizer.ggml.model", NoVocabulary); // which llama.cpp wants to be told
            foreach (string type in types)
            {
                string path = Path.Combine(folder, Name(name, type));
                if (Enum.TryParse(type, out WeightType stored) && stored is WeightType.F32 or WeightType.F16)
                    GgufModel.Write(path, source, stored);
                else
                    GgufModel.Quantise(path, source, new QuantisationOptions
                    {
                        FileType = Enum.Parse<GgufFileType>(type)
                    });
            }
        }
        File.Delete(plain);
    }
}
