using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// Upper and lower case as Python's strings have it: Unicode's full mappings, where one character can become three.
/// </summary>
internal static class PythonCase
{
    // From Unicode's SpecialCasing.txt: a character, then the characters it becomes.
    private static readonly Dictionary<char, string> UpperOf = Table(
        " \u00DFSS \u0149\u02BCN \u01F0J\u030C \u0390\u0399\u0308\u0301 \u03B0\u03A5\u0308\u0301"
        + " \u0587\u0535\u0552 \u1E96H\u0331 \u1E97T\u0308 \u1E98W\u030A \u1E99Y\u030A \u1E9AA\u02BE"
        + " \u1F50\u03A5\u0313 \u1F52\u03A5\u0313\u0300 \u1F54\u03A5\u0313\u0301 \u1F56\u03A5\u0313\u0342"
        + " \u1F80\u1F08\u0399 \u1F81\u1F09\u0399 \u1F82\u1F0A\u0399 \u1F83\u1F0B\u0399 \u1F84\u1F0C\u0399"
        + " \u1F85\u1F0D\u0399 \u1F86\u1F0E\u0399 \u1F87\u1F0F\u0399 \u1F88\u1F08\u0399 \u1F89\u1F09\u0399"
        + " \u1F8A\u1F0A\u0399 \u1F8B\u1F0B\u0399 \u1F8C\u1F0C\u0399 \u1F8D\u1F0D\u0399 \u1F8E\u1F0E\u0399"
        + " \u1F8F\u1F0F\u0399 \u1F90\u1F28\u0399 \u1F91\u1F29\u0399 \u1F92\u1F2A\u0399 \u1F93\u1F2B\u0399"
        + " \u1F94\u1F2C\u0399 \u1F95\u1F2D\u0399 \u1F96\u1F2E\u0399 \u1F97\u1F2F\u0399 \u1F98\u1F28\u0399"
        + " \u1F99\u1F29\u0399 \u1F9A\u1F2A\u0399 \u1F9B\u1F2B\u0399 \u1F9C\u1F2C\u0399 \u1F9D\u1F2D\u0399"
        + " \u1F9E\u1F2E\u0399 \u1F9F\u1F2F\u0399 \u1FA0\u1F68\u0399 \u1FA1\u1F69\u0399 \u1FA2\u1F6A\u0399"
        + " \u1FA3\u1F6B\u0399 \u1FA4\u1F6C\u0399 \u1FA5\u1F6D\u0399 \u1FA6\u1F6E\u0399 \u1FA7\u1F6F\u0399"
        + " \u1FA8\u1F68\u0399 \u1FA9\u1F69\u0399 \u1FAA\u1F6A\u0399 \u1FAB\u1F6B\u0399 \u1FAC\u1F6C\u0399"
        + " \u1FAD\u1F6D\u0399 \u1FAE\u1F6E\u0399 \u1FAF\u1F6F\u0399 \u1FB2\u1FBA\u0399 \u1FB3\u0391\u0399"
        + " \u1FB4\u0386\u0399 \u1FB6\u0391\u0342 \u1FB7\u0391\u0342\u0399 \u1FBC\u0391\u0399"
        + " \u1FC2\u1FCA\u0399 \u1FC3\u0397\u0399 \u1FC4\u0389\u0399 \u1FC6\u0397\u0342"
        + " \u1FC7\u0397\u0342\u0399 \u1FCC\u0397\u0399 \u1FD2\u0399\u0308\u0300 \u1FD3\u0399\u0308\u0301"
        + " \u1FD6\u0399\u0342 \u1FD7\u0399\u0308\u0342 \u1FE2\u03A5\u0308\u0300 \u1FE3\u03A5\u0308\u0301"
        + " \u1FE4\u03A1\u0313 \u1FE6\u03A5\u0342 \u1FE7\u03A5\u0308\u0342 \u1FF2\u1FFA\u0399"
        + " \u1FF3\u03A9\u0399 \u1FF4\u038F\u0399 \u1FF6\u03A9\u0342 \u1FF7\u03A9\u0342\u0399"
        + " \u1FFC\u03A9\u0399 \uFB00FF \uFB01FI \uFB02FL \uFB03FFI \uFB04FFL \uFB05ST \uFB06ST"
        + " \uFB13\u0544\u0546 \uFB14\u0544\u0535 \uFB15\u0544\u053B \uFB16\u054E\u0546 \uFB17\u0544\u053D");

    private static readonly Dictionary<char, string> TitleOf = Table(
        " \u00DFSs \u0587\u0535\u0582 \u1FB2\u1FBA\u0345 \u1FB4\u0386\u0345 \u1FB7\u0391\u0342\u0345"
        + " \u1FC2\u1FCA\u0345 \u1FC4\u0389\u0345 \u1FC7\u0397\u0342\u0345 \u1FF2\u1FFA\u0345"
        + " \u1FF4\u038F\u0345 \u1FF7\u03A9\u0342\u0345 \uFB00Ff \uFB01Fi \uFB02Fl \uFB03Ffi \uFB04Ffl \uFB05St"
        + " \uFB06St \uFB13\u0544\u0576 \uFB14\u0544\u0565 \uFB15\u0544\u056B \uFB16\u054E\u0576"
        + " \uFB17\u0544\u056D");

    public static string Upper(string text) =>
        Ascii.IsValid(text) ? text.ToUpperInvariant() : Map(text, (rune, _) => Upper(rune));

