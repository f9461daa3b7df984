using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// The sets of characters that Hugging Face's tokenizers tests for. Where its tables are of another version of Unicode
/// than .NET's, they are read from characters.txt, which a script made by asking that library about every character.
/// </summary>
internal static class CharacterSets
{
    private static readonly Dictionary<string, (int First, int Last)[]> Sets = [];
    private static readonly Dictionary<int, int[]> Compatible = [];

    static CharacterSets()
    {
        using var stream = typeof(CharacterSets).Assembly.GetManifestResourceStream("characters.txt")!;
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon >= 0)
                Sets.Add(line[..colon], [.. line[(colon + 2)..].Split(' ').Select(Range)]);
            else
                Compatible.Add(Number(line.AsSpan(0, line.IndexOf('=', StringComparison.Ordinal))),
                    [.. line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..].Split(' ').Select(c => Number(c))]);
        }
    }

    /// <summary>Punctuation: that of ASCII, symbols such as $ and + included, and general category P.</summary>
    public static bool IsPunctuation(Rune c) => Has("punctuation", c.Value);

    /// <summary>A combining mark of any kind.</summary>
    public static bool IsMark(Rune c) => Has("mark", c.Value);

    /// <summary>A mark without a width of its own (Mn).</summary>
    public static bool IsNonspacingMark(Rune c) => Has("nonspacing mark", c.Value);

    /// <summary>
    /// Control, format and private-use characters but for tab and line ends, and U+FFFD: removed for BERT.
    /// </summary>
    public static bool IsControl(Rune c) => Has("control", c.Value);

    /// <summary>White space (White_Space of Unicode).</summary>
    public static bool IsWhiteSpace(Rune c) => Rune.IsWhiteSpace(c);

    /// <summary>A number of any kind (category N).</summary>
    public static bool IsNumeric(Rune c) =>
        Rune.GetUnicodeCategory(c) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber
        or UnicodeCategory.OtherNumber || c.Value is (>= 0x11DE0 and <= 0x11DE9) or (>= 0x16FF4 and <= 0x16FF6);

    /// <summary>
    /// \w of Unicode's regular expressions (UTS #18): letters, marks, decimal digits, connectors, joiners.
    /// </summary>
    public static bool IsWord(Rune c) =>
        Rune.GetUnicodeCategory(c) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter
        or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter
        or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
        or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation
        || c.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149)
            or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    /// <summary>An ideograph as BERT counts them, which leaves out kana and Hangul.</summary>
    public static bool IsIdeograph(Rune c) =>
        c.Value is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
            or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF)
            or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);

    /// <summary>A character whose canonical decomposition is younger than the library's tables.</summary>
    public static bool IsDecomposedSince(int c) => c > 0x10000 && Has("decomposed since", c);

    /// <summary>A mark whose combining class is younger than the library's tables.</summary>
    public static bool IsMarkSince(int c) => Has("mark since", c);

    /// <summary>The whole compatibility decomposition of a character, or null.</summary>
    public static int[]? CompatibilityOf(int c) => Compatible.GetValueOrDefault(c);

    /// <summary>Adds the small letter of a character; only that of U+0130 is two characters.</summary>
    public static void AppendLower(Rune c, StringBuilder into)
    {
        switch (c.Value)
        {
            case 0x130:
                into.Append("i\u0307");
                break;
            case 0xA7CE or 0xA7D2 or 0xA7D4:
                into.Append((char)(c.Value + 1));
                break;
            case >= 0x16EA0 and <= 0x16EB8:
                into.Append(new Rune(c.Value + 0x1B));
                break;
            default:
                into.Append(Rune.ToLowerInvariant(c));
                break;
        }
    }

    private static bool Has(string set, int c)
    {
        var ranges = Sets[set];
        int low = 0, high = ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (c < ranges[middle].First)
                high = middle - 1;
            else if (c > ranges[middle].Last)
                low = middle + 1;
            else
                return true;
        }
        return false;
    }

    private static (int First, int Last) Range(string range)
    {
        int dash = range.IndexOf('-', StringComparison.Ordinal);
        return dash < 0 ? (Number(range), Number(range))
            : (Number(range.AsSpan(0, dash)), Number(range.AsSpan(dash + 1)));
    }

    private static int Number(ReadOnlySpan<char> hexadecimal) =>
        int.Parse(hexadecimal, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
