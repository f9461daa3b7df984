using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Tokenizers;

/// <summary>What holds for every tokenizer that merges pairs.</summary>
public class BpeTokenizerTests
{
    static readonly Lazy<ITokenizer> Trained =
        new(() => BpeTrainer.Train(
            [string.Concat(Enumerable.Repeat("to be, or not to be: that's the question 中文😀é\n", 3))], 290));

    [Fact]
    public void Any_text_comes_back() => TextsComeBack(Trained.Value);

    [Theory]
    [InlineData("gpt2")]
    [InlineData("cl100k_base")]
    [InlineData("o200k_base")]
    public void Any_text_comes_back_from_published_vocabularies(string name) => TextsComeBack(Vocabularies.Get(name));

    [Theory]
    [InlineData("llama2")]
    [InlineData("llama2.bin")]
    [InlineData("tok512")]
    public void Any_text_without_the_sign_for_a_space_comes_back_from_SentencePiece(string name)
    {
        var tokenizer = Vocabularies.Get(name);
        Prop.ForAll(Texts.Any.Where(text => !text.Contains('\u2581', StringComparison.Ordinal)).ToArbitrary(),
            text => Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)))).QuickCheckThrowOnFailure();
    }

    static void TextsComeBack(ITokenizer tokenizer) => Prop.ForAll(Texts.Any.ToArbitrary(), text =>
    {
        int[] ids = tokenizer.Encode(text);
        Assert.Equal(text, tokenizer.Decode(ids));
        Assert.Equal(Encoding.UTF8.GetBytes(text), ids.SelectMany(id => tokenizer.BytesOf(id).ToArray()));
        Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabSize - 1));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Pieces_of_a_stream_are_the_decoded_text_and_never_half_a_character() => StreamsAgree(Trained.Value);

    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama2")]
    [InlineData("tok512")]
    public void So_they_are_with_published_vocabularies(string name) => StreamsAgree(Vocabularies.Get(name));

    static void StreamsAgree(ITokenizer tokenizer)
    {
        var stream = new StreamDecoder(tokenizer);
        var strict = new UTF8Encoding(false, throwOnInvalidBytes: true);
        // Any ids, many of them bytes, so that most characters are broken; and those of real texts.
        var anyIds = Gen.OneOf(Gen.Choose(0, 280), Gen.Choose(0, tokenizer.VocabSize - 1)).ArrayOf();
        Prop.ForAll(Gen.OneOf(anyIds, Texts.Any.Select(text => tokenizer.Encode(text))).ToArbitrary(), ids =>
        {
            var pieces = ids.Select(stream.Push).ToList();
            pieces.Add(stream.Flush());
            Assert.Equal(tokenizer.Decode(ids), string.Concat(pieces));
            Assert.All(pieces, piece => strict.GetByteCount(piece)); // which throws at half a surrogate pair
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void A_character_comes_out_with_its_last_byte()
    {
        var stream = new StreamDecoder(Trained.Value);
        int[] ids = [.. "🚀x"u8.ToArray().Select(b => ByteId(b))];
        Assert.Equal(["", "", "", "🚀", "x"], ids.Select(stream.Push));
        Assert.Equal("", stream.Push(ids[0]));
        Assert.Equal("\uFFFD", stream.Flush());
        Assert.Equal("x", stream.Push(ids[4]));
        Assert.Equal("\uFFFD", Trained.Value.Decode(ids.AsSpan(0, 3)));

        static int ByteId(byte b) => ByteAlphabet.InOrder().ToList().IndexOf(b);
    }

    [Fact]
    public void Half_of_a_surrogate_pair_is_refused_with_its_place()
    {
        foreach ((string text, string expected) in ((string, string)[])
            [("ab\uD83D", "U+D83D) stands alone at position 2"), ("😀\uDE00b", "U+DE00) stands alone at position 2"),
                ("\uD83Da", "U+D83D) stands alone at position 0"), ("\uD83D\uD83D\uDE00", "position 0")])
            Assert.Contains(expected, Assert.Throws<NanoException>(() => Trained.Value.Encode(text)).Message,
                StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(290)]
    [InlineData(int.MaxValue)]
    public void An_id_out_of_range_is_named(int id)
    {
        Assert.Contains($"id {id}", Assert.Throws<NanoException>(() => Trained.Value.Decode([0, id])).Message,
            StringComparison.Ordinal);
        Assert.Contains($"id {id}",
            Assert.Throws<NanoException>(() => new StreamDecoder(Trained.Value).Push(id)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Special_tokens_are_ids_only_where_that_is_allowed()
    {
        var gpt2 = Vocabularies.Get("gpt2");
        Assert.Equal([64, 50256, 65], gpt2.Encode("a<|endoftext|>b", allowSpecial: true));
        // as in the golden cases
        Assert.Equal([64, 27, 91, 437, 1659, 5239, 91, 29, 65], gpt2.Encode("a<|endoftext|>b"));
        Assert.Equal("a<|endoftext|>b", gpt2.Decode([64, 50256, 65]));
        Assert.Equal([50256, 50256], gpt2.Encode("<|endoftext|><|endoftext|>", allowSpecial: true));
        Assert.Equal(50257, gpt2.VocabSize);
        Assert.Equal([50256], gpt2.EndIds);
        Assert.Null(gpt2.BeginId);
        var cl100k = Vocabularies.Get("cl100k_base");
        Assert.Equal([100257, 100258, 100276],
            cl100k.Encode("<|endoftext|><|fim_prefix|><|endofprompt|>", allowSpecial: true));
        Assert.Equal(100277, cl100k.VocabSize);
        Assert.Equal(200019, Vocabularies.Get("o200k_base").VocabSize);
        Assert.Equal([199999, 200018], Vocabularies.Get("o200k_base").SpecialTokens.Values.Order());
    }

    [Fact]
    public void Control_pieces_of_SentencePiece_have_no_text()
    {
        var llama = Vocabularies.Get("llama2");
        Assert.Equal((32000, 1), (llama.VocabSize, llama.BeginId));
        Assert.Equal([2], llama.EndIds);
        Assert.Equal([1, 15043, 2], llama.Encode("<s>Hello</s>", allowSpecial: true)); // "▁Hello"
        Assert.Equal([529, 29879, 29958], llama.Encode("<s>")); // as in the golden cases
        Assert.Equal("Hello world", llama.Decode([1, 15043, 3186, 2]));
        Assert.Equal(" Hello", llama.Decode([29871, 15043]));
        var stream = new StreamDecoder(llama);
        Assert.Equal(["", "Hello", " world", ""], ((int[])[1, 15043, 3186, 2]).Select(stream.Push));
    }

    [Fact]
    public void Of_special_tokens_that_begin_together_the_longest_is_meant()
    {
        var added = new AddedTokens([new("<a>", 1, true), new("<a><b>", 2, true), new("<b>", 3, false)]);
        Assert.Equal((1, 6, 2), Next("x<a><b>", allowSpecial: true));
        Assert.Equal((4, 3, 3), Next("x<a><b>", allowSpecial: false));
        Assert.Equal((0, 3, 1), Next("<a>", allowSpecial: true));
        Assert.Equal((-1, 0, -1), Next("<a>", allowSpecial: false));

        (int, int, int) Next(string text, bool allowSpecial) =>
            (added.Next(text, allowSpecial, out int length, out int id), length, id);
    }

    /// <summary>A piece of a million characters; with a quadratic algorithm this test does not end.</summary>
    [Fact]
    public void Long_runs_of_one_character_have_the_ids_of_short_ones()
    {
        var gpt2 = Vocabularies.Get("gpt2");
        Assert.Equal([220], gpt2.Encode(new string(' ', 1_000_000)).Distinct());
        int[] a = gpt2.Encode(new string('a', 1_000_000));
        Assert.Equal(250_000, a.Length);
        Assert.Equal([24794], a.Distinct()); // aaaa
        Assert.Equal(gpt2.Encode("中"),
            gpt2.Encode(string.Concat(Enumerable.Repeat("中", 300_000)))[^gpt2.Encode("中").Length..]);
    }

    [Fact]
    public void One_tokenizer_serves_many_threads()
    {
        var gpt2 = Vocabularies.Get("gpt2");
        string[] texts = [.. Vocabularies.Cases("gpt2_bpe").Select(of => of.Text)];
        int[][] expected = [.. texts.Select(text => gpt2.Encode(text))];
        Parallel.For(0, 8 * texts.Length,
            i => Assert.Equal(expected[i % texts.Length], gpt2.Encode(texts[i % texts.Length])));
    }
}
