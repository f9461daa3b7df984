using System.Text.Json;

namespace Nano.Tests.Tokenizers;

/// <summary>
/// Every name of tokenizer.ggml.pre against llama.cpp itself (tests/goldens/gguf_pre), over
/// vocabularies whose merges would join what nothing cuts.
/// </summary>
public class GgufRulesTests
{
    static readonly string[] Texts =
        JsonSerializer.Deserialize<string[]>(File.ReadAllText(Goldens.Path("gguf_pre/texts.json")))!;

    // The texts on which llama.cpp approximates the models' own patterns, by the first name of the rules; the
    // README beside the golden values says why.
    static readonly Dictionary<string, int[]> Differences = new()
    {
        ["tekken"] = [9, 11, 15, 37, 43],
        ["gpt-4o"] = [9, 11, 15, 37, 43],
        ["kimi-k2"] = [7, 9, 11, 15, 18, 37, 43],
        ["youtu"] = [18],
        ["tiny_aya"] = [18, 40, 41, 42],
        ["deepseek-v3"] = [19],
        ["afmoe"] = [19, 40, 41, 42],
        ["deepseek-llm"] = [22],
        ["deepseek-coder"] = [22, 42],
        ["superbpe"] = [10, 17, 42],
    };

    public static TheoryData<int, string> Groups
    {
        get
        {
            using var json = Open();
            var data = new TheoryData<int, string>();
            foreach (var (index, group) in json.RootElement.GetProperty("groups").EnumerateArray().Index())
                data.Add(index, group.GetProperty("names")[0].GetString()!);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void Ids_are_those_of_llama_cpp(int index, string first)
    {
        using var json = Open();
        var group = json.RootElement.GetProperty("groups")[index];
        // Names with the same rules are tested once.
        foreach (var rules in group.GetProperty("names").EnumerateArray()
            .Select(name => GgufRules.Find(name.GetString()!, "f")).Distinct())
        {
            Assert.Equal(group.GetProperty("begins").GetBoolean(), rules.Begins);
            var differing = new SortedSet<int>();
            foreach (var vocabulary in json.RootElement.GetProperty("vocabularies").EnumerateArray())
            {
                var tokenizer = GgufVocabulary.Create(Metadata(vocabulary.GetProperty("merges"), rules.Names[0]));
                foreach (var (t, text) in Texts.Index()
                    .Where(of => !rules.Composed
                        || NormalFormC.Of(of.Item, compatible: false, composed: true).SequenceEqual(of.Item)))
                {
                    var of = vocabulary.GetProperty("texts")[t];
                    var expected = of.GetProperty("ids")[of.GetProperty("of")[index].GetInt32()].EnumerateArray()
                        .Select(id => id.GetInt32());
                    if (!tokenizer.Encode(text).SequenceEqual(expected))
                        differing.Add(t);
                }
            }
            Assert.True(differing.SequenceEqual(Differences.GetValueOrDefault(rules.Names[0], [])),
                $"{rules.Names[0]} in {first}: {string.Join(' ', differing)}");
        }
    }

    /// <summary>
    /// Names that the library behind the golden values does not know yet; pieces by hand, from the
    /// patterns.
    /// </summary>
    [Theory]
    [InlineData("ufakzeka", "Ali'nin it's", "Ali|'nin| it|'s")]
    [InlineData("spark2_5", "a!!\n\n1234", "a|!!|\n|\n|1|2|3|4")]
    [InlineData("hy_v4", "a!!\n\n1234中文b", "a|!!\n\n|123|4|中文|b")]
    [InlineData("seed-coder", "a!!\n\nb", "a|!!|\n\n|b")] // those below are golden, too; by hand for the reader
    [InlineData("afmoe", "x1234567", "x|1|234|567")]
    [InlineData("superbpe", "the big 1234567 cat", "the big |1|234|567| cat")]
    [InlineData("kimi-k2", "中文々and漢", "中文々|and|漢")]
    [InlineData("bloom", "foo-bar, baz", "foo-bar|,| baz")]
    [InlineData("exaone-moe", "hello big  world", "hello big| | world")]
    public void Pieces_by_hand(string name, string text, string expected)
    {
        var ends = new RegexCutter(GgufRules.Find(name, "f").Pattern.Regexes).Ends(text);
        Assert.Equal(expected.Split('|'), ends.Select((end, i) => text[(i == 0 ? 0 : ends[i - 1])..end]));
    }

    [Fact]
    public void Every_name_is_there_once_and_the_rules_that_have_one_are_written_under_it()
    {
        string[] names = [.. GgufRules.All.SelectMany(rules => rules.Names)];
        Assert.Equal(names.Length, names.Distinct().Count());
        using var json = Open();
        var merges = json.RootElement.GetProperty("vocabularies")[0].GetProperty("merges");
        foreach (var rules in GgufRules.All)
        {
            var tokenizer = GgufVocabulary.Create(Metadata(merges, rules.Names[^1]));
            Assert.Null(GgufTokenizer.Refusal(tokenizer));
            var written = new GgufMetadata("g");
            GgufTokenizer.Write(tokenizer, tokenizer.VocabSize, written);
            Assert.Equal(rules.Names[0], written.String("tokenizer.ggml.pre"));
            var read = GgufVocabulary.Create(written);
            Assert.Equal(Texts.Select(text => tokenizer.Encode(text)), Texts.Select(text => read.Encode(text)));
        }
    }

    [Theory]
    [InlineData("qwen3", "did you mean 'qwen2'? Known are a.x-4.0, afmoe,")]
    [InlineData("nothing-like-it", "(tokenizer.ggml.pre) is not known. Known are a.x-4.0,")]
    [InlineData("gemma4", "is not supported: it is not that of a byte-level vocabulary")]
    public void A_name_that_is_not_known_is_an_error_with_the_nearest(string name, string expected)
    {
        var e = Assert.Throws<BadFileException>(() => GgufRules.Find(name, "some.gguf"));
        Assert.StartsWith($"some.gguf: the way to cut text '{name}' (tokenizer.ggml.pre) is not ", e.Message,
            StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    /// <summary>Places at which a long text is cut into parts do not change ids where the rules promise it.</summary>
    [Fact]
    public void Parts_of_a_text_have_the_ids_of_the_whole()
    {
        using var json = Open();
        var merges = json.RootElement.GetProperty("vocabularies")[1].GetProperty("merges");
        string text = string.Join(' ', Texts);
        foreach (var rules in GgufRules.All)
        {
            var tokenizer = GgufVocabulary.Create(Metadata(merges, rules.Names[0]));
            var cutter = new TextCutter(tokenizer);
            Assert.Equal(rules.Pattern.EndsWithWords, cutter.TryFindLast(text, out int end, out int next));
            var whole = tokenizer.Encode(text);
            for (int length = text.Length; cutter.TryFindLast(text.AsSpan(0, length), out end, out next);
                length = Math.Max(0, end - 20))
                Assert.Equal<IEnumerable<int>>(whole,
                    [.. tokenizer.Encode(text.AsSpan(0, end)), .. tokenizer.Encode(text.AsSpan(next))]);
        }
    }

    static JsonDocument Open() => JsonDocument.Parse(File.ReadAllText(Goldens.Path("gguf_pre/gguf_pre.json")));

    /// <summary>The vocabulary of make.cs: two special tokens, the bytes, and what merges make.</summary>
    static GgufMetadata Metadata(JsonElement merges, string pre)
    {
        List<byte[]> tokens = [.. Enumerable.Range(0, 256).Select(b => (byte[])[(byte)b])];
        var rules = new List<string>();
        foreach (var merge in merges.EnumerateArray())
        {
            var (left, right) = (tokens[merge[0].GetInt32()], tokens[merge[1].GetInt32()]);
            rules.Add($"{ByteAlphabet.ToText(left)} {ByteAlphabet.ToText(right)}");
            tokens.Add([.. left, .. right]);
        }
        var metadata = new GgufMetadata("f");
        metadata.Set("tokenizer.ggml.model", "gpt2");
        metadata.Set("tokenizer.ggml.pre", pre);
        metadata.Set("tokenizer.ggml.tokens", ["<|begin|>", "<|user|>",
            .. tokens.Select(token => ByteAlphabet.ToText(token))]);
        metadata.Set("tokenizer.ggml.token_type", (int[])[3, 4, .. Enumerable.Repeat(1, tokens.Count)]);
        metadata.Set("tokenizer.ggml.merges", rules);
        metadata.Set("tokenizer.ggml.bos_token_id", 0u);
        return metadata;
    }
}
