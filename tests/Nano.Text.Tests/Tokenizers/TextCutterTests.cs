using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Tokenizers;

public class TextCutterTests
{
    // What the patterns and normal forms treat specially, close together.
    static readonly string[] Bits =
    [
        "a", "Z", "the", "é", "e\u0301", "ß", "中", "文", "か\u3099", "한", "ᄒ", "ᅡ", "ᆫ", "ا", "1", "22", "٣", "½", " ",
        "  ", "\n", "\n\n", "\r\n", "\t", "\u00A0", "\u3000", "'", "'s", "'LL", "\u2019", ".", "!?", "/", "\u0301",
        "\u0338", "=", "🐟", "𝐀", "\u200D", "\u2581", "<|endoftext|>", "ſ", "<think>", "x",
    ];

    static Gen<string> Text { get; } = Gen.Elements(Bits).ArrayOf(60).Select(string.Concat);

    static readonly Lazy<Dictionary<string, ITokenizer>> Trained = new(() =>
    {
        string text = string.Concat(Enumerable.Range(0, 400)
            .Select(i => $"{Bits[i % Bits.Length]}{Bits[i * 7 % Bits.Length]} the cat's 123 "
            + $"{Bits[i * 3 % Bits.Length]}. "));
        return BpeTrainer.Splits.ToDictionary(split => split,
            split => BpeTrainer.Train([text], 360, split, threads: 1));
    });

    /// <summary>
    /// Cuts a text wherever a cut is found as it grows, and compares the ids of the parts with
    /// those of the whole. Returns the number of parts.
    /// </summary>
    static int AssertSame(ITokenizer tokenizer, string text)
    {
        var cutter = new TextCutter(tokenizer);
        var ids = new List<int>();
        int parts = 1, start = 0;
        for (int seen = 1; seen <= text.Length; seen++)
        {
            if (!cutter.TryFindLast(text.AsSpan(start, seen - start), out int end, out int next))
                continue;
            ids.AddRange(tokenizer.Encode(text.AsSpan(start, end)));
            start += next;
            parts++;
        }
        ids.AddRange(tokenizer.Encode(text.AsSpan(start)));
        Assert.Equal(tokenizer.Encode(text), ids);
        return parts;
    }

    [Fact]
    public void Parts_have_the_ids_of_the_whole_for_every_pattern()
    {
        foreach (var (split, tokenizer) in Trained.Value)
        {
            int parts = 0;
            Prop.ForAll(Text.ToArbitrary(), text => { parts += AssertSame(tokenizer, text); })
                .Check(Config.QuickThrowOnFailure.WithMaxTest(300));
            Assert.True(parts > 300 * 5, $"{split}: only {parts} parts");
        }
    }

    [Fact]
    public void Parts_have_the_ids_of_the_whole_for_characters()
    {
        var tokenizer = CharTokenizer.FromText(string.Concat(Bits));
        Prop.ForAll(Text.ToArbitrary(), text => { AssertSame(tokenizer, text); })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(100));
        Assert.Equal(5, AssertSame(tokenizer, "a🐟中𝐀ax"));
    }

    [Theory]
    [InlineData("llama2")]
    [InlineData("llama2.gguf")]
    [InlineData("tok512")]
    [InlineData("stories.gguf")]
    [InlineData("gpt2")]
    [InlineData("cl100k_base")]
    [InlineData("o200k_base")]
    public void Parts_have_the_ids_of_the_whole_for_published_vocabularies(string name)
    {
        var tokenizer = Vocabularies.Get(name);
        int parts = 0;
        Prop.ForAll(Text.ToArbitrary(), text => { parts += AssertSame(tokenizer, text); })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300));
        Assert.True(parts > 300, $"only {parts} parts");
    }

    /// <summary>Qwen's kind: normal form C, and tokens that are found in any text, one with a space inside.</summary>
    [Fact]
    public void A_token_that_is_found_in_any_text_is_never_cut()
    {
        using var temp = new TempFolder();
        Trained.Value["qwen2"].Save(temp.File("tokenizer.json"));
        string json = File.ReadAllText(temp.File("tokenizer.json"));
        int V = Trained.Value["qwen2"].VocabSize;
        string token(string content, int id) =>
            $$"""{"id": {{id}}, "content": "{{content}}", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}""";
        int added = json.IndexOf("\"added_tokens\"", StringComparison.Ordinal), bracket = json.IndexOf('[', added) + 1;
        json = json[..bracket] + token("x the a", V) + "," + token("<think>", V + 1) + "," + json[bracket..];
        if (json.Contains("\"normalizer\": null", StringComparison.Ordinal))
            json = json.Replace("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}",
                StringComparison.Ordinal);
        File.WriteAllText(temp.File("tokenizer.json"), json);
        var tokenizer = TokenizerLoader.Load(temp.File("tokenizer.json"));
        Assert.Equal([V], tokenizer.Encode("x the a"));
        Prop.ForAll(Text.ToArbitrary(), text => { AssertSame(tokenizer, text); })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300));
        foreach (string text in (string[])["a x the a b", "the x the a. x the a", "x the x the a the a",
            "the <think> a"])
            AssertSame(tokenizer, text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("aaaaaaaaaaaaaaaa")]
    [InlineData("12345678 ")]
    [InlineData("!!!!!!!!\n\n\n\n\n    ")]
    [InlineData("it's")]
    public void Where_nothing_is_sure_there_is_no_cut(string text) =>
        Assert.False(new TextCutter(Trained.Value["gpt2"]).TryFindLast(text, out _, out _));

    [Fact]
    public void A_cut_is_the_last_that_is_sure() =>
        Assert.Equal((true, 7, 7),
            (new TextCutter(Trained.Value["gpt2"]).TryFindLast("one two three", out int end, out int next), end, next));
}
