using System.Text;

namespace Nano;

/// <summary>Words and white space as Python sees them, in whose programs the metrics are defined.</summary>
internal static class EvaluationText
{
    /// <summary>White space of Unicode, and the four separators of ASCII.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    /// <summary>
    /// str.lower, but for a sigma at the end of a word. Two letters beyond ASCII have one of ASCII
    /// as (the beginning of) their lower case: the Kelvin sign, and I with a dot.
    /// </summary>
    public static string Lower(string text) =>
        text.Replace('\u212A', 'k').Replace("\u0130", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();

    /// <summary>str.rstrip.</summary>
    public static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && IsSpace(text[end - 1]))
            end--;
        return text[..end];
    }

    /// <summary>str.split: what is between white space, nothing empty.</summary>
    public static string[] Split(string text) => Split(text, c => !(c.IsBmp && IsSpace((char)c.Value)));

    /// <summary>The longest runs of characters that belong to words.</summary>
    public static string[] Split(string text, Func<Rune, bool> belongs)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
            if (belongs(rune))
                word.Append(rune);
            else
                End();
        End();
        return [.. words];

        void End()
        {
            if (word.Length > 0)
                words.Add(word.ToString());
            word.Clear();
        }
    }
}