    public static string Lower(string text) =>
        Ascii.IsValid(text) ? text.ToLowerInvariant() : Map(text, (rune, at) => Lower(rune, text, at));

    /// <summary>str.swapcase.</summary>
    public static string Swap(string text) =>
        Map(text, (rune, at) => IsUpper(rune) ? Lower(rune, text, at) : Upper(rune));

    /// <summary>str.capitalize: the first character in title case, the rest in lower case.</summary>
    public static string Capitalize(string text) =>
        Map(text, (rune, at) => at == 0 ? Title(rune) : Lower(rune, text, at));

    /// <summary>str.title: the first character of every run of letters in title case, the rest in lower case.</summary>
    public static string Title(string text)
    {
        bool inWord = false;
        return Map(text, (rune, at) =>
        {
            string mapped = inWord ? Lower(rune, text, at) : Title(rune);
            inWord = IsCased(rune);
            return mapped;
        });
    }

    /// <summary>str.casefold: the form in which texts are compared without case.</summary>
    public static string Fold(string text) => Map(text, (rune, _) => rune.Value switch
    {
        0x1E9E => "ss",
        0x131 => rune.ToString(),
        >= 0x13A0 and <= 0x13FD or >= 0xAB70 and <= 0xABBF => Upper(rune), // Cherokee folds to upper case
        _ => string.Concat(Upper(rune).EnumerateRunes().Select(upper => Lower(upper, "", 0))),
    });

    public static bool IsUpper(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.UppercaseLetter
        || rune.Value is >= 0x2160 and <= 0x216F or >= 0x24B6 and <= 0x24CF or >= 0x1F130 and <= 0x1F149
            or >= 0x1F150 and <= 0x1F169 or >= 0x1F170 and <= 0x1F189;

    public static bool IsLower(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.LowercaseLetter
        || rune.Value is 0xAA or 0xBA or (>= 0x2B0 and <= 0x2B8) or 0x2C0 or 0x2C1 or (>= 0x2E0 and <= 0x2E4)
            or 0x345 or 0x37A or (>= 0x1D2C and <= 0x1D6A) or 0x1D78 or (>= 0x1D9B and <= 0x1DBF) or 0x2071 or 0x207F
            or (>= 0x2090 and <= 0x209C) or (>= 0x2170 and <= 0x217F) or (>= 0x24D0 and <= 0x24E9) or 0x2C7C or 0x2C7D
            or 0xA69C or 0xA69D or 0xA770
            or 0xA7F8 or 0xA7F9 or (>= 0xAB5C and <= 0xAB5F);

    /// <summary>True if a character belongs to a word for str.title.</summary>
    public static bool IsCased(Rune rune) =>
        IsUpper(rune) || IsLower(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;

    private static string Map(string text, Func<Rune, int, string> map)
    {
        var result = new StringBuilder(text.Length);
        int at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            result.Append(map(rune, at));
            at += rune.Utf16SequenceLength;
        }
        return result.ToString();
    }

    private static string Upper(Rune rune) =>
        rune.IsBmp && UpperOf.TryGetValue((char)rune.Value, out string? special) ? special
        : rune.Value == 0x131 ? "I" : Rune.ToUpperInvariant(rune).ToString();

    private static string Title(Rune rune)
    {
        if (rune.IsBmp && TitleOf.TryGetValue((char)rune.Value, out string? special))
            return special;
        if (rune.Value is (>= 0x1C4 and <= 0x1CC) or (>= 0x1F1 and <= 0x1F3)) // the letters that are two, such as Dz
            return ((char)(rune.Value < 0x1F1 ? ((rune.Value - 0x1C4) / 3 * 3) + 0x1C5 : 0x1F2)).ToString();
        if (rune.Value is (>= 0x10D0 and <= 0x10FF) or (>= 0x1C90 and <= 0x1CBF)
            || Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter)
            return rune.ToString();
        var simple = Rune.ToUpperInvariant(rune);
        return simple == rune ? Upper(rune) : simple.ToString();
    }

    private static string Lower(Rune rune, string text, int at) => rune.Value switch
    {
        0x130 => "i\u0307",
        0x3A3 when text.Length > 0 => IsFinal(text, at) ? "\u03C2" : "\u03C3",
        _ => Rune.ToLowerInvariant(rune).ToString(),
    };

    /// <summary>True for a sigma that ends a word: letters before it and none behind it, passing over marks.</summary>
    private static bool IsFinal(string text, int at)
    {
        int before = at, behind = at + 1;
        var rune = default(Rune);
        while (before > 0 && Rune.DecodeLastFromUtf16(text.AsSpan(0, before), out rune, out int length) >= 0
            && IsIgnorable(rune))
            before -= length;
        if (before == 0 || !IsCased(rune))
            return false;
        while (behind < text.Length && Rune.DecodeFromUtf16(text.AsSpan(behind), out rune, out int length) >= 0
            && IsIgnorable(rune))
            behind += length;
        return behind >= text.Length || !IsCased(rune);
    }

    private static bool IsIgnorable(Rune rune) =>
        rune.Value is '\'' or '.' or ':' or '^' or '`' or 0xAD or 0xB7 or 0x2019
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    private static Dictionary<char, string> Table(string entries) =>
        entries.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToDictionary(entry => entry[0], entry => entry[1..]);
}
