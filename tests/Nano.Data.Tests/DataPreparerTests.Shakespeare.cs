using System.Security.Cryptography;
using System.Text.Json;

namespace Nano.Tests.Data;

/// <summary>Tinyshakespeare prepared, beside what nanoGPT and llm.c make of it.</summary>
public sealed partial class DataPreparerTests
{
    [Fact]
    public void Shakespeare_is_what_nanoGPT_makes_of_it()
    {
        var options = Shakespeare("nanogpt");
        var data = DataPreparer.Run(options);
        // nanoGPT, data/shakespeare/readme.md: "train.bin has 301,966 tokens, val.bin has 36,059 tokens".
        // Digests: tiktoken's ids as uint16.
        Assert.Equal((301_966, 36_059), (data.Train.Tokens, data.Validation.Tokens));
        using var golden = JsonDocument.Parse(File.ReadAllText(Goldens.Path("tokenizer/tinyshakespeare.json")));
        foreach (var (split, name) in new[] { ("train", "train_000001.bin"), ("val", "val_000000.bin") })
            Assert.Equal(golden.RootElement.GetProperty(split).GetProperty("gpt2").GetProperty("sha256").GetString(),
                Convert.ToHexStringLower(
                    SHA256.HashData(File.ReadAllBytes(Path.Combine(options.Out, name)).AsSpan(1024))));
    }

    [Fact]
    public void Shakespeare_is_what_llm_c_makes_of_it()
    {
        var options = Shakespeare("llmc");
        var data = DataPreparer.Run(options);
        // llm.c, dev/data/tinyshakespeare.py: "writing 32,768 tokens to ..._val.bin, writing 305,260 tokens
        // to ..._train.bin".
        Assert.Equal((305_260, 32_768), (data.Train.Tokens, data.Validation.Tokens));
        string text = File.ReadAllText(options.Inputs[0]);
        int[] expected = options.Tokenizer.Encode("<|endoftext|>"
            + text.Replace("\n\n", "\n\n<|endoftext|>", StringComparison.Ordinal), allowSpecial: true);
        Assert.Equal(expected, All(data));
    }

    PrepareOptions Shakespeare(string recipe)
    {
        string folder = Environment.GetEnvironmentVariable("NANO_DATA") ?? "";
        string text = Path.Combine(folder, "tinyshakespeare.txt"), merges = Path.Combine(folder, "gpt2/vocab.bpe");
        Assert.SkipUnless(File.Exists(text) && File.Exists(merges),
            "NANO_DATA does not name a folder with tinyshakespeare.txt and gpt2/vocab.bpe");
        return (Options(text) with { Tokenizer = TokenizerLoader.Load(merges) }).WithRecipe(recipe);
    }
}
