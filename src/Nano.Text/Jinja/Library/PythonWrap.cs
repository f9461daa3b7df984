using System.Text.RegularExpressions;

namespace Nano;

/// <summary>
/// textwrap.wrap, as the filter "wordwrap" calls it: white space stays within lines and goes where
/// they break.
/// </summary>
internal static partial class PythonWrap
{
    // White space; dashes between words; a word, or as much of it as ends with a hyphen or stands before dashes.
    [GeneratedRegex(@"[\t\n\v\f\r ]+|(?<=[\w!""'&.,?])-{2,}(?=\w)|[^\t\n\v\f\r ]+?(?:"
        + @"-(?:(?<=[^\d\W]{2}-)|(?<=[^\d\W]-[^\d\W]-))(?=[^\d\W]-?[^\d\W])"
        + @"|(?=[\t\n\v\f\r ]|\z)|(?<=[\w!""'&.,?])(?=-{2,}\w))")]
    private static partial Regex Pieces();

    [GeneratedRegex(@"[\t\n\v\f\r ]+|[^\t\n\v\f\r ]+")]
    private static partial Regex Words();

    /// <summary>
    /// The lines of a text, each at most <paramref name="width"/> characters wide, with a text
    /// between them.
    /// </summary>
    /// <exception cref="JinjaError">The width is not positive.</exception>
    public static string Wrap(string text, long width, bool breakWords, bool breakHyphens, string between,
        JinjaBudget budget)
    {
        budget.Step(text.Length);
        var wrapped = new List<string>();
        foreach (string line in PythonText.Lines(text))
        {
            if (width <= 0)
                throw new JinjaError("the width to wrap at must be positive");
            var lines = Wrap(line, (int)Math.Min(width, int.MaxValue), breakWords, breakHyphens);
            budget.Make(line.Length + ((long)lines.Count * between.Length));
            wrapped.Add(string.Join(between, lines));
        }
        return string.Join(between, wrapped);
    }

    private static List<string> Wrap(string text, int width, bool breakWords, bool breakHyphens)
    {
        var pieces = (breakHyphens ? Pieces() : Words()).Matches(text);
        var lines = new List<string>();
        // A line is text[start..end]; the next piece begins at end, or within a piece that was too long.
        for (int next = 0, at = 0; next < pieces.Count;)
        {
            if (lines.Count > 0 && at == pieces[next].Index && IsSpace(pieces[next]) && ++next == pieces.Count)
                break;
            int start = Math.Max(at, pieces[next].Index), end = start, last = next, whole;
            for (; next < pieces.Count && End(pieces[next]) - start <= width; next++)
                end = End(pieces[next]);
            whole = end;
            bool breaks = false;
            if (next < pieces.Count && End(pieces[next]) - Math.Max(end, pieces[next].Index) > width)
            {
                breaks = breakWords;
                if (breakWords)
                    end = Break(text, end, start + width, End(pieces[next]), breakHyphens);
                else if (end == start)
                    end = End(pieces[next++]);
            }
            at = end;
            // Python drops the last piece of a line if it is white space, and takes a word of which nothing
            // fits for an empty last piece.
            bool dropsLast = !(breaks && end == whole) && next > last && end == End(pieces[next - 1])
                && IsSpace(pieces[next - 1]);
            string line = text[start..(dropsLast ? pieces[next - 1].Index : end)];
            if (line.Length > 0)
                lines.Add(line);
        }
        return lines;
    }

    private static int End(Match piece) => piece.Index + piece.Length;

    private static bool IsSpace(Match piece) => piece.Value.AsSpan().Trim().IsEmpty;

    /// <summary>
    /// The place to break a word that is longer than a line: at the width, or behind the last
    /// hyphen before it.
    /// </summary>
    private static int Break(string text, int start, int most, int end, bool breakHyphens)
    {
        most = Math.Min(most, end);
        int hyphen = breakHyphens ? text.AsSpan(start, most - start).LastIndexOf('-') : -1;
        return hyphen > 0 && text.AsSpan(start, hyphen).ContainsAnyExcept('-') ? start + hyphen + 1 : most;
    }
}
