using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Nano.Tests.Tokenizers;

/// <summary>Any tokenizer.json, run step by step.</summary>
public class PipelineTokenizerTests
{
    static readonly string[] Bits =
    [
        "a", "b", "ab", "he", "hello", " ", "  ", "\n", "\t", "\u00a0", "\u2581", "\u00e9", "e\u0301", "\u4e2d",
            "\U0001F600", "1", "23", ".", ",", "'s", "<s>", "</s>", "<0x41>", "the", " the", "X", "\u0663", "\ufb01",
            "Z\u0323",
    ];

    const string Signs = """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""",
        Spaces = """{"type":"Replace","pattern":{"String":"▁"},"content":" "}""",
        Bytes = """{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}""",
        Digits = """{"type":"Digits","individual_digits":true}""";

    static readonly string[] Words =
    [
        "a", "b", "h", "e", "l", "o", "t", ".", "he", "ll", "hell", "hello", "ab",
    ];

    static string Sequence(string key, params string[] parts) =>
        $$"""{"type":"Sequence","{{key}}":[{{string.Join(',', parts)}}]}""";

    static string Split(string regex) =>
        $$"""{"type":"Split","pattern":{"Regex":{{JsonSerializer.Serialize(regex)}}},"behavior":"Isolated"}""";

    /// <summary>A document that a faster tokenizer takes.</summary>
    static JsonObject Fast(string form)
    {
        var vocab = new JsonObject { ["<unk>"] = 0 };
        bool bytes = form.StartsWith("bytes", StringComparison.Ordinal);
        string sign = bytes ? "\u0120" : "\u2581";
        var all = Enumerable.Range(0, 256).Select(b => bytes ? ByteAlphabet.ToText([(byte)b])
            : string.Create(CultureInfo.InvariantCulture, $"<0x{b:X2}>"));
        foreach (string token in all.Concat(Words).Concat([sign, sign + "t", sign + "the", sign + "he", sign + "h"]))
            vocab.TryAdd(token, vocab.Count);
        var (normalizer, preTokenizer) = form switch
        {
            "bytes" or "bytes whole" => ("null", Bytes),
            "bytes composed" => ("""{"type":"NFC"}""", Bytes),
            "bytes digits" => ("null", Sequence("pretokenizers", Digits, Bytes)),
            "bytes o200k" => ("null", Sequence("pretokenizers", Split(SplitPattern.O200k.Regex),
                Bytes.Replace("true", "false", StringComparison.Ordinal))),
            "always" => (Sequence("normalizers", """{"type":"Prepend","prepend":"▁"}""", Signs), "null"),
            "never" => (Signs, "null"),
            _ => ("null", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}"""),
        };
        string[] strip = form == "never" ? [] : ["""{"type":"Strip","content":" ","start":1,"stop":0}"""];
        string decoder = bytes ? """{"type":"ByteLevel"}"""
            : Sequence("decoders", [Spaces, """{"type":"ByteFallback"}""", """{"type":"Fuse"}""", .. strip]);
        string[][] merges =
        [
            ["h", "e"], ["l", "l"], ["he", "ll"], ["hell", "o"], ["a", "b"],
            [sign, "t"], [sign + "t", "he"], [sign, bytes ? "h" : "he"],
        ];
        return new JsonObject
        {
            ["added_tokens"] = JsonNode.Parse(
                """[{"id":0,"content":"<s>","special":true},{"id":0,"content":"</s>"}]"""),
            ["normalizer"] = JsonNode.Parse(normalizer),
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["decoder"] = JsonNode.Parse(decoder),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["byte_fallback"] = !bytes,
                ["ignore_merges"] = form == "bytes whole",
                ["vocab"] = vocab,
                ["merges"] = JsonSerializer.SerializeToNode(merges),
            },
        };
    }

    static ITokenizer Read(JsonNode json, bool fast = false) =>
        TokenizerJson.Read(JsonElement.Parse(json.ToJsonString()), "tokenizer.json", TokenizerConfig.None, fast);

    [Theory]
    [InlineData("bytes")]
    [InlineData("bytes whole")]
    [InlineData("bytes composed")]
    [InlineData("bytes digits")]
    [InlineData("bytes o200k")]
    [InlineData("always")]
    [InlineData("never")]
    [InlineData("first")]
    public void A_faster_tokenizer_makes_the_same_ids(string form)
    {
        var json = Fast(form);
        ITokenizer slow = Read(json), fast = Read(json, fast: true);
        Assert.IsType<PipelineTokenizer>(slow);
        Assert.IsAssignableFrom<BpeTokenizer>(fast);
        Assert.Equal((slow.VocabSize, slow.BeginId), (fast.VocabSize, fast.BeginId));
        var random = new Random(5);
        for (int i = 0; i < 400; i++)
        {
            string text =
                string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => Bits[random.Next(Bits.Length)]));
            foreach (bool special in (bool[])[true, false])
                Assert.Equal((text, string.Join(' ', slow.Encode(text, special))),
                    (text, string.Join(' ', fast.Encode(text, special))));
        }
    }

    [Theory]
    [InlineData("bytes", "/added_tokens/0/lstrip", "true")]
    [InlineData("bytes whole", "/added_tokens/0/content", "\"hello\"")]
    [InlineData("bytes composed", "/added_tokens/0/normalized", "true")]
    [InlineData("bytes", "/model/vocab/中", "900")]
    [InlineData("bytes", "/model/end_of_word_suffix", "\"x\"")]
    [InlineData("bytes", "/pre_tokenizer/add_prefix_space", "true")]
    [InlineData("bytes", "/decoder", "null")]
    [InlineData("always", "/model/byte_fallback", "false")]
    [InlineData("always", "/model/ignore_merges", "true")]
    [InlineData("always", "/decoder", "{\"type\":\"Metaspace\",\"replacement\":\"▁\"}")]
    [InlineData("first", "/pre_tokenizer/split", "true")]
    [InlineData("first", "/pre_tokenizer/prepend_scheme", "\"always\"")]
    [InlineData("never", "/normalizer/content", "\"_\"")]
    public void What_a_faster_tokenizer_does_not_do_is_run_step_by_step(string form, string at, string value)
    {
        var json = Fast(form);
        string[] keys = at[1..].Split('/');
        JsonNode parent = json;
        foreach (string key in keys[..^1])
            parent = int.TryParse(key, out int index) ? parent[index]! : parent[key]!;
        parent[keys[^1]] = JsonNode.Parse(value);
        Assert.IsType<PipelineTokenizer>(Read(json, fast: true));
    }

    [Fact]
    public void Special_tokens_are_text_where_the_caller_does_not_allow_them()
    {
        var tokenizer = Read(Fast("always"));
        Assert.Equal(tokenizer.SpecialTokens["<s>"], Assert.Single(tokenizer.Encode("<s>", allowSpecial: true)));
        Assert.True(tokenizer.Encode("<s>").Length > 1);
        Assert.Single(tokenizer.Encode("</s>")); // is not special
        Assert.Equal(" <s>", tokenizer.Decode(tokenizer.Encode(" <s>")));
    }

    [Theory]
    [InlineData("""{"type":"BertProcessing","sep":["</s>",1],"cls":["<s>",2]}""", 2)]
    [InlineData("""{"type":"RobertaProcessing","sep":["</s>",1],"cls":["<s>",3],"trim_offsets":true}""", 3)]
    [InlineData("""{"type":"ByteLevel"}""", null)]
    [InlineData("null", null)]
    [InlineData("""{"type":"TemplateProcessing","single":[$B,$A,$E],"special_tokens":{"b":{"ids":[4]}}}""", 4)]
    [InlineData("""{"type":"TemplateProcessing","single":[$A,$E],"special_tokens":{"e":{"ids":[5]}}}""", null)]
    [InlineData("""{"type":"TemplateProcessing","single":[$B,$A],"special_tokens":{"b":{"ids":[4,5]}}}""", null)]
    [InlineData("""{"type":"Sequence","processors":[{"type":"BertProcessing","cls":["<s>",2]}]}""", 2)]
    public void The_post_processor_says_what_stands_in_front_of_a_prompt(string processor, int? begin)
    {
        var json = Fast("always");
        processor = processor.Replace("$A", """{"Sequence":{"id":"A","type_id":0}}""", StringComparison.Ordinal)
            .Replace("$B", """{"SpecialToken":{"id":"b","type_id":0}}""", StringComparison.Ordinal)
            .Replace("$E", """{"SpecialToken":{"id":"e","type_id":0}}""", StringComparison.Ordinal);
        json["post_processor"] = JsonNode.Parse(processor);
        Assert.Equal(begin, Read(json).BeginId);
        Assert.Equal(begin, Read(json, fast: true).BeginId);
    }

    [Theory]
    [InlineData("""{"add_bos_token":true,"bos_token":"<s>"}""", "null")]
    [InlineData("""{"add_bos_token":false,"bos_token":"<s>"}""",
        """{"type":"BertProcessing","sep":["</s>",1],"cls":["<s>",2]}""")]
    [InlineData("{}", """{"type":"BertProcessing","sep":["</s>",1],"cls":["<s>",2]}""")]
    public void A_beginning_that_another_file_decides_is_written_along(string config, string processor)
    {
        using var folder = new TempFolder();
        var json = Fast("first");
        json["pre_tokenizer"]!["split"] = true;
        json["post_processor"] = JsonNode.Parse(processor);
        File.WriteAllText(folder.File("tokenizer.json"), json.ToJsonString());
        File.WriteAllText(folder.File("tokenizer_config.json"), config);
        var tokenizer = Assert.IsType<PipelineTokenizer>(TokenizerLoader.Load(folder.Root));
        tokenizer.Save(folder.File("other.json"));
        File.Delete(folder.File("tokenizer_config.json"));
        var back = TokenizerLoader.Load(folder.File("other.json"));
        Assert.Equal(tokenizer.BeginId, back.BeginId);
        Assert.Equal(config.Contains("true", StringComparison.Ordinal) || config == "{}", back.BeginId is not null);
    }

    /// <summary>A million equal characters: time and memory are those of the text, not of its square.</summary>
    [Theory]
    [InlineData("bytes", "a")]
    [InlineData("first", "a")]
    [InlineData("first", " ")]
    [InlineData("first", "<s>")]
    [InlineData("unigram", "a")]
    [InlineData("word pieces", "a")]
    public void A_long_text_of_one_character_is_encoded(string form, string bit)
    {
        const string Unigram = """{"type":"Unigram","unk_id":0,"vocab":[["?",0],["a",-1],["aaaa",-2.5],["▁",-3]]}""",
            WordPiece = """{"max_input_chars_per_word":2000000,"type":"WordPiece","vocab":{"##a":1,"▁":2}}""";
        var json = Fast(form == "bytes" ? form : "first");
        if (form is "unigram" or "word pieces")
            json["model"] = JsonNode.Parse(form == "unigram" ? Unigram : WordPiece);
        string text = new StringBuilder().Insert(0, bit, 300_000).ToString();
        Assert.True(Read(json).Encode(text, allowSpecial: true).Length is > 300_000 / 16 and <= 300_001);
    }

    [Fact]
    public void Text_that_steps_multiply_is_refused()
    {
        const string Grow = """{"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaaaa"}""";
        var json = Fast("never");
        json["normalizer"] = JsonNode.Parse(Sequence("normalizers", [.. Enumerable.Repeat(Grow, 40)]));
        Assert.Contains("more than", Assert.Throws<NanoException>(() => Read(json).Encode("a")).Message,
            StringComparison.Ordinal);
        json["added_tokens"]![0]!["content"] = "aaa";
        json["added_tokens"]![0]!["normalized"] = true;
        Assert.Throws<BadFileException>(() => Read(json));
    }

    [Fact]
    public void Text_without_a_token_is_an_error_where_there_is_none_for_the_unknown()
    {
        var json = Fast("first");
        json["model"] = JsonNode.Parse("""{"type":"Unigram","vocab":[["a",-1],["▁",-1]]}""");
        Assert.Contains("U+1F600", Assert.Throws<NanoException>(() => Read(json).Encode("a\U0001F600")).Message,
            StringComparison.Ordinal);
        json["model"] = JsonNode.Parse("""{"type":"WordLevel","unk_token":"?","vocab":{"▁a":0}}""");
        Assert.Contains("'▁b'", Assert.Throws<NanoException>(() => Read(json).Encode("b")).Message,
            StringComparison.Ordinal);
        Assert.Equal([0], Read(json).Encode("a"));
        Assert.Contains("surrogate", Assert.Throws<NanoException>(() => Read(json).Encode("a\uD83D")).Message,
            StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => Read(json).Decode([7]));
        Assert.Throws<NanoException>(() => Read(json).BytesOf(-1).Length);
    }

    [Theory]
    [InlineData("/model", """{"type":"Unigram","unk_id":1,"vocab":[["a",-1]]}""", "'model.unk_id' is 1")]
    [InlineData("/model", """{"type":"Unigram","unk_id":0,"vocab":[["a"]]}""", "'model.vocab[0]'")]
    [InlineData("/model", """{"type":"Unigram","unk_id":0,"vocab":[["a",1e999]]}""", "'model.vocab[0]'")]
    [InlineData("/model", """{"vocab":{}}""", "has no type")]
    [InlineData("/normalizer", """{"type":"Precompiled","precompiled_charsmap":"AAAA"}""", "shorter than it says")]
    [InlineData("/normalizer", """{"type":"Precompiled","precompiled_charsmap":"?"}""", "not base 64")]
    [InlineData("/normalizer", """{"type":"Replace","pattern":{"String":""},"content":""}""", "has no pattern")]
    [InlineData("/pre_tokenizer", """{"type":"Punctuation","behavior":"Shuffled"}""", "'Shuffled'")]
    [InlineData("/pre_tokenizer", """{"type":"FixedLength","length":0}""", "not positive")]
    [InlineData("/decoder", """{"type":"Strip","content":"ab","start":1,"stop":0}""", "not one character")]
    public void What_is_malformed_is_named(string at, string value, string expected)
    {
        var json = Fast("never");
        json[at[1..]] = JsonNode.Parse(value);
        Assert.Contains(expected, Assert.Throws<BadFileException>(() => Read(json)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void It_has_no_form_in_GGUF_and_is_never_cut()
    {
        var tokenizer = Read(Fast("always"));
        Assert.Contains("tokenizer.json", GgufTokenizer.Refusal(tokenizer), StringComparison.Ordinal);
        Assert.False(new TextCutter(tokenizer).TryFindLast("one two three four", out _, out _));
    }
}
