namespace Nano;

/// <summary>
/// Finds what somebody probably meant when they mistyped a name: the "did you mean" of error
/// messages.
/// </summary>
public static class NearestMatch
{
    private const int ShortestPrefix = 3, LongestWord = 200;

    /// <summary>
    /// The hint of an error about an unknown name: the nearest one if any is close, then all of
    /// them behind a label.
    /// </summary>
    public static string Hint(string word, IReadOnlyCollection<string> known, string label) =>
        (Of(word, known) is { } near ? $"did you mean {Quoted.Of(near)}? "
            : "") + $"{label}: {string.Join(", ", known)}";

    /// <summary>
    /// The candidate with the fewest edits (a letter added, dropped, changed, or two neighbours
    /// swapped) from <paramref name="word"/>, if about a third of the letters at most are wrong;
    /// else the first candidate that starts with it ("gpt2" for "gpt2-tokenizer"). Upper and lower
    /// case are equal. Of equally near candidates the first wins.
    /// </summary>
    /// <returns>The candidate as it was given, or null when nothing is close, or the word has more than 200
    /// letters.</returns>
    public static string? Of(string word, IEnumerable<string> candidates)
    {
        ArgumentNullException.ThrowIfNull(word);
        ArgumentNullException.ThrowIfNull(candidates);
        if (word.Length > LongestWord)
            return null;
        string? nearest = null, completed = null;
        int fewest = int.MaxValue;
        foreach (string candidate in candidates)
        {
            int edits = Edits(word.ToUpperInvariant(), candidate.ToUpperInvariant());
            if (edits <= (Math.Max(word.Length, candidate.Length) + 1) / 3 && edits < fewest)
                (nearest, fewest) = (candidate, edits);
            if (word.Length >= ShortestPrefix && candidate.StartsWith(word, StringComparison.OrdinalIgnoreCase))
                completed ??= candidate;
        }
        return nearest ?? completed;
    }

    /// <summary>Optimal string alignment distance (Levenshtein, plus swaps of neighbours), row by row.</summary>
    private static int Edits(string a, string b)
    {
        int[] beforeLast = new int[b.Length + 1], last = [.. Enumerable.Range(0, b.Length + 1)],
            row = new int[b.Length + 1];
        for (int i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                row[j] = Math.Min(change, Math.Min(last[j], row[j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    row[j] = Math.Min(row[j], beforeLast[j - 2] + 1);
            }
            (beforeLast, last, row) = (last, row, beforeLast);
        }
        return last[b.Length];
    }
}
