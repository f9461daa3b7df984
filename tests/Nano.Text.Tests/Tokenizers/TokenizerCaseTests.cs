using System.Text;
using System.Text.Json;

namespace Nano.Tests.Tokenizers;

/// <summary>
/// Small tokenizer.json documents against the ids and texts of Hugging Face's library: those of tests/cases, rebuilt
/// from bug reports, and those of tests/goldens/tokenizer_json, one for each construct.
/// </summary>
public class TokenizerCaseTests
{
    const int TextCount = 22;

    static readonly string Cases = Path.Combine(Goldens.Path("."), "..", "cases", "tokenizer-json");

    static readonly Lazy<JsonElement> Golden = new(() =>
        JsonElement.Parse(File.ReadAllText(Goldens.Path("tokenizer_json/cases.json"))));

    public static TheoryData<string> Folders =>
        [.. Directory.GetDirectories(Cases).Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Documents =>
        [.. Golden.Value.GetProperty("documents").EnumerateArray().Select(document =>
        document.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_reported_case_has_its_ids(string folder)
    {
        var expect = JsonElement.Parse(File.ReadAllText(Path.Combine(Cases, folder, "expect.json")));
        Assert.Equal("tokenize", expect.GetProperty("kind").GetString());
        var tokenizer = TokenizerLoader.Load(Path.Combine(Cases, folder, expect.GetProperty("tokenizer").GetString()!));
        Assert.All(expect.GetProperty("cases").EnumerateArray(), of =>
            Assert.Equal(Ids(of.GetProperty("ids")),
            tokenizer.Encode(of.GetProperty("text").GetString(), allowSpecial: true)));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void A_construct_has_the_ids_and_texts_of_the_library(string name)
    {
        var document = Document(name);
        var tokenizer = TokenizerJson.Read(document.GetProperty("document"), name, TokenizerConfig.None, fast: false);
        var texts = Texts();
        var cases = document.GetProperty("cases").EnumerateArray().ToArray();
        Assert.Equal(TextCount, cases.Length);
        for (int i = 0; i < cases.Length; i++)
        {
            int[] ids = Ids(cases[i][0]);
            Assert.Equal((texts[i], string.Join(' ', ids)),
                (texts[i], string.Join(' ', tokenizer.Encode(texts[i], allowSpecial: true))));
            Assert.Equal(cases[i][1].GetString(), tokenizer.Decode(ids));
        }
    }

    [Fact]
    public void There_are_so_many_of_both() => Assert.Equal((8, 103), (Folders.Count, Documents.Count));

    [Theory]
    [MemberData(nameof(Documents))]
    public void A_document_reads_back_as_the_same_tokenizer_and_is_written_as_the_same_bytes(string name)
    {
        using var folder = new TempFolder();
        var tokenizer =
            TokenizerJson.Read(Document(name).GetProperty("document"), name, TokenizerConfig.None, fast: false);
        tokenizer.Save(folder.File("tokenizer.json"));
        var back = TokenizerLoader.Load(folder.Root);
        Assert.Equal((tokenizer.VocabSize, tokenizer.BeginId), (back.VocabSize, back.BeginId));
        Assert.Equal(tokenizer.EndIds, back.EndIds);
        Assert.All(Texts(), text =>
            Assert.Equal(tokenizer.Encode(text, allowSpecial: true), back.Encode(text, allowSpecial: true)));
        if (back is not PipelineTokenizer)
            return;
        back.Save(folder.File("again.json"));
        Assert.Equal(File.ReadAllBytes(folder.File("tokenizer.json")), File.ReadAllBytes(folder.File("again.json")));
    }

    /// <summary>
    /// Where the library's decoder neither joins bytes of several tokens nor looks at what stands beside a token.
    /// </summary>
    [Theory]
    [InlineData("WordPiece")]
    [InlineData("WordPiece short words")]
    [InlineData("WordLevel")]
    [InlineData("Unigram byte_fallback false")]
    [InlineData("BPE fuse_unk true, 0 bytes missing")]
    [InlineData("BPE ignore_merges")]
    [InlineData("BPE without a type")]
    [InlineData("decoder Replace")]
    [InlineData("normalizer NFKC")]
    public void Text_that_grows_id_by_id_becomes_the_decoded_text(string name)
    {
        var tokenizer =
            TokenizerJson.Read(Document(name).GetProperty("document"), name, TokenizerConfig.None, fast: false);
        Assert.All(Texts(), text =>
        {
            int[] ids = tokenizer.Encode(text, allowSpecial: true);
            var decoder = new StreamDecoder(tokenizer);
            var grown = new StringBuilder();
            foreach (int id in ids)
                grown.Append(decoder.Push(id));
            Assert.Equal(tokenizer.Decode(ids), grown.Append(decoder.Flush()).ToString());
        });
    }

    static string[] Texts() =>
        [.. Golden.Value.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!)];

    static JsonElement Document(string name) =>
        Golden.Value.GetProperty("documents").EnumerateArray().First(document =>
        document.GetProperty("name").GetString() == name);

    static int[] Ids(JsonElement ids) => [.. ids.EnumerateArray().Select(id => id.GetInt32())];
}
