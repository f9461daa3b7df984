using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;

namespace Nano.Tests.Tokenizers;

/// <summary>The published encodings against ids that independent implementations make.</summary>
public class GoldenTokenizerTests
{
    [Theory]
    [InlineData("gpt2", "gpt2_bpe", 270)]
    [InlineData("r50k_base", "gpt2_bpe", 270)]
    [InlineData("cl100k_base", "cl100k_base", 270)]
    [InlineData("o200k_base", "o200k_base", 270)]
    [InlineData("llama2", "llama2_spm", 268)]
    [InlineData("llama2.bin", "llama2_spm", 268)]
    [InlineData("gpt2.gguf", "gpt2_bpe", 270)]
    [InlineData("llama2.gguf", "llama2_spm", 268)]
    public void Every_case_has_its_ids_and_comes_back(string name, string file, int count) =>
        Vocabularies.AssertCases(Vocabularies.Get(name), file, count);

    [Theory]
    [InlineData("gpt2", "gpt2_bpe", 270)]
    [InlineData("cl100k_base", "cl100k_base", 270)]
    [InlineData("o200k_base", "o200k_base", 270)]
    [InlineData("llama2", "llama2_spm", 268)]
    public void So_it_does_after_a_tokenizer_json_was_written_and_read(string name, string file, int count)
    {
        using var folder = new TempFolder();
        var tokenizer = Vocabularies.Get(name);
        tokenizer.Save(folder.File("tokenizer.json"));
        var read = TokenizerLoader.Load(folder.File("tokenizer.json"));
        Vocabularies.AssertCases(read, file, count);
        Assert.Equal(tokenizer.VocabSize, read.VocabSize);
        Assert.Equal(tokenizer.SpecialTokens.OrderBy(token => token.Value),
            read.SpecialTokens.OrderBy(token => token.Value));
        Assert.Equal(tokenizer.BeginId, read.BeginId);
        Assert.Equal(tokenizer.EndIds, read.EndIds);
        read.Save(folder.File("again.json"));
        Assert.Equal(File.ReadAllBytes(folder.File("tokenizer.json")), File.ReadAllBytes(folder.File("again.json")));
    }

    [Theory]
    [InlineData("tok512")]
    [InlineData("stories.gguf")]
    public void Prompts_of_the_stories_have_the_recorded_ids(string name)
    {
        var tokenizer = Vocabularies.Get(name);
        Assert.Equal((512, 1), (tokenizer.VocabSize, tokenizer.BeginId));
        Assert.Equal([2, 1], tokenizer.EndIds);
        using var json = JsonDocument.Parse(File.ReadAllText(Goldens.Path("stories260K/greedy.json")));
        foreach (var of in json.RootElement.GetProperty("cases").EnumerateArray())
        {
            int[] Ids(string key) => [.. of.GetProperty(key).EnumerateArray().Select(id => id.GetInt32())];
            int[] ids = [1, .. tokenizer.Encode(of.GetProperty("prompt").GetString())];
            Assert.Equal(Ids("prompt_ids"), ids);
            Assert.Equal(of.GetProperty("text").GetString(), tokenizer.Decode(Ids("ids")));
        }
    }

    [Theory]
    [InlineData("gpt2", 2)]
    [InlineData("cl100k_base", 4)]
    [InlineData("o200k_base", 4)]
    public void Tinyshakespeare_gives_the_golden_ids(string name, int bytesPerId)
    {
        string text = File.ReadAllText(Vocabularies.DataFile("tinyshakespeare.txt"));
        var tokenizer = Vocabularies.Get(name);
        int cut = (int)(text.Length * 0.9);
        using var json = JsonDocument.Parse(File.ReadAllText(Goldens.Path("tokenizer/tinyshakespeare.json")));
        foreach (var (part, content) in ((string, string)[])[("whole", text), ("train", text[..cut]),
            ("val", text[cut..])])
        {
            int[] ids = tokenizer.Encode(content);
            var golden = json.RootElement.GetProperty(part).GetProperty(name);
            Assert.Equal(golden.GetProperty("count").GetInt32(), ids.Length);
            Assert.Equal(golden.GetProperty("sha256").GetString(), Digest(ids, bytesPerId));
            Assert.Equal(content, tokenizer.Decode(ids));
        }
    }

    /// <summary>SHA-256 over the ids as little-endian numbers.</summary>
    static string Digest(ReadOnlySpan<int> ids, int bytesPerId)
    {
        byte[] bytes = new byte[4 + (bytesPerId * ids.Length)];
        for (int i = 0; i < ids.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(bytesPerId * i), ids[i]);
        return Convert.ToHexStringLower(SHA256.HashData(bytes.AsSpan(0, bytesPerId * ids.Length)));
    }
}
