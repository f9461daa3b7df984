using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Nano.Tests;

public class BuiltInCorpusTests
{
    static readonly string Text = BuiltInCorpus.Generate();

    [Fact]
    public void The_generator_is_SplitMix64()
    {
        // Published outputs of the reference implementation for this seed.
        var random = new SplitMix64(1234567);
        Assert.Equal([6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
            16408922859458223821], Enumerable.Range(0, 5).Select(_ => random.Next()));
    }

    [Fact]
    public void The_same_text_on_every_machine() =>
        Assert.Equal("fcc291ff45b3fd1621cd6873d6bbf88cf85f978e785286cdecdee802d7356202",
            Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(Text))));

    [Fact]
    public void Long_enough_plain_and_narrow()
    {
        Assert.InRange(Text.Length, 1_000_000, 1_010_000);
        Assert.True(Ascii.IsValid(Text));
        Assert.InRange(Text.Distinct().Count(), 50, 65);
        Assert.DoesNotContain(Text, c => c is '{' or '}' or '|');
        Assert.All(Text.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
    }

    [Fact]
    public void Laid_out_as_tiny_shakespeare_is()
    {
        Assert.EndsWith("\n", Text, StringComparison.Ordinal);
        Assert.All(Text[..^1].Split("\n\n"), speech =>
        {
            string[] lines = speech.Split('\n');
            Assert.True(lines.Length >= 2);
            Assert.Matches("^[A-Z][A-Za-z ]+:$", lines[0]);
            Assert.All(lines[1..], line => Assert.Matches("^'?[A-Z].*[a-zI][.,;:!?]$", line));
            Assert.Matches("[.!?]$", lines[^1]);
        });
    }

    [Fact]
    public void Articles_agree_and_spaces_are_single()
    {
        Assert.DoesNotMatch(new Regex(@"\b[Aa] [aeiou]|\b[Aa] ho(nest|nour|ur)|\b[Aa]n [^aeiouh]",
            RegexOptions.None), Text);
        Assert.DoesNotContain("  ", Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Varied_enough_to_learn_from()
    {
        string[] lines = Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var verse = lines.Where(line => line[^1] != ':').ToList();
        Assert.True(verse.Distinct().Count() > 0.95 * verse.Count);
        Assert.InRange(Regex.Matches(Text.ToUpperInvariant(), "[A-Z]+").Select(match => match.Value).Distinct().Count(),
            700, 5000);
    }

    [Fact]
    public void Every_rule_can_be_expanded()
    {
        string[] decided = ["you", "lord", "them", "he", "him", "his", "place", "rhyme"];
        var known = decided.Concat(BuiltInWords.Classes.Keys).Concat(BuiltInPhrases.Rules.Keys).ToHashSet();
        var used = BuiltInPhrases.Rules.Values.SelectMany(phrases => phrases)
            .SelectMany(phrase => Regex.Matches(phrase, "{(.*?)}")).Select(match => match.Groups[1].Value).ToHashSet();
        Assert.Empty(used.Except(known));
        Assert.Empty(BuiltInWords.Classes.Keys.Except(used));
        Assert.All(BuiltInPhrases.Questions,
            question => Assert.True(BuiltInPhrases.Rules.ContainsKey($"ask {question}")
                && BuiltInPhrases.Rules.ContainsKey($"answer {question}")));
    }

    [Fact]
    public void Another_seed_is_another_play() =>
        Assert.NotEqual(BuiltInCorpus.Generate(1, 1000), BuiltInCorpus.Generate(2, 1000));

    [Theory]
    [InlineData(0)]
    [InlineData(5000)]
    public void Scenes_are_finished(int minimumLength)
    {
        string text = BuiltInCorpus.Generate(minimumLength: minimumLength);
        Assert.InRange(text.Length, minimumLength, minimumLength + 8000);
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.StartsWith(text, Text, StringComparison.Ordinal);
    }
}
