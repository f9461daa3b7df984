using System.Globalization;

namespace Nano;

/// <summary>
/// Finds places where a text that is too long to be encoded at once can be cut, so that the ids of
/// the parts, one after the other, are the ids of the whole. Byte-level BPE: after a letter or a
/// digit that is followed by white space, punctuation or a symbol, but not by an apostrophe. Most
/// patterns, all known ones among them (see <see cref="SplitPattern.EndsWithWords"/>), have no
/// piece that spans such a place or looks across it: words and numbers end there, and white space,
/// whose rules look ahead, begins anew; normal form C changes nothing across it. With other
/// patterns there is no such place. SentencePiece: at a single space between words, which the
/// second part gets back from the tokenizer where that puts one in front of a text. Characters:
/// between any two.
/// </summary>
public sealed class TextCutter
{
    private readonly AddedToken[] added = [];
    private readonly int longest;
    private readonly Func<ReadOnlySpan<char>, int, bool> isCut;
    private readonly int dropped;

    /// <summary>For the texts of a tokenizer.</summary>
    public TextCutter(ITokenizer tokenizer)
    {
        isCut = static (_, _) => false;
        if (tokenizer is CharTokenizer)
            isCut = static (text, at) => !char.IsLowSurrogate(text[at]);
        else if (tokenizer is ByteBpeTokenizer { Pattern.EndsWithWords: true })
            isCut = EndsWord;
        else if (tokenizer is SentencePieceTokenizer { CutsAtSpaces: true, Rules: var rules }
            && (rules.SpaceInFront != SpaceInFront.Never || !rules.SingleSpaces))
            (isCut, dropped) = (IsSingleSpace, rules.SpaceInFront == SpaceInFront.Never ? 0 : 1);
        if (tokenizer is BpeTokenizer bpe)
            added = [.. bpe.Parts.Added.Tokens.Where(token => !token.Special)];
        longest = added.Length == 0 ? 0 : added.Max(token => token.Text.Length);
    }

    /// <summary>The last position at which the beginning of a longer text can be cut.</summary>
    /// <param name="text">Valid Unicode, but for half a surrogate pair at its end.</param>
    /// <param name="end">The end of the first part.</param>
    /// <param name="next">The start of the second part.</param>
    /// <returns>False if there is no such place.</returns>
    public bool TryFindLast(ReadOnlySpan<char> text, out int end, out int next)
    {
        for (int at = text.Length - 2 - longest; at > 0; at--)
        {
            if (!isCut(text, at) || TouchesAdded(text, at))
                continue;
            (end, next) = (at, at + dropped);
            return true;
        }
        (end, next) = (0, 0);
        return false;
    }

    private static bool EndsWord(ReadOnlySpan<char> text, int at)
    {
        char next = text[at];
        return char.IsLetterOrDigit(text[at - 1]) && next != '\''
            && char.GetUnicodeCategory(next) is not (UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter
            or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter
            or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber
            or UnicodeCategory.OtherNumber or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark or UnicodeCategory.Surrogate);
    }

    private static bool IsSingleSpace(ReadOnlySpan<char> text, int at) =>
        text[at] == ' ' && !IsSpace(text[at - 1]) && !IsSpace(text[at + 1]);

    private static bool IsSpace(char c) => c is ' ' or SentencePieceTokenizer.SpaceSign;

    /// <summary>
    /// Checks whether an added token, found before the text is split, spans a position or begins
    /// right after it.
    /// </summary>
    private bool TouchesAdded(ReadOnlySpan<char> text, int at)
    {
        foreach (var token in added)
        {
            int from = Math.Max(0, at - token.Text.Length + 1), to = Math.Min(text.Length, at + token.Text.Length + 1);
            if (text[from..to].Contains(token.Text, StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}
