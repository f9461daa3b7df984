using System.Text.Json;

namespace Nano.Tests;

public class FillInTests
{
    /// <summary>The letters a to f and special tokens, the first three of which are 6, 7 and 8.</summary>
    private static ITokenizer Tokenizer(params string[] special)
    {
        using var temp = new TempFolder();
        string path = temp.File("tokenizer.json");
        var vocabulary = "abcdef".Select(letter => letter.ToString()).Concat(special)
            .Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id);
        File.WriteAllText(path, JsonSerializer.Serialize(new
        {
            added_tokens = special.Select((content, i) => new { id = 6 + i, content, special = true }),
            model = new { type = "BPE", vocab = vocabulary, merges = Array.Empty<string>() },
        }));
        return TokenizerLoader.Load(path);
    }

    // Prefix ab, suffix cd. PSM and SPM as Bavarian et al. (2022), section 4.3, and StarCoder's page have them.
    [Theory]
    [InlineData("<fim_prefix>", "<fim_suffix>", "<fim_middle>")]
    [InlineData("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")]
    [InlineData("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")]
    [InlineData("▁<PRE>", "▁<SUF>", "▁<MID>")]
    public void A_prefix_and_a_suffix_stand_in_either_order(string prefix, string suffix, string middle)
    {
        var tokenizer = Tokenizer(prefix, suffix, middle);
        Assert.Equal([6, 0, 1, 7, 2, 3, 8], FillIn.Encode("ab", "cd", tokenizer));
        Assert.Equal([6, 7, 2, 3, 8, 0, 1], FillIn.Encode("ab", "cd", tokenizer, suffixFirst: true));
        Assert.Equal([6, 7, 8], FillIn.Encode("", "", tokenizer));
    }

    [Fact]
    public void A_tokenizer_without_such_tokens_is_refused() => Assert.Contains("not trained to fill in",
        Assert.Throws<NanoException>(() => FillIn.Encode("ab", "cd", Tokenizer("<fim_prefix>", "<fim_suffix>")))
            .Message, StringComparison.Ordinal);
}
