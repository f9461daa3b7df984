using System.Text.RegularExpressions;

namespace Nano.Cli.Tests;

/// <summary>
/// What README and guides say is so: their commands run, their links lead somewhere, their files
/// exist.
/// </summary>
public sealed partial class DocsTests(DocumentedCommands commands) : IClassFixture<DocumentedCommands>
{
    private const int LongestReadme = 10_000;

    private static readonly string Root = DocumentedCommands.Root;

    private static string[] Guides() =>
        [.. Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md")
            .Select(file => "docs/" + Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    /// <summary>All pages for people but those of the projects.</summary>
    private static IEnumerable<string> Pages() => [.. Guides(), "README.md", "CONTRIBUTING.md", "SECURITY.md"];

    public static TheoryData<string, string> Commands()
    {
        var data = new TheoryData<string, string>();
        foreach (string document in DocumentedCommands.Run)
            foreach (string command in DocumentedCommands.In(document).Distinct())
                data.Add(document, command);
        return data;
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_documented_command_succeeds(string document, string command)
    {
        string? reason = DocumentedCommands.Reason(command);
        if (reason is not null)
            Assert.Skip(reason);
        commands.Result(document, command).Succeeds();
    }

    [Fact]
    public void Every_reason_to_skip_a_command_has_a_command()
    {
        var all = DocumentedCommands.Run.SelectMany(DocumentedCommands.In).ToList();
        Assert.All(DocumentedCommands.SkippedParts,
            part => Assert.Contains(all, command => command.Contains(part, StringComparison.Ordinal)));
    }

    /// <summary>Commands of all guides, whether they can be run here or not: verbs and options exist.</summary>
    [Fact]
    public void Every_command_of_the_guides_is_one_that_the_program_understands()
    {
        foreach (string page in Pages().Append("data/README.md"))
            foreach (string line in DocumentedCommands.In(page))
                if (Call().Match(line) is { Success: true } call)
                {
                    var parsed = Application.Commands().Parse(DocumentedCommands.Arguments(call.Groups[1].Value));
                    Assert.False(Failure.IsWrong(parsed), $"{page}: {line}: {string.Join("; ", parsed.Errors)}");
                }
    }

    [Fact]
    public void Links_lead_to_files_and_headings()
    {
        foreach (string page in Pages())
            foreach (Match link in Link().Matches(DocumentedCommands.Text(page)))
            {
                string[] target = link.Groups[1].Value.Split('#');
                string path = target[0].Length == 0 ? page : Path.Combine(Path.GetDirectoryName(page)!, target[0]);
                Assert.True(Path.Exists(Path.Combine(Root, path)),
                    $"{page} links to {link.Groups[1].Value}, which is not there");
                if (target.Length > 1)
                    Assert.Contains(target[1], Headings(path));
            }
    }

    [Fact]
    public void The_table_of_contents_has_every_guide()
    {
        string contents = DocumentedCommands.Text("docs/README.md");
        Assert.All(Guides().Where(guide => guide != "docs/README.md"),
            guide => Assert.Contains($"]({Path.GetFileName(guide)})", contents, StringComparison.Ordinal));
    }

    [Fact]
    public void Source_files_that_the_guides_name_exist()
    {
        var files = ((string[])["src", "tests", "bench"])
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs",
                SearchOption.AllDirectories))
            .Select(Path.GetFileName).ToHashSet();
        foreach (string page in Pages())
            Assert.All(SourceFile().Matches(DocumentedCommands.Text(page)),
                name => Assert.Contains(name.Groups[1].Value, files));
    }

    [Fact]
    public void The_readme_stays_a_page_to_read() =>
        Assert.InRange(new FileInfo(Path.Combine(Root, "README.md")).Length, 1, LongestReadme);

    /// <summary>The anchors of a page's headings, as GitHub makes them.</summary>
    private static IEnumerable<string> Headings(string page) => Heading().Matches(DocumentedCommands.Text(page))
        .Select(heading => NoAnchor().Replace(heading.Groups[1].Value.ToLowerInvariant(), "").Replace(' ', '-'));

    [GeneratedRegex(@"(?:^|\| )(?:[A-Z_]+=\S+ )*(nano [^|]*)$")]
    private static partial Regex Call();

    [GeneratedRegex(@"\]\((?!https?:)([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("^#+ (.*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NoAnchor();

    [GeneratedRegex("`([A-Z][A-Za-z0-9.]*\\.cs)`")]
    private static partial Regex SourceFile();
}
