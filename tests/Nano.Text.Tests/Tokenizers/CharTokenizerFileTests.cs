using System.Text.Json.Nodes;

namespace Nano.Tests.Tokenizers;

public class CharTokenizerFileTests
{
    const string Alphabet = "\0\n \"\\/az\u007Fé\u2028漢\uE000\uFFFD😀";

    [Fact]
    public void A_saved_tokenizer_is_loaded_and_saved_again_the_same()
    {
        using var folder = new TempFolder();
        var tokenizer = CharTokenizer.FromText(Alphabet);
        tokenizer.Save(folder.File("1.json"));
        var loaded = CharTokenizer.Load(folder.File("1.json"));
        loaded.Save(folder.File("2.json"));
        Assert.Equal(tokenizer.Symbols, loaded.Symbols);
        Assert.Equal(tokenizer.Encode(Alphabet), loaded.Encode(Alphabet));
        Assert.Equal(File.ReadAllBytes(folder.File("1.json")), File.ReadAllBytes(folder.File("2.json")));
    }

    [Fact]
    public void The_file_is_a_Hugging_Face_BPE_without_merges()
    {
        using var folder = new TempFolder();
        CharTokenizer.FromText("b\na").Save(folder.File("t.json"));
        JsonNode expected = JsonNode.Parse("""
            {
              "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
              "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
              "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
                "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                "vocab": {"\n": 0, "a": 1, "b": 2}, "merges": []
              }
            }
            """)!;
        string text = File.ReadAllText(folder.File("t.json"));
        Assert.True(JsonNode.DeepEquals(expected, JsonNode.Parse(text)), text);
        Assert.EndsWith("}\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', text);
    }

    [Fact]
    public void Keys_that_say_nothing_may_be_absent()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("t.json"),
            """{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"b":1,"a":0}}}""");
        Assert.Equal([1, 0], CharTokenizer.Load(folder.File("t.json")).Encode("ba"));
    }

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("[]", "top level")]
    [InlineData("{}", "'decoder' is missing")]
    [InlineData("""{"decoder":{"type":"ByteLevel"},"model":{}}""", "'decoder' is '{\"type\":\"ByteLevel\"}'")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":7}""", "'model' is not")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[]}}""", "'model.vocab' is missing")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"Unigram","merges":[],"vocab":{"a":0}}}""",
        "'model.type' is '\"Unigram\"'")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":["a b"],"vocab":{"a":0}}}""",
        "'model.merges'")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":[]}}""",
        "'model.vocab' is not")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{}}}""", "empty")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"ab":0}}}""",
        "'ab' is not one character")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"":0}}}""",
        "'' is not one character")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"a":1}}}""",
        "the id '1' of 'a'")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"a":0,"b":0}}}""",
        "the id '0' of 'b'")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"a":"0"}}}""", "of 'a'")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"a":1,"b":0}}}""",
        "code point order")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"a":0,"a":1}}}""",
        "not valid JSON")]
    [InlineData("""{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":{"\ud800":0}}}""", "")]
    [InlineData("""{"decoder":{"type":"Fuse"},"normalizer":"\ud800","model":{"type":"BPE","merges":[],"vocab":{"a":0}}}""", "")]
    [InlineData("""{"decoder":{"type":"Fuse"},"surprise":1,"model":{"type":"BPE","merges":[],"vocab":{"a":0}}}""",
        "'surprise' is unknown")]
    [InlineData("""{"decoder":{"type":"Fuse"},"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"BPE","merges":[],"vocab":{"a":0}}}""", "'pre_tokenizer' is")]
    public void Anything_else_is_refused_saying_what_was_found(string json, string expected)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("t.json"), json);
        var e = Assert.Throws<BadFileException>(() => CharTokenizer.Load(folder.File("t.json")));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_not_utf8_are_refused()
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("t.json"), [(byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)'}']);
        Assert.Throws<BadFileException>(() => CharTokenizer.Load(folder.File("t.json")));
    }

    [Fact]
    public void A_missing_file_is_an_error_with_a_hint()
    {
        using var folder = new TempFolder();
        Assert.NotNull(Assert.Throws<NanoException>(() => CharTokenizer.Load(folder.File("none.json"))).Hint);
    }

    [Fact]
    public void Mutations_are_loaded_or_refused()
    {
        using var folder = new TempFolder();
        string path = folder.File("t.json");
        CharTokenizer.FromText(Alphabet).Save(path);
        byte[] valid = File.ReadAllBytes(path);
        var random = new Random(3);
        for (int i = 0; i < 3_000; i++)
        {
            byte[] bytes = [.. valid];
            for (int n = random.Next(1, 3); n > 0; n--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(path, bytes);
            try
            {
                CharTokenizer.Load(path);
            }
            catch (BadFileException)
            {
                // Refused, as most are.
            }
        }
    }
}
