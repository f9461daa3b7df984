using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Tokenizers;

public class CharTokenizerTests
{
    [Fact]
    public void Ids_follow_the_order_of_code_points()
    {
        // U+FFFD sorts before U+1F600 as a code point, though its UTF-16 unit is the larger.
        var tokenizer = CharTokenizer.FromText("b\uFFFDa😀é\nb");
        Assert.Equal(6, tokenizer.VocabSize);
        Assert.Equal(["\n", "a", "b", "é", "\uFFFD", "😀"], tokenizer.Symbols.Select(r => r.ToString()));
        Assert.Equal([2, 4, 1, 5, 3, 0, 2], tokenizer.Encode("b\uFFFDa😀é\nb"));
        Assert.Equal("😀é", tokenizer.Decode([5, 3]));
        Assert.Empty(tokenizer.Encode(""));
        Assert.Equal("", tokenizer.Decode([]));
    }

    [Fact]
    public void A_vocabulary_may_lie_wholly_beyond_the_basic_plane()
    {
        var tokenizer = CharTokenizer.FromText("😁😀");
        Assert.Equal([1, 0], tokenizer.Encode("😁😀"));
        Assert.Throws<NanoException>(() => tokenizer.Encode("a"));
        Assert.Throws<NanoException>(() => tokenizer.Encode("\0"));
    }

    [Theory]
    [InlineData("abé", "'é' (U+00E9) at position 2")]
    [InlineData("b😀", "'😀' (U+1F600) at position 1")]
    [InlineData("\t", "'\\t' (U+0009) at position 0")]
    [InlineData("a\u200Bb", "'\\u{200B}' (U+200B) at position 1")]
    public void A_character_outside_the_vocabulary_is_named(string text, string expected)
    {
        var e = Assert.Throws<NanoException>(() => CharTokenizer.FromText("ab").Encode(text));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Hint);
    }

    [Fact]
    public void Half_of_a_surrogate_pair_is_refused()
    {
        // Not inline data: an attribute is stored as UTF-8 and would lose them.
        foreach ((string text, string expected) in ((string, string)[])
            [("a\uD83D", "U+D83D) stands alone at position 1"), ("a\uDE00b", "U+DE00) stands alone at position 1"),
                ("\uD83Da", "U+D83D) stands alone at position 0")])
        {
            Assert.Contains(expected, Assert.Throws<NanoException>(() => CharTokenizer.FromText(text)).Message,
                StringComparison.Ordinal);
            Assert.Contains(expected,
                Assert.Throws<NanoException>(() => CharTokenizer.FromText("ab").Encode(text)).Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void An_empty_text_makes_no_vocabulary() => Assert.Throws<NanoException>(() => CharTokenizer.FromText(""));

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    [InlineData(int.MaxValue)]
    public void An_id_out_of_range_is_named(int id)
    {
        var e = Assert.Throws<NanoException>(() => CharTokenizer.FromText("ab").Decode([0, id]));
        Assert.Contains($"id {id} at position 1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Decoding_what_was_encoded_gives_the_text()
    {
        Prop.ForAll(Texts.Any.Where(t => t.Length > 0).ToArbitrary(), Gen.Choose(0, int.MaxValue).ToArbitrary(),
            (alphabet, seed) =>
        {
            var tokenizer = CharTokenizer.FromText(alphabet);
            Rune[] symbols = [.. alphabet.EnumerateRunes()];
            string sample = string.Concat(new Random(seed).GetItems(symbols, 50));
            int[] ids = tokenizer.Encode(sample);
            return ids.Length == 50 && tokenizer.Decode(ids) == sample
                && tokenizer.VocabSize == symbols.Distinct().Count();
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Tinyshakespeare_gives_the_golden_ids()
    {
        string? folder = Environment.GetEnvironmentVariable("NANO_DATA");
        string path = Path.Combine(folder ?? "", "tinyshakespeare.txt");
        Assert.SkipWhen(folder is null || !File.Exists(path),
            "NANO_DATA does not name a folder with tinyshakespeare.txt");
        string text = File.ReadAllText(path);
        var tokenizer = CharTokenizer.FromText(text);
        Assert.Equal("\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            string.Concat(tokenizer.Symbols));
        Assert.Equal(65, tokenizer.VocabSize);
        int[] ids = tokenizer.Encode(text);
        Assert.Equal(1_115_394, ids.Length);
        Assert.Equal([18, 47, 56, 57, 58, 1, 15, 47, 58, 47, 64, 43, 52, 10, 0, 14], ids[..16]);
        Assert.Equal("130968a68ecd064b45089162431754dde73f0649ee4baac7a228f6caf4de5a02", Digest(ids));
        Assert.Equal("6ec305602a99ac2802745a134e1f5e33e2231b4855525b00b9aebb730ac2626f",
            Digest(ids.AsSpan(0, 1_003_854)));
        Assert.Equal("d37d30cc0c8327c270d493299c3dca54135f6d5f1c9ef60cda78076e311204b1", Digest(ids.AsSpan(1_003_854)));
        Assert.Equal(text, tokenizer.Decode(ids));
    }

    /// <summary>SHA-256 over the ids as little-endian uint16.</summary>
    static string Digest(ReadOnlySpan<int> ids)
    {
        byte[] bytes = new byte[2 * ids.Length];
        for (int i = 0; i < ids.Length; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2 * i), checked((ushort)ids[i]));
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
