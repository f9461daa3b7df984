using System.Net;
using System.Text;

namespace Nano;

/// <summary>Text from HTML, and addresses, as the filters striptags and urlencode make them.</summary>
internal static class PythonHtml
{
    /// <summary>The text of HTML: without comments and tags, entities resolved, white space made single.</summary>
    public static string StripTags(string text)
    {
        text = Without(Without(text, "<!--", "-->"), "<", ">");
        return Unescape(string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
    }

    private static string Without(string text, string open, string close)
    {
        var result = new StringBuilder();
        int at = 0;
        while (text.IndexOf(open, at, StringComparison.Ordinal) is >= 0 and var start
            && text.IndexOf(close, start, StringComparison.Ordinal) is >= 0 and var end)
        {
            result.Append(text, at, start - at);
            at = end + close.Length;
        }
        return result.Append(text, at, text.Length - at).ToString();
    }

    /// <summary>Entities such as &amp;lt; as the characters they stand for.</summary>
    public static string Unescape(string text) => WebUtility.HtmlDecode(text);

    /// <summary>
    /// Text with everything but letters, digits and -._~/ as %XX; in a query, space becomes + and /
    /// is escaped too.
    /// </summary>
    public static string Quote(string text, bool forQuery)
    {
        var result = new StringBuilder();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~' || (c == '/' && !forQuery))
                result.Append(c);
            else if (c == ' ' && forQuery)
                result.Append('+');
            else
                result.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return result.ToString();
    }
}
