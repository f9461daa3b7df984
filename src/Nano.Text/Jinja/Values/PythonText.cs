using System.Buffers;
using System.Text;

namespace Nano;

/// <summary>Texts as Python sees them: sequences of code points.</summary>
internal static class PythonText
{
    /// <summary>The characters for which str.isspace is true, which is also what \s matches.</summary>
    public static readonly SearchValues<char> Spaces =
        SearchValues.Create("\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680"
        + "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000");

    public static bool IsSpace(char c) => Spaces.Contains(c);

    /// <summary>The characters of a text or of markup; null for anything else.</summary>
    public static string? AsText(object? value) => value as string ?? (value as JinjaMarkup)?.Text;

    /// <summary>A text of the kind of another: markup if that is markup.</summary>
    public static object Like(object? model, string text) => model is JinjaMarkup ? new JinjaMarkup(text) : text;

    private static bool IsBmp(string text) => !text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF');

    /// <summary>The number of code points.</summary>
    public static int Length(string text, JinjaBudget? budget = null)
    {
        budget?.Read(text);
        if (IsBmp(text))
            return text.Length;
        int count = 0;
        foreach (char c in text)
            count += char.IsLowSurrogate(c) ? 0 : 1;
        return count;
    }

    /// <summary>The code points as texts of their own.</summary>
    public static IEnumerable<object?> Characters(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int length = char.IsHighSurrogate(text[at]) ? 2 : 1;
            yield return text.Substring(at, length);
            at += length;
        }
    }

    /// <summary>The code point at a position within the text.</summary>
    public static string Character(string text, int position)
    {
        int at = Offset(text, position);
        return text.Substring(at, char.IsHighSurrogate(text[at]) ? 2 : 1);
    }

    /// <summary>The place in UTF-16 of a code point.</summary>
    public static int Offset(string text, int position)
    {
        if (IsBmp(text))
            return position;
        int at = 0;
        for (; position > 0; position--)
            at += char.IsHighSurrogate(text[at]) ? 2 : 1;
        return at;
    }

    /// <summary>The code points from, from + by, ..., as many as said, of a text of that length.</summary>
    public static string Slice(string text, int length, int from, long by, int count)
    {
        if (count == 0)
            return "";
        if (by == 1)
        {
            int start = Offset(text, from);
            return text.Length == length ? text.Substring(start, count) : text[start..][..Offset(text[start..], count)];
        }
        var result = new StringBuilder(count);
        string[]? characters = text.Length == length ? null
            : [.. Characters(text).Select(character => (string)character!)];
        for (int i = 0; i < count; i++)
        {
            int at = (int)(from + (i * by));
            if (characters is null)
                result.Append(text[at]);
            else
                result.Append(characters[at]);
        }
        return result.ToString();
    }

    /// <summary>Order by code points, which is not that of UTF-16.</summary>
    public static int Compare(string a, string b)
    {
        int at = a.AsSpan().CommonPrefixLength(b);
        if (at == a.Length || at == b.Length)
            return a.Length.CompareTo(b.Length);
        bool left = char.IsSurrogate(a[at]), right = char.IsSurrogate(b[at]);
        return left != right ? left ? 1 : -1 : a[at].CompareTo(b[at]);
    }

    /// <summary>str.strip, lstrip and rstrip: white space, or any of the given characters.</summary>
    public static string Strip(string text, string? characters, bool start, bool end)
    {
        int from = 0, to = text.Length;
        if (characters is null)
        {
            while (start && from < to && IsSpace(text[from]))
                from++;
            while (end && to > from && IsSpace(text[to - 1]))
                to--;
            return text[from..to];
        }
        var set = characters.EnumerateRunes().ToHashSet();
        while (start && from < to
            && Rune.DecodeFromUtf16(text.AsSpan(from), out var rune, out int length) == OperationStatus.Done
            && set.Contains(rune))
            from += length;
        while (end && to > from && Rune.DecodeLastFromUtf16(text.AsSpan(from, to - from), out var rune, out int length)
            == OperationStatus.Done && set.Contains(rune))
            to -= length;
        return text[from..to];
    }

    /// <summary>str.splitlines.</summary>
    public static List<string> Lines(string text, bool keepEnds = false)
    {
        var lines = new List<string>();
        for (int start = 0; start < text.Length;)
        {
            int length = text.AsSpan(start).IndexOfAny(LineEnds), end = length < 0 ? text.Length : start + length;
            int next = end < text.Length ? end + 1 : end;
            if (next < text.Length && text[end] == '\r' && text[next] == '\n')
                next++;
            lines.Add(text[start..(keepEnds ? next : end)]);
            start = next;
        }
        return lines;
    }

    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029");

    /// <summary>MarkupSafe's escape: text made fit for HTML.</summary>
    public static string Escape(string text) => new StringBuilder(text).Replace("&", "&amp;").Replace(">", "&gt;")
        .Replace("<", "&lt;").Replace("'", "&#39;").Replace("\"", "&#34;").ToString();

    /// <summary>The text to put beside markup: itself if it is markup, otherwise escaped.</summary>
    public static string Escaped(object? value, JinjaBudget budget)
    {
        string text = PythonRepr.Str(value, budget);
        if (value is JinjaMarkup)
            return text;
        budget.Make(text.Length);
        string escaped = Escape(text);
        budget.Make(escaped.Length - text.Length);
        return escaped;
    }
}
