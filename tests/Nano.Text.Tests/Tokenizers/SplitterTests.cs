using System.Text;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Tokenizers;

/// <summary>
/// The hand-written splitters against .NET's own engine, which is right where no character takes
/// two UTF-16 units.
/// </summary>
public class SplitterTests
{
    // What the patterns tell apart, and letters and marks of every kind.
    static readonly string[] Atoms = [" ", " ", "  ", "\n", "\r\n", "\t", "\u00A0", "\u3000", "\u0085", "'", "'s", "'S",
        "'ll", "'RE", "'x", "a", "b", "Z", "Q", "é", "Ж", "ǅ", "ʰ", "中", "ا",
        "\u0301", "\u0903", "\u20DD", "1", "23", "½", "Ⅷ", "٤", "!", "/", "//", "_", "—", "€", "\u200B",
            "\0", "\uE000"];

    public static TheoryData<string> Names => [.. SplitPattern.All.Select(pattern => pattern.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Pieces_are_those_of_the_regular_expression(string name)
    {
        var pattern = SplitPattern.All.Single(known => known.Name == name);
        var regex = new Regex(pattern.Regex, RegexOptions.CultureInvariant);
        var texts = Gen.OneOf(Gen.Elements(Atoms),
            Gen.Choose(0, 0xD7FF).Where(c => c is not 0x17F).Select(c => ((char)c).ToString())).ArrayOf()
            .Select(string.Concat);
        Prop.ForAll(texts.ToArbitrary(), text =>
        {
            // SmolLM cuts every number character out before the expression sees the rest.
            var parts = name == "gpt2-digits" ? Regex.Split(text, @"(\p{N})") : [text];
            string[] expected = [.. parts.SelectMany(part => regex.Matches(part).Select(match => match.Value))];
            Assert.Equal(expected, Pieces(pattern.NewSplitter(), text));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000).WithEndSize(40));
    }

    [Theory]
    [InlineData("gpt2", "Hello  world's 1234\n\n x ", "Hello| | world|'s| 1234|\n\n| x| ")]
    [InlineData("gpt2-digits", "a  12 b", "a|  |1|2| b")]
    [InlineData("cl100k", "I'LL pay $12345!\n\n  ok", "I|'LL| pay| $|123|45|!\n\n| | ok")]
    [InlineData("qwen2", "x123", "x|1|2|3")]
    [InlineData("o200k", "HTTPServer's中ABc中AB//\n", "HTTPServer's|中ABc中|AB|//\n")]
    [InlineData("tekken", "it's 12", "it|'s| |1|2")]
    public void Pieces_by_hand(string name, string text, string expected) =>
        Assert.Equal(expected.Split('|'),
            Pieces(SplitPattern.All.Single(known => known.Name == name).NewSplitter(), text));

    /// <summary>
    /// Beyond the basic plane .NET's engine sees halves; these follow from the patterns and
    /// Unicode's categories.
    /// </summary>
    [Fact]
    public void Characters_of_two_units_are_one()
    {
        Assert.Equal(["中𠀀", " 𝟘𝟙"], Pieces(SplitPattern.Gpt2.NewSplitter(), "中𠀀 𝟘𝟙")); // letters Lo, numbers Nd
        Assert.Equal(["😀", "𐐀𐐨"], Pieces(SplitPattern.Gpt2.NewSplitter(), "😀𐐀𐐨")); // So, Lu, Ll
        Assert.Equal(["😀𐐀𐐨", "𝟘𝟙𝟚", "𝟛"], Pieces(SplitPattern.O200k.NewSplitter(), "😀𐐀𐐨𝟘𝟙𝟚𝟛"));
    }

    [Fact]
    public void An_s_without_case_ends_a_contraction() =>
        Assert.Equal(["'ſ", "x"], Pieces(SplitPattern.Cl100k.NewSplitter(), "'ſx"));

    [Fact]
    public void The_patterns_are_found_by_their_published_form()
    {
        Assert.Equal("cl100k",
            SplitPattern.OfRegex(
                @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")?.Name);
        Assert.Equal("qwen2",
            SplitPattern.OfRegex(
                @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")?.Name);
        Assert.Equal("gpt2",
            SplitPattern.OfRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")?.Name);
        Assert.Null(SplitPattern.OfRegex(@"\w+"));
    }

    static List<string> Pieces(Splitter splitter, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var pieces = new List<string>();
        for (int at = 0; at < utf8.Length;)
        {
            int end = splitter.Next(utf8, at);
            Assert.True(end > at);
            pieces.Add(Encoding.UTF8.GetString(utf8, at, end - at));
            at = end;
        }
        return pieces;
    }
}
