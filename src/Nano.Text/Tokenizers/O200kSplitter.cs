namespace Nano;

/// <summary>
/// o200k_base (contractions, up to three digits) and Mistral's Tekken (none, one digit). With U =
/// [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and W = [\p{Ll}\p{Lm}\p{Lo}\p{M}]:
/// [^\r\n\p{L}\p{N}]?U*W+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?U+W*(?i:...)?|\p{N}{1,3}|
/// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
/// </summary>
internal sealed class O200kSplitter(bool contractions, int maxDigits) : Splitter
{
    public override int Next(ReadOnlySpan<byte> text, int start)
    {
        var of = CharClasses.At(text, start, out int length);
        int second = start + length;
        if ((of & CharClass.Number) != 0)
            return Cl100kSplitter.Digits(text, second, maxDigits - 1);
        if (Word(text, start, second, of) is > 0 and int word)
            return contractions && word < text.Length && text[word] == '\'' ? word + Contraction(text, word) : word;
        var then = second < text.Length ? CharClasses.At(text, second, out _) : CharClass.Space;
        if ((of & CharClass.Visible) == 0 || (text[start] == ' ' && (then & CharClass.Visible) == 0))
            return Trail(text, CharClasses.SkipNone(text, second, CharClass.Visible));
        return WhiteSpace(text, start, lines: true);
    }

    /// <summary>
    /// The two kinds of word, each first with one other character in front: the end of the first
    /// that matches, or 0.
    /// </summary>
    private static int Word(ReadOnlySpan<byte> text, int start, int second, CharClass of)
    {
        bool prefix = (of & (CharClass.Letter | CharClass.Newline)) == 0 && second < text.Length;
        int endsLow = prefix ? EndsLow(text, second) : 0;
        if (endsLow == 0)
            endsLow = EndsLow(text, start);
        if (endsLow > 0)
            return endsLow;
        // No W is near, so U+W* is U+.
        int high = prefix ? CharClasses.SkipAny(text, second, CharClass.Upper) : second;
        if (prefix && high > second)
            return high;
        return (of & CharClass.Upper) != 0 ? CharClasses.SkipAny(text, second, CharClass.Upper) : 0;
    }

    /// <summary>
    /// U*W+ from a position: its end, or 0. U* takes all it can and gives back only up to the last
    /// character that is also in W.
    /// </summary>
    private static int EndsLow(ReadOnlySpan<byte> text, int start)
    {
        int at = start, afterBoth = 0;
        while (at < text.Length)
        {
            var of = CharClasses.At(text, at, out int length);
            if ((of & CharClass.Upper) == 0)
                return (of & CharClass.Lower) != 0 ? CharClasses.SkipAny(text, at, CharClass.Lower) : afterBoth;
            at += length;
            if ((of & CharClass.Lower) != 0)
                afterBoth = at;
        }
        return afterBoth;
    }

    private static int Trail(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && text[at] is (byte)'\r' or (byte)'\n' or (byte)'/')
            at++;
        return at;
    }
}
