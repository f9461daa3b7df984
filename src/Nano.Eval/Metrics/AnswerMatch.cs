using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// Exact match and F1 of short answers as SQuAD defines them (Rajpurkar et al., "SQuAD: 100,000+
/// questions for machine comprehension of text", 2016; its evaluate-v2.0.py): both texts in lower
/// case, without the punctuation of ASCII, without the words a, an and the, with single spaces. F1
/// is over words that both have, each as often as both have it: 2 P R / (P + R); where either has
/// no words, whether neither has. Of several references the best counts.
/// </summary>
public static class AnswerMatch
{
    /// <summary>
    /// True if the normalised prediction equals one of the normalised references.
    /// </summary>
    public static bool Exact(string prediction, IReadOnlyList<string> references)
    {
        string text = string.Join(' ', Words(prediction));
        return references.Any(reference => string.Join(' ', Words(reference)) == text);
    }

    /// <summary>F1, from 0 to 1, with the reference that gives the most.</summary>
    public static double F1(string prediction, IReadOnlyList<string> references)
    {
        string[] words = Words(prediction);
        return references.Max(reference => F1(words, Words(reference)));
    }

    private static double F1(string[] prediction, string[] reference)
    {
        if (prediction.Length == 0 || reference.Length == 0)
            return prediction.Length == reference.Length ? 1 : 0;
        var left = reference.CountBy(word => word).ToDictionary(StringComparer.Ordinal);
        double common = 0;
        foreach (string word in prediction)
            if (left.TryGetValue(word, out int count) && count > 0)
            {
                left[word] = count - 1;
                common++;
            }
        return 2 * common / (prediction.Length + reference.Length); // P and R put in
    }

    private static string[] Words(string text)
    {
        var bare = new StringBuilder();
        foreach (char c in EvaluationText.Lower(text))
            if (!char.IsAscii(c) || !(char.IsPunctuation(c) || char.IsSymbol(c)))
                bare.Append(c);
        return EvaluationText.Split(WithoutArticles(bare.ToString()));
    }

    /// <summary>
    /// Articles go where they are a whole run of letters and digits, which need not be a word
    /// between spaces.
    /// </summary>
    private static string WithoutArticles(string text)
    {
        var kept = new StringBuilder();
        var run = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsWordCharacter(rune))
            {
                run.Append(rune);
                continue;
            }
            End();
            kept.Append(rune);
        }
        End();
        return kept.ToString();

        void End()
        {
            kept.Append(run.ToString() is "a" or "an" or "the" ? " " : run.ToString());
            run.Clear();
        }
    }

    private static bool IsWordCharacter(Rune rune) => Rune.IsLetterOrDigit(rune)
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;
}
