namespace Nano;

/// <summary>
/// A text or a regular expression to search for: {"String": ...} or {"Regex": ...} in tokenizer.json.
/// </summary>
internal sealed class TextPattern
{
    private readonly UnicodeRegex? regex;

    private TextPattern(string? literal, string? expression, UnicodeRegex? regex) =>
        (Literal, Expression, this.regex) = (literal, expression, regex);

    /// <summary>The text, or null for a regular expression.</summary>
    public string? Literal { get; }

    /// <summary>The regular expression, or null for a text.</summary>
    public string? Expression { get; }

    /// <summary>Reads the key "pattern".</summary>
    /// <exception cref="BadFileException">There is none, or it is of no known kind.</exception>
    public static TextPattern Of(TokenizerComponent component)
    {
        if (component.Pattern("Regex") is { } expression)
            return new TextPattern(null, expression, UnicodeRegex.Parse(expression, component.Path));
        return component.Pattern("String") is { Length: > 0 } literal ? new TextPattern(literal, null, null)
            : throw component.Bad("has no pattern that is a regular expression or a text that is not empty");
    }

    /// <summary>Finds all matches from left to right; they do not overlap.</summary>
    /// <param name="text">The text.</param>
    /// <param name="into">Receives their beginnings and ends in UTF-16 units.</param>
    /// <exception cref="NanoException">A regular expression needs too much time.</exception>
    public void Matches(ReadOnlySpan<char> text, List<(int Start, int End)> into)
    {
        if (regex is not null)
        {
            regex.Matches(text, into);
            return;
        }
        for (int at =
            0; text[at..].IndexOf(Literal,
            StringComparison.Ordinal) is >= 0 and int found; at += found + Literal!.Length)
            into.Add((at + found, at + found + Literal!.Length));
    }
}
