using System.Globalization;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Tokenizers;

/// <summary>
/// Regular expressions over whole characters against Oniguruma inside Hugging Face's tokenizers
/// (make_regex.mjs; 60,000 more random cases agreed when it was made), and against the hand-written
/// splitters.
/// </summary>
public class UnicodeRegexTests
{
    [Fact]
    public void Golden_patterns_match_as_elsewhere()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Goldens.Path("tokenizer/regex_cases.json")));
        int cases = 0;
        foreach (var of in json.RootElement.EnumerateArray())
        {
            string pattern = of[0].GetString()!;
            foreach (var on in of[1].EnumerateArray())
            {
                cases++;
                if (on[1].ValueKind == JsonValueKind.Null)
                {
                    Assert.Throws<BadFileException>(() => UnicodeRegex.Parse(pattern, "f"));
                    continue;
                }
                (int, int)[] expected =
                    [.. on[1].EnumerateArray().Select(match => (match[0].GetInt32(), match[1].GetInt32()))];
                // The other library drops empty matches.
                var actual = Matches(pattern, on[0].GetString()!).Where(match => match.Start < match.End);
                Assert.True(expected.SequenceEqual(actual), $"{pattern} on {on[0]}: {string.Join(' ', actual)}");
            }
        }
        Assert.True(cases > 800);
    }

    [Fact]
    public void Characters_are_one_without_case_as_elsewhere()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Goldens.Path("tokenizer/case_groups.json")));
        // Letters that are newer than .NET's tables have no case there.
        var expected = json.RootElement.EnumerateArray()
            .Select(group => group.EnumerateArray().Select(c => c.GetInt32()).ToArray())
            .Where(group => group.All(c => CharUnicodeInfo.GetUnicodeCategory(c) != UnicodeCategory.OtherNotAssigned))
            .ToArray();
        Assert.InRange(expected.Length, 1400, 1500);
        Assert.Equal(expected.Select(group => string.Join(' ', group)).Order(),
            UnicodeProperties.CaseGroups.Select(group => string.Join(' ', group)).Order());
    }

    public static TheoryData<string> Names =>
        [.. SplitPattern.All.Select(pattern => pattern.Name).Where(name => name != "gpt2-digits")];

    [Theory]
    [MemberData(nameof(Names))]
    public void Published_patterns_cut_as_the_splitters_do(string name)
    {
        var pattern = SplitPattern.All.Single(known => known.Name == name);
        var regex = UnicodeRegex.Parse(pattern.Regex, "f");
        var texts = Gen.OneOf(Gen.Elements(" ", "  ", "\n", "\r\n", "\t", "'", "'s", "'S", "'ll", "'ſ", "a", "Z", "中",
            "\u0301", "12", "½", "!", "/"),
            Gen.Choose(0, 0x10FFFF).Where(Rune.IsValid).Select(c => new Rune(c).ToString()),
            Gen.Choose(0x10000, 0x1FFFF).Select(c => new Rune(c).ToString())).ArrayOf().Select(string.Concat);
        Prop.ForAll(texts.ToArbitrary(), text =>
        {
            var matches = new List<(int Start, int End)>();
            regex.Matches(text, matches);
            var splitter = pattern.NewSplitter();
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            var pieces = new List<string>();
            for (int at = 0, end; at < utf8.Length; at = end)
                pieces.Add(Encoding.UTF8.GetString(utf8[at..(end = splitter.Next(utf8, at))]));
            Assert.Equal(pieces, matches.Select(match => text[match.Start..match.End]));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000).WithEndSize(40));
    }

    [Fact]
    public void Empty_matches_count_unless_another_ends_there() =>
        Assert.Equal([(0, 0), (1, 3), (4, 4)], Matches("x*", "axxb"));

    [Fact]
    public void Half_a_surrogate_pair_is_a_character() =>
        Assert.Equal([(0, 1), (1, 3), (3, 4)], Matches(".", "\uDC00\U0001F600\uD83D"));

    [Theory]
    [InlineData(@"(a)\1")]
    [InlineData(@"\k<n>(?<n>a)")]
    [InlineData(@"(?<n>a\g<n>?)")]
    [InlineData(@"\Ga")]
    [InlineData(@"a\Kb")]
    [InlineData(@"\X")]
    [InlineData(@"(?~ab)")]
    [InlineData(@"(a)?(?(1)b|c)")]
    [InlineData(@"(?<=a++)b")]
    [InlineData(@"(?<=(?>ab|a))b")]
    [InlineData(@"\xC3")]
    [InlineData(@"a{3,2}")]
    public void Constructs_that_are_not_supported_are_refused_by_name(string pattern)
    {
        var error = Assert.Throws<BadFileException>(() => UnicodeRegex.Parse(pattern, "some.json"));
        Assert.StartsWith($"some.json: the pattern {Quoted.Of(pattern)} has ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Length_depth_and_number_of_sets_are_bounded()
    {
        string[] patterns = [new('a', 20_000), string.Concat(Enumerable.Repeat('(', 8000)),
            string.Concat(Enumerable.Repeat('[', 8000)), string.Concat(Enumerable.Repeat("a*", 2000)),
            "a" + new string('*', 2000),
                string.Concat(Enumerable.Range(0, 1600).Select(i => $@"[\p{{L}}\x{{{0x10000 + 2 * i:X}}}]"))];
        Assert.All(patterns, pattern => Assert.Throws<BadFileException>(() => UnicodeRegex.Parse(pattern, "f")));
    }

    [Fact]
    public void A_pattern_that_takes_too_long_is_given_up()
    {
        var regex = UnicodeRegex.Parse(@"(?:\p{L}|\p{L}\p{L})+!", "f", TimeSpan.FromMilliseconds(30));
        var error = Assert.Throws<NanoException>(() => regex.Matches(new string('a', 200), []));
        Assert.Contains(@"'(?:\\p{L}", error.Message.Replace(@"\", @"\\"), StringComparison.Ordinal);
    }

    private static List<(int Start, int End)> Matches(string pattern, string text)
    {
        var matches = new List<(int Start, int End)>();
        UnicodeRegex.Parse(pattern, "f").Matches(text, matches);
        return matches;
    }
}
