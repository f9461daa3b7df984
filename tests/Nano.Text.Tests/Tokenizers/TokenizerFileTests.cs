using System.Text.Json;
using System.Text.Json.Nodes;
using Nano.Fuzz;

namespace Nano.Tests.Tokenizers;

/// <summary>
/// tokenizer.json as the models of the field have it, in small, and the other files where they are
/// wrong.
/// </summary>
public class TokenizerFileTests
{
    const string ByteLevelBefore =
        """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""",
        Llama3Regex = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Byte-level BPE: h i ! 1 2 and a space, hi, " hi", 12, and two special tokens.</summary>
    static JsonObject Bytes(string preTokenizer) => (JsonObject)JsonNode.Parse($$"""
        {
          "version": "1.0", "truncation": null, "padding": null,
          "added_tokens": [
            {"id": 9, "content": "<|begin_of_text|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
            {"id": 10, "content": "<|eot_id|>", "special": true},
            {"id": 11, "content": "<tool>", "special": false}],
          "normalizer": null,
          "pre_tokenizer": {{preTokenizer}},
          "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
          "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
          "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false,
            "vocab": {"h": 0, "i": 1, "!": 2, "1": 3, "2": 4, "Ġ": 5, "hi": 6, "Ġhi": 7, "12": 8}, "merges": ["h i", "Ġ hi", "1 2"]}
        }
        """)!;

    static string Split(string regex, string behavior = "Isolated", bool invert = false) =>
        $$"""{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":{{JsonSerializer.Serialize(regex)}}},"behavior":"{{behavior}}","invert":{{(invert ? "true" : "false")}}},{{ByteLevelBefore}}]}""";

