namespace Nano.Peers;

/// <summary>The files that both contenders read.</summary>
internal static class ModelFiles
{
    private const string NoVocabulary = "none";

    /// <summary>tinyshakespeare, where the data folder has it.</summary>
    public static string Corpus { get; } =
        Path.Combine(Environment.GetEnvironmentVariable("NANO_DATA") ?? "data", "tinyshakespeare.txt");

    /// <summary>The name of the model file whose matrices have a type.</summary>
    public static string Name(string type) => $"gpt2-{type}.gguf";

    /// <summary>
    /// Writes a GPT-2 124M of random weights twice, in F32 and F16. Positions count ten times as much as in a fresh
    /// model: otherwise its likeliest next token is the one that it has just read, and greedy ids prove nothing.
    /// </summary>
    public static void Write(string folder)
    {
        string plain = Path.Combine(folder, "plain.gguf");
        using (var model = LanguageModel.Create(Gpt2Config.Named("gpt2")))
        {
            model.Initialize(1);
            foreach (ref float value in model.Parameters.All.Single(parameter => parameter.Name == "wpe.weight").Data)
                value *= 10;
            using var source = ModelSource.Of(model);
            GgufModel.Write(plain, source);
        }
        using (var source = ModelLoader.Open(plain))
        {
            source.Metadata!.Set("tokenizer.ggml.model", NoVocabulary); // which llama.cpp wants to be told
            foreach (var type in (WeightType[])[WeightType.F32, WeightType.F16])
                GgufModel.Write(Path.Combine(folder, Name(type.ToString())), source, type);
        }
        File.Delete(plain);
    }
}
