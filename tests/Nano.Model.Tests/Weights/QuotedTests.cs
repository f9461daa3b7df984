namespace Nano.Tests;

/// <summary>Foreign text in messages: visible, on one line, short.</summary>
public class QuotedTests
{
    [Theory]
    [InlineData("to be", "'to be'")]
    [InlineData("", "''")]
    [InlineData("a\nb\r\tc", @"'a\nb\r\tc'")]
    [InlineData("\x1b[2J\0\x7f\u009b\u202e", @"'\u{1B}[2J\u{0}\u{7F}\u{9B}\u{202E}'")]
    [InlineData("中😀ä", "'中😀ä'")]
    public void A_quote_is_visible(string text, string quote) => Assert.Equal(quote, Quoted.Of(text));

    [Fact]
    public void A_quote_is_short_however_its_characters_are_shown()
    {
        Assert.Equal("'\ufffdx'", Quoted.Of("\ud800x")); // half of a surrogate pair
        Assert.Equal($"'{new string('a', 60)}'", Quoted.Of(new string('a', 60)));
        Assert.Equal($"'{new string('a', 60)}...'", Quoted.Of(new string('a', 61)));
        Assert.Equal("'" + string.Concat(Enumerable.Repeat(@"\u{1B}", 10)) + "...'",
            Quoted.Of(new string('\x1b', 5000)));
    }

    [Fact]
    public void Errors_are_one_line_of_visible_text_of_bounded_length()
    {
        string text = "\x1b[31m\n" + new string('x', 100_000) + "\u202e\r😀";
        foreach (var e in (Exception[])[new NanoException(text, text), new BadFileException(text, text),
            new BadFileException("a.json", text)])
        {
            Assert.All((string[])[e.Message, (e as NanoException)?.Hint ?? ""], shown =>
            {
                Assert.DoesNotContain(shown, c => char.IsControl(c) || c == '\u202e');
                Assert.InRange(shown.Length, 0, 1000);
            });
            // What is behind the foreign text is there.
            Assert.EndsWith(@"\u{202E}\r😀", e.Message, StringComparison.Ordinal);
        }
        Assert.Equal("the usual message 'a b', ä", new NanoException("the usual message 'a b', ä").Message);
    }

    [Fact]
    public void What_other_libraries_quote_is_short_too()
    {
        string json = $$"""{"{{new string('k', 5000)}}": 1, "{{new string('k', 5000)}}": 2}""";
        var e = Assert.Throws<BadFileException>(() => ConfigFile.FromJson(json, "a.json"));
        Assert.Contains("Duplicate", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(new string('k', 61), e.Message, StringComparison.Ordinal);
    }
}
