using System.Globalization;
using System.Text.Json;

namespace Nano.Tests;

/// <summary>
/// The template engine against Jinja 3.1.6 itself: templates by construct and random ones
/// (tests/goldens/chat/make_differential.py), and the templates of public bug reports
/// (tests/cases/chat-templates).
/// </summary>
public class JinjaDifferentialTests
{
    private static string? Render(string template, JsonElement variables, DateTime now)
    {
        try
        {
            return new ChatTemplate(template, "test").Render(ChatVariables.FromJson(variables), now);
        }
        catch (ChatTemplateException)
        {
            return null;
        }
    }

    [Fact]
    public void Every_template_prints_what_Jinja_prints_and_fails_where_it_fails()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("chat/differential.json")));
        var variables = golden.RootElement.GetProperty("variables");
        var now = DateTime.Parse(golden.RootElement.GetProperty("now").GetString()!, CultureInfo.InvariantCulture);
        var differences = new List<string>();
        int count = 0;
        foreach (var item in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            string template = item.GetProperty("template").GetString()!;
            string? expected = item.TryGetProperty("text", out var text) ? text.GetString() : null;
            count++;
            var given = item.TryGetProperty("variables", out var own) ? own : variables;
            if (Render(template, given, now) is var actual && actual != expected)
                differences.Add($"{template}\n  Jinja: {expected ?? "an error"}\n  Nano:  {actual ?? "an error"}");
        }
        Assert.True(count > 1500);
        Assert.True(differences.Count == 0,
            $"{differences.Count} of {count} differ:\n{string.Join('\n', differences.Take(20))}");
    }

    public static TheoryData<string> Cases() =>
        [.. Directory.EnumerateDirectories(Goldens.Path("../cases/chat-templates"))
            .Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_template_of_a_bug_report_prints_what_Jinja_makes_of_it(string name)
    {
        string folder = Goldens.Path("../cases/chat-templates/" + name);
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expect.json")));
        var root = expected.RootElement;
        string template = File.ReadAllText(Path.Combine(folder, root.GetProperty("template").GetString()!));
        var now = DateTime.Parse(root.GetProperty("now").GetString()!, CultureInfo.InvariantCulture);
        Assert.Equal(root.GetProperty("text").GetString(),
            new ChatTemplate(template, name).Render(ChatVariables.FromJson(root.GetProperty("variables")), now));
    }
}
