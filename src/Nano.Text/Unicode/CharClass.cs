using System.Globalization;

namespace Nano;

/// <summary>
/// Character classes of the splitters, as flags. They overlap: a letter without case is both Upper
/// and Lower, as in o200k_base.
/// </summary>
[Flags]
internal enum CharClass : byte
{
    /// <summary>
    /// Neither letter, number nor white space: \p{M}, \p{P}, \p{S}, \p{C}. Marks are also Upper and
    /// Lower.
    /// </summary>
    None = 0,

    /// <summary>\p{L}.</summary>
    Letter = 1,

    /// <summary>\p{N}.</summary>
    Number = 2,

    /// <summary>\s: White_Space of Unicode.</summary>
    Space = 4,

    /// <summary>\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}.</summary>
    Upper = 8,

    /// <summary>\p{Ll}\p{Lm}\p{Lo}\p{M}.</summary>
    Lower = 16,

    /// <summary>Carriage return and line feed.</summary>
    Newline = 32,

    /// <summary>Everything of which a word or a number is made, and what separates them.</summary>
    Visible = Letter | Number | Space,
}

/// <summary>Looks characters up in valid UTF-8.</summary>
internal static class CharClasses
{
    private static readonly CharClass[] Basic = Build();

    /// <summary>The class of the character that begins at a position, and its length in bytes.</summary>
    public static CharClass At(ReadOnlySpan<byte> utf8, int at, out int length)
    {
        int lead = utf8[at];
        if (lead < 0x80)
        {
            length = 1;
            return Basic[lead];
        }
        if (lead < 0xE0)
        {
            length = 2;
            return Basic[((lead & 0x1F) << 6) | (utf8[at + 1] & 0x3F)];
        }
        int low = ((utf8[at + 1] & 0x3F) << 6) | (utf8[at + 2] & 0x3F);
        if (lead < 0xF0)
        {
            length = 3;
            return Basic[((lead & 0xF) << 12) | low];
        }
        length = 4;
        return Of(((lead & 7) << 18) | (low << 6) | (utf8[at + 3] & 0x3F));
    }

    /// <summary>The position after the run of characters of which every one is in any of the classes.</summary>
    public static int SkipAny(ReadOnlySpan<byte> utf8, int at, CharClass classes)
    {
        while (at < utf8.Length && (At(utf8, at, out int length) & classes) != 0)
            at += length;
        return at;
    }

    /// <summary>The position after the run of characters of which every one is in none of the classes.</summary>
    public static int SkipNone(ReadOnlySpan<byte> utf8, int at, CharClass classes)
    {
        while (at < utf8.Length && (At(utf8, at, out int length) & classes) == 0)
            at += length;
        return at;
    }

    private static CharClass[] Build()
    {
        var classes = new CharClass[0x10000];
        for (int c = 0; c < classes.Length; c++)
            classes[c] = Of(c);
        return classes;
    }

    private static CharClass Of(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => CharClass.Letter | CharClass.Upper,
        UnicodeCategory.LowercaseLetter => CharClass.Letter | CharClass.Lower,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter =>
            CharClass.Letter | CharClass.Upper | CharClass.Lower,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark =>
            CharClass.Upper | CharClass.Lower,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber =>
            CharClass.Number,
        _ when codePoint is '\r' or '\n' => CharClass.Space | CharClass.Newline,
        _ when codePoint <= char.MaxValue && char.IsWhiteSpace((char)codePoint) => CharClass.Space,
        _ => CharClass.None,
    };
}