    static ITokenizer Load(JsonNode json, params (string Name, string Content)[] beside)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("tokenizer.json"), json.ToJsonString());
        foreach (var (name, content) in beside)
            File.WriteAllText(folder.File(name), content);
        return TokenizerLoader.Load(folder.Root);
    }

    [Fact]
    public void Gpt2() => Assert.Equal([6, 7, 5, 8, 2, 11],
        Load(Bytes("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}""")).Encode("hi hi 12!<tool>"));

    [Fact]
    public void SmolLM_cuts_out_every_digit() =>
        Assert.Equal([6, 5, 3, 4],
            Load(Bytes("""{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]}""")).Encode("hi 12"));

    [Fact]
    public void Qwen2_composes_characters_and_cuts_single_digits()
    {
        var json = Bytes(Split(Llama3Regex.Replace("{1,3}", "", StringComparison.Ordinal)));
        json["normalizer"] = JsonNode.Parse("""{"type":"NFC"}""");
        json["model"]!["vocab"]!["Ã"] = 12;
        json["model"]!["vocab"]!["©"] = 13;
        Assert.Equal([3, 4, 12, 13], Load(json).Encode("12e\u0301"));
    }

    [Fact]
    public void Llama3_begins_a_text_and_takes_tokens_whole()
    {
        var json = Bytes(Split(Llama3Regex));
        json["model"]!["ignore_merges"] = true;
        // those that are not in the vocabulary are numbered from its size on
        foreach (var token in json["added_tokens"]!.AsArray())
            json["model"]!["vocab"]![(string)token!["content"]!] = (int)token["id"]!;
        json["model"]!["vocab"]!["ihi"] = 12; // no merge makes it
        json["post_processor"] = JsonNode.Parse("""
            {"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|begin_of_text|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
             "pair":[],"special_tokens":{"<|begin_of_text|>":{"id":"<|begin_of_text|>","ids":[9],"tokens":["<|begin_of_text|>"]}}}]}
            """);
        var tokenizer = Load(json, ("generation_config.json", """{"eos_token_id":[2,10]}"""));
        Assert.Equal(9, tokenizer.BeginId);
        Assert.Equal([2, 10], tokenizer.EndIds);
        Assert.Equal([12, 7, 8], tokenizer.Encode("ihi hi12"));
        Assert.Equal([9, 6, 10], tokenizer.Encode("<|begin_of_text|>hi<|eot_id|>", allowSpecial: true));
        Assert.Equal("<|begin_of_text|>hi", tokenizer.Decode([9, 6]));
        Assert.Equal(12 + 1, tokenizer.VocabSize);
        Assert.Equal(["<|begin_of_text|>", "<|eot_id|>"], tokenizer.SpecialTokens.Keys.Order(StringComparer.Ordinal));
        json["model"]!["ignore_merges"] = false;
        Assert.Equal([1, 6], Load(json).Encode("ihi"));
    }

    [Fact]
    public void Matches_may_be_given_as_what_a_split_does_not_remove() =>
        Assert.Equal([6, 7, 8], Load(Bytes(Split(Llama3Regex, "Removed", invert: true))).Encode("hi hi12"));

    [Fact]
    public void Configurations_beside_it_say_where_texts_begin_and_end()
    {
        var json = Bytes("""{"type":"ByteLevel","add_prefix_space":false}""");
        var tokenizer = Load(json,
            ("tokenizer_config.json",
                """{"add_bos_token":true,"bos_token":"<|begin_of_text|>","eos_token":{"content":"<tool>"}}"""),
                ("config.json", """{"eos_token_id":3}"""));
        Assert.Equal(9, tokenizer.BeginId);
        Assert.Equal([11, 3, 10], tokenizer.EndIds);
        Assert.Null(Load(json,
            ("tokenizer_config.json", """{"add_bos_token":false,"bos_token":"<|begin_of_text|>"}""")).BeginId);
    }

    /// <summary>
    /// Characters with bytes to fall back on: the three special tokens, 256 bytes, then U+2581 h i,
    /// "▁h", "▁hi".
    /// </summary>
    static JsonObject Pieces(string normalizer, string preTokenizer)
    {
        var vocab = new JsonObject { ["<unk>"] = 0, ["<s>"] = 1, ["</s>"] = 2 };
        for (int b = 0; b < 256; b++)
            vocab[$"<0x{b:X2}>"] = 3 + b;
        foreach (string token in (string[])["▁", "h", "i", "▁h", "▁hi"])
            vocab[token] = vocab.Count;
        return new JsonObject
        {
            ["added_tokens"] = JsonNode.Parse(
                """[{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true},{"id":2,"content":"</s>","special":true}]"""),
            ["normalizer"] = JsonNode.Parse(normalizer),
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["decoder"] = JsonNode.Parse(
                """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"""),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["vocab"] = vocab,
                ["merges"] = JsonNode.Parse("""[["▁","h"],["▁h","i"]]""")
            },
        };
    }

    [Fact]
    public void Llama2_puts_a_space_before_every_part()
    {
        var tokenizer = Load(
            Pieces("""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}""", "null"));
        Assert.Equal([263, 263, 3 + 0xC3, 3 + 0xA9], tokenizer.Encode("hi hié"));
        Assert.Equal([1, 263, 2, 263], tokenizer.Encode("<s>hi</s>hi", allowSpecial: true));
        Assert.Equal("hi hié", tokenizer.Decode([1, 263, 263, 3 + 0xC3, 3 + 0xA9, 2]));
        Assert.Equal([2], tokenizer.EndIds);
    }

    [Fact]
    public void Mistral_puts_one_before_the_first()
    {
        var tokenizer = Load(
            Pieces("null", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}"""));
        Assert.Equal([263, 263], tokenizer.Encode("hi hi"));
        Assert.Equal([1, 260, 261, 263], tokenizer.Encode("<s>hi hi", allowSpecial: true));
    }

    [Theory]
    [InlineData("/model/type", "\"Unigram\"", "'model.vocab' is missing or not an array of tokens and scores")]
    [InlineData("/model/type", "\"Bigram\"", "'Bigram' is not supported")]
    [InlineData("/model/dropout", "0.1", "'model.dropout' is '0.1'")]
    [InlineData("/model/surprise", "1", "'model.surprise' is unknown")]
    [InlineData("/surprise", "1", "'surprise' is unknown")]
    [InlineData("/normalizer", "{\"type\":\"Uppercase\"}", "'normalizer' has the type 'Uppercase'")]
    [InlineData("/pre_tokenizer", "{\"type\":\"UnicodeScripts\"}", "'pre_tokenizer' has the type 'UnicodeScripts'")]
    [InlineData("/pre_tokenizer", "{\"type\":\"Metaspace\",\"add_prefix_space\":false,\"prepend_scheme\":\"first\"}",
        "which its prepend_scheme contradicts")]
    [InlineData("/pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}",
        "the pattern '('")]
    [InlineData("/post_processor", "{\"type\":\"BertProcessing\"}", "'post_processor' has no 'cls'")]
    [InlineData("/post_processor",
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{}},{\"Token\":{\"id\":\"x\"}}]}",
        "neither a Sequence nor a SpecialToken")]
    [InlineData("/decoder", "{\"type\":\"Nothing\"}", "'decoder' has the type 'Nothing'")]
    [InlineData("/added_tokens/0/lstrip", "1", "'lstrip'")]
    [InlineData("/added_tokens/0/id", "99999999", "far outside")]
    [InlineData("/model/vocab/h", "-1", "the id '-1' of 'h'")]
    [InlineData("/model/vocab/h", "1", "the id 1 of 'i' is taken")]
    [InlineData("/model/merges/0", "\"hi\"", "model.merges[0]")]
    [InlineData("/model/merges/0", "[\"h\",\"x\"]", "merges 'h' and 'x'")]
    [InlineData("/model/merges", "{}", "'model.merges' is missing")]
    [InlineData("/model/vocab", "[]", "'model.vocab' is not")]
    public void What_is_unknown_or_wrong_is_named(string at, string value, string expected)
    {
        var json = Bytes("""{"type":"ByteLevel","add_prefix_space":false}""");
        JsonNode parent = json;
        string[] keys = at[1..].Split('/');
        foreach (string key in keys[..^1])
            parent = int.TryParse(key, out int index) ? parent[index]! : parent[key]!;
        if (parent is JsonArray array)
            array[int.Parse(keys[^1], null)] = JsonNode.Parse(value);
        else
            parent[keys[^1]] = JsonNode.Parse(value);
        var e = Assert.Throws<BadFileException>(() => Load(json));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.EndsWith("tokenizer.json", e.Path, StringComparison.Ordinal);
    }

    [Fact]
    public void A_byte_without_a_token_is_an_error_when_it_comes() =>
        Assert.Contains("0x7A",
            Assert.Throws<NanoException>(() => Load(Bytes("""{"type":"ByteLevel","add_prefix_space":false}"""))
                .Encode("hiz")).Message, StringComparison.Ordinal);

    [Fact]
    public void Pieces_with_scores_merge_by_score()
    {
        var tokenizer = LoadBytes("tokenizer.model", TokenizerCorpus.SentencePiece(TokenizerCorpus.Pieces, 2, 1, 0));
        Assert.Equal(["\u2581to", "\u2581be"], tokenizer.Encode("to be").Select(id => TokenizerCorpus.Pieces[id].Text));
        // "o▁" has a better score than "▁be", but not than "be".
        Assert.Equal(["\u2581", "o", "o\u2581", "be"],
            tokenizer.Encode("oo be").Select(id => TokenizerCorpus.Pieces[id].Text));
        Assert.Equal(tokenizer.Encode("to  bé"),
            LoadBytes("tokenizer.bin", TokenizerCorpus.Llama2c(TokenizerCorpus.Pieces)).Encode("to  bé"));
    }

    [Fact]
    public void The_normalizer_of_a_model_is_followed()
    {
        string[] Of(string text, byte space, byte single, params (string, float, PieceKind)[] more) =>
            [.. LoadBytes("tokenizer.model", TokenizerCorpus.SentencePiece([.. TokenizerCorpus.Pieces, .. more], 2,
                space, single)).Encode(text).Select(id => id < 277 ? TokenizerCorpus.Pieces[id].Text : "+")];
        Assert.Equal(["t", "o"], Of("to", 0, 0));
        Assert.Equal(["\u2581to", "\u2581be"], Of("  to   be ", 1, 1));
        Assert.Equal(["\u2581", "+", "\u2581be"], Of("to be", 1, 0, ("to", 0, PieceKind.UserDefined)));
    }

    /// <summary>
    /// A rank file as long as Llama-3's: all bytes, all pairs of bytes, and triples that begin with
    /// zero.
    /// </summary>
    [Fact]
    public void A_rank_file_of_Llama3_brings_its_special_tokens()
    {
        var lines = new System.Text.StringBuilder();
        for (int id = 0; id < 128_000; id++)
        {
            byte[] token = id < 256 ? [(byte)id] : id < 256 + 65536 ? [(byte)((id - 256) >> 8), (byte)(id - 256)]
                : [0, (byte)((id - 65792) >> 8), (byte)(id - 65792)];
            lines.Append(Convert.ToBase64String(token)).Append(' ').Append(id).Append('\n');
        }
        var tokenizer = LoadBytes("tokenizer.model", System.Text.Encoding.ASCII.GetBytes(lines.ToString()));
        Assert.Equal((128_256, 128_000), (tokenizer.VocabSize, tokenizer.BeginId));
        Assert.Equal([128_001, 128_008, 128_009], tokenizer.EndIds);
        Assert.Equal(256, tokenizer.SpecialTokens.Count);
        Assert.Equal((128_006, 128_007, 128_255),
            (tokenizer.SpecialTokens["<|start_header_id|>"], tokenizer.SpecialTokens["<|end_header_id|>"],
                tokenizer.SpecialTokens["<|reserved_special_token_247|>"]));
        Assert.Equal([256 + (('a' << 8) | 'b'), 'c', 128_009, 256 + (('1' << 8) | '2'), '3', '4'],
            tokenizer.Encode("abc<|eot_id|>1234", allowSpecial: true));
    }

    [Fact]
    public void Models_that_mean_something_else_are_refused()
    {
        AssertBad("'unigram' is not supported", "tokenizer.model",
            TokenizerCorpus.SentencePiece(TokenizerCorpus.Pieces, 1, 1, 0));
        AssertBad("compiled normalization rules", "tokenizer.model",
            TokenizerCorpus.SentencePiece(TokenizerCorpus.Pieces, 2, 1, 0, [1, 2]));
        AssertBad("no pieces", "tokenizer.model", []);
        AssertBad("255 of 256 bytes", "tokenizer.model",
            TokenizerCorpus.SentencePiece(TokenizerCorpus.Pieces.Where((_, id) => id != 9), 2, 1, 0));
        AssertBad("the same token", "tokenizer.model",
            TokenizerCorpus.SentencePiece([.. TokenizerCorpus.Pieces, ("be", 0, PieceKind.Normal)], 2, 1, 0));
        AssertBad("cut off", "tokenizer.bin", TokenizerCorpus.Llama2c(TokenizerCorpus.Pieces)[..^1]);
        AssertBad("2147483647 bytes", "tokenizer.bin", [255, 255, 255, 127]);
        AssertBad("of no known encoding: gpt2 has 50256", "x.tiktoken", "IQ== 0\nIg== 1\n"u8.ToArray());
        AssertBad("line 2 has rank 2, expected 1", "x.tiktoken", "IQ== 0\nIg== 2\n"u8.ToArray());
        AssertBad("neither its name nor its beginning", "notes.txt", "hello"u8.ToArray());
    }

    [Fact]
    public void A_tokenizer_that_is_nowhere_is_an_error_with_a_hint()
    {
        Assert.Contains("tokenizer.json",
            Assert.Throws<NanoException>(() => TokenizerLoader.Load("no-such-folder")).Hint
                + Assert.Throws<NanoException>(() => LoadBytes("config.json", "{}"u8.ToArray())).Hint,
                StringComparison.Ordinal);
    }

    static void AssertBad(string expected, string name, byte[] content) =>
        Assert.Contains(expected, Assert.Throws<BadFileException>(() => LoadBytes(name, content)).Message,
            StringComparison.Ordinal);

    static ITokenizer LoadBytes(string name, byte[] content)
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File(name), content);
        return TokenizerLoader.Load(folder.File(name));
    }
}
