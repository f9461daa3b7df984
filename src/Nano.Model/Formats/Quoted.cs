using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>Text from a file or a prompt made fit for one line of an error message.</summary>
internal static class Quoted
{
    private const int MaxRunes = 60;

    /// <summary>The text in single quotes, invisible characters escaped, cut after 60 characters.</summary>
    public static string Of(ReadOnlySpan<char> text)
    {
        var line = new StringBuilder("'");
        int count = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (count++ == MaxRunes)
                return line.Append("...'").ToString();
            line.Append(Printable(rune));
        }
        return line.Append('\'').ToString();
    }

    private static string Printable(Rune rune) => rune.Value switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            ? $"\\u{{{rune.Value:X}}}"
            : rune.ToString(),
    };
}
