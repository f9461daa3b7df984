namespace Nano;

/// <summary>The treatment of a match at which a text is cut.</summary>
internal enum SplitBehavior
{
    /// <summary>It is left out.</summary>
    Removed,

    /// <summary>It is a piece.</summary>
    Isolated,

    /// <summary>It belongs to the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>It belongs to the piece behind it.</summary>
    MergedWithNext,

    /// <summary>Matches that follow each other are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts pieces at matches.</summary>
internal static class PieceCutter
{
    /// <summary>Cuts a piece.</summary>
    /// <param name="piece">The piece.</param>
    /// <param name="matches">The matches in it, from left to right.</param>
    /// <param name="behavior">The treatment of matches.</param>
    /// <param name="inverted">Whether what lies between matches counts as matches, and they as what lies
    /// between.</param>
    /// <param name="into">Receives the parts that are not empty.</param>
    public static void Cut(TextPiece piece, List<(int Start, int End)> matches, SplitBehavior behavior, bool inverted,
        List<TextPiece> into)
    {
        var spans = Spans(piece.Length, matches, inverted);
        switch (behavior)
        {
            case SplitBehavior.Removed:
                spans.RemoveAll(span => span.IsMatch);
                break;
            case SplitBehavior.Contiguous:
                Join(spans, (before, span) => span.IsMatch == before.IsMatch);
                break;
            case SplitBehavior.MergedWithPrevious:
                Join(spans, (before, span) => span.IsMatch && !before.IsMatch);
                break;
            case SplitBehavior.MergedWithNext:
                JoinToNext(spans);
                break;
        }
        foreach (var (start, end, _) in spans)
            if (end > start)
                into.Add(piece.Slice(start, end - start));
    }

    private static List<(int Start, int End, bool IsMatch)> Spans(int length, List<(int Start, int End)> matches,
        bool inverted)
    {
        var spans = new List<(int Start, int End, bool IsMatch)>((2 * matches.Count) + 1);
        int at = 0;
        foreach (var (start, end) in matches)
        {
            if (start > at)
                spans.Add((at, start, inverted));
            spans.Add((start, end, !inverted));
            at = end;
        }
        if (at < length)
            spans.Add((at, length, inverted));
        return spans;
    }

    /// <summary>
    /// Joins a span to the one before it where the two, as they were found, go together; a first match has nothing to
    /// be joined to.
    /// </summary>
    private static void Join(
        List<(int Start, int End, bool IsMatch)> spans,
        Func<(int Start, int End, bool IsMatch), (int Start, int End, bool IsMatch), bool> together)
    {
        int count = 0;
        var before = (Start: 0, End: 0, IsMatch: false);
        for (int i = 0; i < spans.Count; i++)
        {
            var span = spans[i];
            if (count > 0 && together(before, span))
                spans[count - 1] = spans[count - 1] with { End = span.End };
            else
                spans[count++] = span;
            before = span;
        }
        spans.RemoveRange(count, spans.Count - count);
    }

    private static void JoinToNext(List<(int Start, int End, bool IsMatch)> spans)
    {
        int first = spans.Count;
        bool matchBefore = false;
        for (int i = spans.Count - 1; i >= 0; i--)
        {
            var span = spans[i];
            if (span.IsMatch && !matchBefore && first < spans.Count)
                spans[first] = spans[first] with { Start = span.Start };
            else
                spans[--first] = span;
            matchBefore = span.IsMatch;
        }
        spans.RemoveRange(0, first);
    }
}
