namespace Nano;

/// <summary>
/// Cuts text into the pieces within which byte-level BPE merges, exactly as a published regular
/// expression does, but over whole characters (.NET's own engine sees UTF-16 halves) and in linear
/// time. The text is valid UTF-8.
/// </summary>
internal abstract class Splitter
{
    /// <summary>The end of the piece that begins at start.</summary>
    public abstract int Next(ReadOnlySpan<byte> text, int start);

    /// <summary>
    /// \s*[\r\n]+ (if wanted), \s+(?!\S), \s+: a run of white space ends after its last line break,
    /// else before its last character, which goes with the word that follows, else with the text.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="start">The position of a white space character.</param>
    /// <param name="lines">Whether line breaks end a piece.</param>
    /// <param name="textEnds">Characters that count as the end of the text.</param>
    protected static int WhiteSpace(ReadOnlySpan<byte> text, int start, bool lines, CharClass textEnds = CharClass.None)
    {
        int at = start, last = start, afterBreak = -1;
        while (at < text.Length)
        {
            var of = CharClasses.At(text, at, out int length);
            if ((of & CharClass.Space) == 0)
            {
                if ((of & textEnds) != 0)
                    last = start;
                break;
            }
            last = at;
            at += length;
            if ((of & CharClass.Newline) != 0)
                afterBreak = at;
        }
        if (lines && afterBreak > 0)
            return afterBreak;
        return at == text.Length || last == start ? at : last;
    }

    /// <summary>
    /// (?i:'s|'t|'re|'ve|'m|'ll|'d) at an apostrophe: the length of the match, or 0. U+017F is an s
    /// without case.
    /// </summary>
    protected static int Contraction(ReadOnlySpan<byte> text, int apostrophe)
    {
        var rest = text[(apostrophe + 1)..];
        if (rest.IsEmpty)
            return 0;
        int first = rest[0] | 0x20, second = rest.Length > 1 ? rest[1] : 0;
        if (first is 's' or 't' or 'm' or 'd')
            return 2;
        if (rest[0] == 0xC5 && second == 0xBF)
            return 3;
        return (first, second | 0x20) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }
}

/// <summary>
/// GPT-2: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// With single digits (SmolLM) every number character is first cut out, so what stands before it ends there.
/// </summary>
internal sealed class Gpt2Splitter(bool singleDigits) : Splitter
{
    public override int Next(ReadOnlySpan<byte> text, int start)
    {
        int at = start;
        if (text[at] == '\'' && char.IsAsciiLetterLower((char)(at + 1 < text.Length ? text[at + 1] : 0))
            && LowerContraction(text, at) is > 0 and int contraction)
            return at + contraction;
        if (text[at] == ' ' && at + 1 < text.Length)
            at++;
        var of = CharClasses.At(text, at, out int length) & CharClass.Visible;
        if (of == CharClass.Letter)
            return CharClasses.SkipAny(text, at + length, CharClass.Letter);
        if (of == CharClass.None)
            return CharClasses.SkipNone(text, at + length, CharClass.Visible);
        if (of == CharClass.Number && !singleDigits)
            return CharClasses.SkipAny(text, at + length, CharClass.Number);
        if (of == CharClass.Number && at == start)
            return at + length;
        return WhiteSpace(text, start, lines: false, singleDigits ? CharClass.Number : CharClass.None);
    }

    private static int LowerContraction(ReadOnlySpan<byte> text, int at)
    {
        int length = Contraction(text, at);
        return length == 3 && !char.IsAsciiLetterLower((char)text[at + 2]) ? 0 : length;
    }
}

/// <summary>
/// cl100k_base, Llama-3 (up to three digits), Qwen2 (one digit):
/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
/// </summary>
internal sealed class Cl100kSplitter(int maxDigits) : Splitter
{
    public override int Next(ReadOnlySpan<byte> text, int start)
    {
        if (text[start] == '\'' && Contraction(text, start) is > 0 and int contraction)
            return start + contraction;
        var of = CharClasses.At(text, start, out int length);
        int second = start + length;
        if ((of & CharClass.Letter) != 0)
            return CharClasses.SkipAny(text, second, CharClass.Letter);
        if ((of & CharClass.Number) != 0)
            return Digits(text, second, maxDigits - 1);
        var then = second < text.Length ? CharClasses.At(text, second, out _) : CharClass.Space;
        if ((of & CharClass.Newline) == 0 && (then & CharClass.Letter) != 0)
            return CharClasses.SkipAny(text, second, CharClass.Letter);
        if ((of & CharClass.Visible) == 0 || (text[start] == ' ' && (then & CharClass.Visible) == 0))
            return CharClasses.SkipAny(text, CharClasses.SkipNone(text, second, CharClass.Visible), CharClass.Newline);
        return WhiteSpace(text, start, lines: true);
    }

    /// <summary>The position after at most this many number characters.</summary>
    public static int Digits(ReadOnlySpan<byte> text, int at, int most)
    {
        for (; most > 0 && at < text.Length
            && (CharClasses.At(text, at, out int length) & CharClass.Number) != 0; most--)
            at += length;
        return at;
    }
}
