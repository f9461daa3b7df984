namespace Nano.Cli.Tests;

/// <summary>
/// The filter before a terminal. Pictures are those of Unicode's block "Control Pictures": U+2400 plus the
/// control's code, U+2421 for DEL.
/// </summary>
public class TerminalTextTests
{
    private static string Shown(params string[] pieces)
    {
        var terminal = new StringWriter();
        var text = new TerminalText(terminal);
        foreach (string piece in pieces)
            text.Write(piece);
        text.Flush();
        return terminal.ToString();
    }

    [Theory]
    [InlineData("to be\n\tor not", "to be\n\tor not")]
    [InlineData("中 😀 ä e\u0301 \u200d", "中 😀 ä e\u0301 \u200d")]
    [InlineData("\x1b[31mred\x1b[0m", "\u241b[31mred\u241b[0m")]
    [InlineData("\x1b]0;title\a", "\u241b]0;title\u2407")]
    [InlineData("\0\b\v\f\x0e\x7f", "\u2400\u2408\u240b\u240c\u240e\u2421")]
    [InlineData("\u009b31m\u0085", "\\u009B31m\\u0085")]
    [InlineData("a\u202eb\u2066c\u2069", "a\\u202Eb\\u2066c\\u2069")]
    public void Controls_are_shown(string text, string shown) => Assert.Equal(shown, Shown(text));

    [Theory]
    [InlineData("a\r\nb", "a\nb")]
    [InlineData("secret\rpublic", "secret\u240dpublic")]
    [InlineData("a\r\r\nb", "a\u240d\nb")]
    public void A_carriage_return_is_shown_unless_it_ends_a_line(string text, string shown) =>
        Assert.Equal(shown, Shown(text));

    [Fact]
    public void What_is_split_over_pieces_is_shown_as_in_one()
    {
        const string text = "a\x1b[2Jb\r\nc\rd\u009b1m😀\u202e.";
        string whole = Shown(text);
        for (int at = 0; at <= text.Length; at++)
            Assert.Equal(whole, Shown(text[..at], text[at..]));
        Assert.Equal(whole, Shown([.. text.Select(c => c.ToString())]));
    }

    [Fact]
    public async Task Every_way_to_write_is_filtered()
    {
        var terminal = new StringWriter();
        var text = new TerminalText(terminal);
        text.Write('\x1b');
        text.Write("\x1b"u8.ToArray().Select(b => (char)b).ToArray());
        text.Write("{0}", "\x1b");
        text.Write((object)"\x1b");
        text.Write(new System.Text.StringBuilder("\x1b"));
        text.WriteLine("\x1b");
        text.WriteLine('\x1b');
        text.WriteLine("\x1b".AsSpan());
        text.WriteLine((object)"\x1b");
        text.WriteLine("{0}", "\x1b");
        await text.WriteAsync("\x1b");
        await text.WriteLineAsync("\x1b");
        Assert.DoesNotContain('\x1b', terminal.ToString());
        Assert.Equal(12, terminal.ToString().Count(c => c == '\u241b'));
    }
}
