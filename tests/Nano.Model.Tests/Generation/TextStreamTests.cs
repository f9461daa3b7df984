using System.Text;

namespace Nano.Tests;

/// <summary>From tokens to text that grows, with a tokenizer whose tokens cut characters in two.</summary>
public class TextStreamTests
{
    /// <summary>
    /// One id per byte; 256 begins a text and 257 ends it. A space stands before the first byte of
    /// a text unless told otherwise, as in SentencePiece.
    /// </summary>
    sealed class Bytes(bool begins = true, bool ends = true) : ITokenizer
    {
        public int VocabSize => 258;

        public IReadOnlyDictionary<string, int> SpecialTokens =>
            new Dictionary<string, int> { ["<s>"] = 256, ["</s>"] = 257 };

        public int? BeginId => begins ? 256 : null;

        public IReadOnlyList<int> EndIds => ends ? [257] : [];

        public int[] Encode(ReadOnlySpan<char> text, bool allowSpecial = false) =>
            allowSpecial && text.StartsWith("<s>") ? [256, .. Encode(text[3..])] : text.IsEmpty ? []
                : [.. Encoding.UTF8.GetBytes(" " + text.ToString()).Select(b => (int)b)];

        public ReadOnlySpan<byte> BytesOf(int id, bool first = false) =>
            id < 256 ? first && id == ' ' ? [] : new[] { (byte)id } : "<?>"u8.ToArray();

        public string Decode(ReadOnlySpan<int> ids)
        {
            var decoder = new StreamDecoder(this);
            return string.Concat(ids.ToArray().Select(decoder.Push)) + decoder.Flush();
        }

        public void Save(string path) => throw new NotSupportedException();
    }

    static readonly Bytes Tokenizer = new();

    static (string Text, FinishReason? Finished, List<string> Pieces) Read(string promptText, int[] ids,
        FinishReason? end, params string[] stops)
    {
        var source = new GeneratedText(0, Prompt.Encode(promptText, Tokenizer));
        var stream = new TextStream(source, Tokenizer, Tokenizer.EndIds, stops);
        var pieces = new List<string>();
        foreach (int id in ids)
        {
            source.Add(id, null);
            if (id == ids[^1] && end is { } reason)
                source.Finish(reason);
            pieces.Add(stream.Read());
            if (source.Finished is not null)
                break;
        }
        Assert.Equal(stream.Text, string.Concat(pieces));
        return (stream.Text, source.Finished, pieces);
    }

    static int[] Ids(string text) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];

    [Fact]
    public void Pieces_are_whole_characters_behind_the_prompt()
    {
        var (text, finished, pieces) = Read("to be", Ids(" é🙂"), null);
        Assert.Equal((" é🙂", null), (text, finished)); // the space is the text's own: it does not begin here
        Assert.Equal([" ", "", "é", "", "", "", "🙂"], pieces);
        Assert.Equal("é🙂", Read("", Ids(" é🙂"), null).Text); // here it does
        // what stays half a character
        Assert.Equal("ab\uFFFD", Read("x", [.. Ids("ab"), 0xC3], FinishReason.Length).Text);
    }

    [Fact]
    public void A_stop_string_ends_the_source_and_an_end_token_does_not_show()
    {
        Assert.Equal(("one", FinishReason.Stop), Two(Read("x", Ids("one\n\ntwo"), null, "\n\n", "two")));
        // also at the last token
        Assert.Equal(("on", FinishReason.Stop), Two(Read("x", Ids("one"), FinishReason.Length, "e")));
        // what was held back
        Assert.Equal(("one\n", FinishReason.Length), Two(Read("x", Ids("one\n"), FinishReason.Length, "\n\n")));
        Assert.Equal(("one", FinishReason.Stop), Two(Read("x", [.. Ids("one"), 257], FinishReason.Stop)));
        Assert.Equal(("é", FinishReason.Stop), Two(Read("x", Ids("éß"), null, "ß")));

        static (string, FinishReason?) Two((string Text, FinishReason? Finished, List<string>) of) =>
            (of.Text, of.Finished);
    }

    [Fact]
    public void Prompts_begin_as_the_tokenizer_wants()
    {
        Assert.Equal([256, ' ', 'a'], Prompt.Encode("a", Tokenizer));
        Assert.Equal([256], Prompt.Encode("", Tokenizer));
        Assert.Equal([256], Prompt.Default(Tokenizer));
        Assert.Equal([256, ' ', 'a'], Prompt.Encode("<s>a", Tokenizer, allowSpecial: true)); // not twice
        Assert.Equal([' ', 'a'], Prompt.Encode("a", new Bytes(begins: false)));
        Assert.Equal([257], Prompt.Encode("", new Bytes(begins: false))); // as transformers does with GPT-2
        Assert.Contains("empty", Assert.Throws<NanoException>(() => Prompt.Encode("", new Bytes(false, false))).Message,
            StringComparison.Ordinal);
        Assert.Equal([0], Prompt.Default(new Bytes(false, false)));
        Assert.Equal("a", Tokenizer.Decode([.. Prompt.WithoutBeginning([256, ' ', 'a'], Tokenizer)]));
        Assert.Equal(" a", TextStream.Decode([256, ' ', 'b'], [' ', 'a'], Tokenizer));
    }

    [Fact]
    public void A_tokenizer_larger_than_the_model_is_refused()
    {
        Prompt.CheckFit(Tokenizer, Models.Small with { VocabSize = 258 });
        Prompt.CheckFit(Tokenizer, Models.Small with { VocabSize = 300 }); // padded
        // the last is a special token, which need not occur
        Prompt.CheckFit(Tokenizer, Models.Small with { VocabSize = 257 });
        var e = Assert.Throws<NanoException>(() => Prompt.CheckFit(Tokenizer, Models.Small with { VocabSize = 255 }));
        Assert.Contains("258", e.Message, StringComparison.Ordinal);
        Assert.Contains("255", e.Message, StringComparison.Ordinal);
    }
}
