using System.Text.RegularExpressions;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>The language of the source; docs/words.md has its words.</summary>
public partial class LanguageTests
{
    private static readonly string Sources = Path.GetFullPath(Path.Combine(Goldens.Path("."), "..", "..", "src"));

    private static IEnumerable<(string Name, string Text)> Files() =>
        from path in Directory.EnumerateFiles(Sources, "*.cs", SearchOption.AllDirectories)
        where !path.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
        let name = Path.GetRelativePath(Sources, path).Replace('\\', '/')
        orderby name
        select (name, File.ReadAllText(path));

    /// <summary>File, line and text of every match in the source.</summary>
    private static string[] Find(Regex pattern) =>
    [
        .. from file in Files()
           from match in pattern.Matches(file.Text)
           select $"{file.Name}:{file.Text.AsSpan(0, match.Index).Count('\n') + 1}: {OneLine(match.Value)}",
    ];

    private static string OneLine(string text) => Break().Replace(text, " ").Trim();

    [Fact]
    public void A_summary_begins_with_the_thing_and_not_with_a_question_word() => Assert.Empty(Find(Riddle()));

    [Theory]
    [InlineData("/// <summary>What it is.</summary>", true)]
    [InlineData("    /// <summary>\r\n    /// Whether it is.\r\n    /// </summary>", true)]
    [InlineData("/// <summary>The same, but\n/// wider.</summary>", true)]
    [InlineData("/// <summary>\n/// The width.\n/// What follows is a remark.\n/// </summary>", false)]
    [InlineData("/// <summary>Whatever lies in the file.</summary>", false)]
    public void A_riddle_is_found_on_one_line_and_on_several(string comment, bool isRiddle) =>
        Assert.Equal(isRiddle, Riddle().IsMatch(comment));

    [Fact]
    public void Dropped_idioms_do_not_come_back() => Assert.Empty(Find(Idiom()));

    [Theory]
    [InlineData("// room for so many", true)]
    [InlineData("/// A batch of so\n    /// many rows.", true)]
    [InlineData("// one of ours", true)]
    [InlineData("\"What is left\"", true)]
    [InlineData("// batches that are passed over", true)]
    [InlineData("// in one pass over memory", false)]
    [InlineData("// hours, and so on: many", false)]
    public void An_idiom_is_found_on_one_line_and_on_two(string line, bool isIdiom) =>
        Assert.Equal(isIdiom, Idiom().IsMatch(line));

    [GeneratedRegex(@"<summary>(?:\s|///)*"
        + @"(?:What|How|Where|Whether|Why|Who|Whom|Whose|Which|When|The\s+same)\b[^\r\n]*")]
    private static partial Regex Riddle();

    /// <summary>Idioms; a space in one may be the end of a line and the beginning of the next comment.</summary>
    [GeneratedRegex(@"\b(?:so(?:\s|///?)+many|go(?:es)?(?:\s|///?)+on|ours|whoever|what(?:\s|///?)+is(?:\s|///?)+left"
        + @"|the(?:\s|///?)+same,(?:\s|///?)+but|(?:is|are)(?:\s|///?)+gone|pass(?:ed|es)(?:\s|///?)+over)\b",
        RegexOptions.IgnoreCase)]
    private static partial Regex Idiom();

    [GeneratedRegex(@"\s*\r?\n\s*(?:///?)?\s*|\s+")]
    private static partial Regex Break();
}
