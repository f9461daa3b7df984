using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Nano;

/// <summary>
/// Text from files, servers, prompts and command lines made fit for an error message: visible, on one line
/// and short.
/// </summary>
public static partial class Quoted
{
    private const int LongestQuote = 60, LongestReason = 300, LongestPath = 300, LongestLine = 1000;

    /// <summary>The text in single quotes, invisible characters escaped, cut after 60 characters of output.</summary>
    public static string Of(ReadOnlySpan<char> text) => $"'{Plain(text)}'";

    /// <summary>The text without quotes, invisible characters escaped, cut after 60 characters of output.</summary>
    public static string Plain(ReadOnlySpan<char> text)
    {
        var line = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            string shown = Visible(rune);
            if (line.Length + shown.Length > LongestQuote)
                return line.Append("...").ToString();
            line.Append(shown);
        }
        return line.ToString();
    }

    /// <summary>
    /// The message of another library's exception, as one line; its quotes are shortened like other
    /// quotes.
    /// </summary>
    public static string Reason(Exception e) =>
        Shorten(Escape(LongQuote().Replace(e.Message, quote => Of(quote.Groups[1].Value))), LongestReason);

    /// <summary>
    /// The path without quotes, invisible characters escaped; of one over 300 characters the middle is left
    /// out.
    /// </summary>
    public static string Path(string path) => Shorten(Escape(path), LongestPath);

    /// <summary>
    /// A whole message as one line, invisible characters escaped; of one over 1,000 characters the middle is
    /// left out. A message that is fit already stays as it is.
    /// </summary>
    public static string Line(string message) => Shorten(Escape(message), LongestLine);

    /// <summary>
    /// True for a character that shows neither a glyph nor a space: controls, format characters
    /// such as bidirectional overrides, unassigned ones.
    /// </summary>
    private static bool IsInvisible(Rune rune) => rune.Value is < ' ' or > '~' && Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static string Visible(Rune rune) => rune.Value switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => IsInvisible(rune) ? string.Create(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:X}}}")
            : rune.ToString(),
    };

    private static string Escape(string text)
    {
        if (text.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0)
            return text;
        var line = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
            line.Append(Visible(rune));
        return line.ToString();
    }

    private static string Shorten(string text, int longest)
    {
        const string gap = " ... ";
        if (text.Length <= longest)
            return text;
        int end = longest / 3, beginning = longest - end - gap.Length;
        if (char.IsHighSurrogate(text[beginning - 1]))
            beginning--;
        if (char.IsLowSurrogate(text[^end]))
            end--;
        return $"{text.AsSpan(0, beginning)}{gap}{text.AsSpan(text.Length - end)}";
    }

    [GeneratedRegex("'([^']{61,})'")]
    private static partial Regex LongQuote();
}
