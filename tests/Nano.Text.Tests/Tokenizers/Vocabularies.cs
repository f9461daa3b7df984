using System.Text.Json;

namespace Nano.Tests.Tokenizers;

/// <summary>The published vocabularies in NANO_DATA, opened once, and the golden cases for them.</summary>
static class Vocabularies
{
    static readonly Dictionary<string, ITokenizer> Open = [];

    /// <summary>The files of the data folder that a test of a tokenizer goes by.</summary>
    public static readonly Dictionary<string, string> Files = new()
    {
        ["gpt2"] = "gpt2/vocab.bpe",
        ["r50k_base"] = "tiktoken/r50k_base.tiktoken",
        ["cl100k_base"] = "tiktoken/cl100k_base.tiktoken",
        ["o200k_base"] = "tiktoken/o200k_base.tiktoken",
        ["llama2"] = "llama2/tokenizer.model",
        ["llama2.bin"] = "llama2/tokenizer.bin",
        ["gpt2.gguf"] = "gguf/ggml-vocab-gpt-2.gguf",
        ["llama2.gguf"] = "gguf/ggml-vocab-llama-spm.gguf",
        ["stories.gguf"] = "stories260K/stories260K.gguf",
        ["tok512"] = "stories260K/tok512.bin",
    };

    /// <summary>The path of a file in the data folder; skips the test where it is not.</summary>
    public static string DataFile(string file)
    {
        string? folder = Environment.GetEnvironmentVariable("NANO_DATA");
        string path = Path.Combine(folder ?? "", file);
        Assert.SkipWhen(folder is null || !File.Exists(path), $"NANO_DATA does not name a folder with {file}");
        return path;
    }

    /// <summary>A tokenizer of <see cref="Files"/>; skips the test where it is not.</summary>
    public static ITokenizer Get(string name)
    {
        string path = DataFile(Files[name]);
        lock (Open)
        {
            if (!Open.TryGetValue(name, out var tokenizer))
                Open.Add(name, tokenizer = TokenizerLoader.Load(path));
            return tokenizer;
        }
    }

    /// <summary>Texts and their ids.</summary>
    public static List<(string Text, int[] Ids)> Cases(string file)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Goldens.Path($"tokenizer/{file}_cases.json")));
        return [.. json.RootElement.EnumerateArray()
            .Select(of => (of.GetProperty("text").GetString()!, of.GetProperty("ids").EnumerateArray()
                .Select(id => id.GetInt32()).ToArray()))];
    }

    /// <summary>Fails with the first case that is wrong and the number of those that are.</summary>
    public static void AssertCases(ITokenizer tokenizer, string file, int count)
    {
        var cases = Cases(file);
        Assert.Equal(count, cases.Count);
        var wrong = cases.Where(of => !tokenizer.Encode(of.Text).SequenceEqual(of.Ids)).ToList();
        Assert.True(wrong.Count == 0, wrong.Count == 0 ? ""
            : $"{wrong.Count} of {count} wrong, first {JsonSerializer.Serialize(wrong[0].Text)}: "
            + $"[{string.Join(' ', tokenizer.Encode(wrong[0].Text))}] instead of [{string.Join(' ', wrong[0].Ids)}]");
        bool spaceSign = file.StartsWith("llama2", StringComparison.Ordinal); // which is a space to SentencePiece
        Assert.All(cases, of => Assert.Equal(spaceSign ? of.Text.Replace('\u2581', ' ') : of.Text,
            tokenizer.Decode(of.Ids)));
    }
}
