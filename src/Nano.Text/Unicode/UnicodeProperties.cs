using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// The sets of characters that a regular expression can name: general categories (\p{L}, \p{Lu},
/// \p{Lowercase_Letter}), scripts (\p{Han}, \p{Hira}, \p{Cyrillic}: all 170 of them), some other
/// properties, and the classes of POSIX as Oniguruma takes them. Categories are .NET's, the rest is
/// in unicode.txt, made by tests/goldens/make_unicode.mjs.
/// </summary>
internal static class UnicodeProperties
{
    // In the order of .NET's enumeration.
    private static readonly string[] Categories =
    [
        "Lu=Uppercase_Letter", "Ll=Lowercase_Letter", "Lt=Titlecase_Letter", "Lm=Modifier_Letter", "Lo=Other_Letter",
        "Mn=Nonspacing_Mark", "Mc=Spacing_Mark", "Me=Enclosing_Mark", "Nd=Decimal_Number", "Nl=Letter_Number",
        "No=Other_Number", "Zs=Space_Separator", "Zl=Line_Separator", "Zp=Paragraph_Separator", "Cc=Control",
        "Cf=Format", "Cs=Surrogate", "Co=Private_Use", "Pc=Connector_Punctuation", "Pd=Dash_Punctuation",
        "Ps=Open_Punctuation", "Pe=Close_Punctuation", "Pi=Initial_Punctuation", "Pf=Final_Punctuation",
        "Po=Other_Punctuation", "Sm=Math_Symbol", "Sc=Currency_Symbol", "Sk=Modifier_Symbol", "So=Other_Symbol",
        "Cn=Unassigned",
    ];

    private static readonly (string Name, string LongName, string Members)[] Groups =
    [
        ("L", "Letter", "Lu Ll Lt Lm Lo"), ("LC", "Cased_Letter", "Lu Ll Lt"), ("M", "Mark", "Mn Mc Me"),
        ("N", "Number", "Nd Nl No"), ("P", "Punctuation", "Pc Pd Ps Pe Pi Pf Po"), ("S", "Symbol", "Sm Sc Sk So"),
        ("Z", "Separator", "Zs Zl Zp"), ("C", "Other", "Cc Cf Cs Co Cn"),
    ];

    private static readonly string[] PosixNames =
        ["alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
            "word", "xdigit"];

    private static readonly Lazy<Dictionary<string, CodePointSet>> Named = new(ReadNames);
    private static readonly Lazy<List<int[]>> Cases = new(FindCaseGroups);

    /// <summary>
    /// White_Space, which is \s: U+0085, U+00A0 and U+2028 belong to it, U+001C to U+001F and
    /// U+200B do not.
    /// </summary>
    public static CodePointSet Space => Named.Value["space"];

    /// <summary>Alphabetic, marks, decimal digits, connectors, which is \w.</summary>
    public static CodePointSet Word => Named.Value["word"];

    /// <summary>Decimal digits of every script, which is \d.</summary>
    public static CodePointSet Digit => Named.Value["digit"];

    /// <summary>Hexadecimal digits, which is \h.</summary>
    public static CodePointSet HexDigit => Named.Value["xdigit"];

    /// <summary>The groups of characters that differ in case only, each in ascending order.</summary>
    public static IReadOnlyList<int[]> CaseGroups => Cases.Value;

    /// <summary>The set of a name in \p{...}, or null. Case, spaces, hyphens and underscores do not count.</summary>
    public static CodePointSet? Find(string name) => Named.Value.GetValueOrDefault(Plain(name));

    /// <summary>The set of a name in [:...:], or null.</summary>
    public static CodePointSet? FindPosix(string name) => name switch
    {
        // Oniguruma counts symbols as punctuation here, but not in \p{Punct}.
        "punct" => Named.Value["p"].Union(Named.Value["s"]),
        _ => PosixNames.Contains(name) ? Named.Value[name] : null,
    };

    /// <summary>
    /// The set and every character that differs from a member in case only, by simple case folding:
    /// s, S and U+017F are one. Folding to several characters (ß to ss) is not done.
    /// </summary>
    public static CodePointSet IgnoreCase(CodePointSet set)
    {
        var more = new List<int>();
        Func<int, bool> contains = set.Contains; // once, not for each group
        foreach (int[] group in CaseGroups)
            if (group.Any(contains))
                more.AddRange(group);
        return set.Union(OfCodePoints(more));
    }

    private static string Plain(string name) => string.Concat(name.Where(c => c is not (' ' or '-' or '_')))
        .ToLowerInvariant();

    private static CodePointSet OfCharacters(string characters) => OfCodePoints([.. characters.Select(c => (int)c)]);

    private static CodePointSet OfCodePoints(List<int> codePoints)
    {
        var ranges = new List<(int First, int Last)>();
        foreach (int c in codePoints.Order())
            Append(ranges, c, c);
        return CodePointSet.OfRanges(ranges);
    }

    private static void Append(List<(int First, int Last)> ranges, int first, int last)
    {
        if (ranges.Count > 0 && ranges[^1].Last >= first - 1)
            ranges[^1] = (ranges[^1].First, last);
        else
            ranges.Add((first, last));
    }

    private static Dictionary<string, CodePointSet> ReadNames()
    {
        var ranges = Categories.Select(_ => new List<(int First, int Last)>()).ToArray();
        for (int c = 0; c < CodePointSet.Limit; c++)
            Append(ranges[(int)CharUnicodeInfo.GetUnicodeCategory(c)], c, c);
        var named = new Dictionary<string, CodePointSet>();
        for (int i = 0; i < Categories.Length; i++)
            foreach (string name in Categories[i].Split('='))
                named[Plain(name)] = CodePointSet.OfRanges(ranges[i]);
        foreach (var (name, longName, members) in Groups)
            named[Plain(name)] = named[Plain(longName)] = Union(named, members.Split(' '));
        ReadFile(named);
        named["any"] = CodePointSet.All;
        named["assigned"] = named["cn"].Negate();
        named["ascii"] = CodePointSet.Range(0, 0x7F);
        named["punct"] = named["p"];
        named["digit"] = named["nd"];
        named["cntrl"] = named["cc"];
        named["xdigit"] = OfCharacters("0123456789abcdefABCDEF");
        named["blank"] = OfCharacters("\t").Union(named["zs"]);
        named["space"] = named["whitespace"] = Union(named, ["z"]).Union(OfCharacters("\t\n\v\f\r\u0085"));
        named["word"] = Union(named, ["alpha", "m", "nd", "pc"]);
        named["alnum"] = Union(named, ["alpha", "nd"]);
        named["graph"] = Union(named, ["space", "cc", "cn", "cs"]).Negate();
        named["print"] = named["graph"].Union(named["zs"]);
        return named;
    }

    private static CodePointSet Union(Dictionary<string, CodePointSet> named, string[] names) =>
        names.Aggregate(CodePointSet.Empty, (set, name) => set.Union(named[Plain(name)]));

    private static void ReadFile(Dictionary<string, CodePointSet> named)
    {
        using var reader = new StreamReader(typeof(UnicodeProperties).Assembly
            .GetManifestResourceStream("unicode.txt")!, Encoding.UTF8);
        reader.ReadLine();
        while (reader.ReadLine() is { } line)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            var ranges = line[(colon + 2)..].Split(' ')
                .Select(range => range.Split('-').Select(c => Convert.ToInt32(c, 16)).ToArray());
            var set = CodePointSet.OfRanges([.. ranges.Select(range => (range[0], range[^1]))]);
            foreach (string name in line[..colon].Split(' '))
                named[Plain(name)] = set;
        }
    }

    /// <summary>
    /// The groups of characters that are one without case, from the simple mappings and the three
    /// that these lack.
    /// </summary>
    private static List<int[]> FindCaseGroups()
    {
        var groups = new Dictionary<int, SortedSet<int>>();
        for (int c = 0; c < CodePointSet.Limit; c++)
        {
            if (!Rune.IsValid(c))
                continue;
            Join(groups, c, Rune.ToUpperInvariant(new Rune(c)).Value);
            Join(groups, c, Rune.ToLowerInvariant(new Rune(c)).Value);
        }
        foreach (var (one, other) in (ReadOnlySpan<(int, int)>)[('s', 0x17F), (0x390, 0x1FD3), (0x3B0, 0x1FE3),
            (0xFB05, 0xFB06)])
            Join(groups, one, other);
        return [.. groups.Values.Distinct().Select(group => group.ToArray())];
    }

    private static void Join(Dictionary<int, SortedSet<int>> groups, int one, int other)
    {
        if (one == other)
            return;
        var all = groups.GetValueOrDefault(one, [one]);
        all.UnionWith(groups.GetValueOrDefault(other, [other]));
        foreach (int member in all)
            groups[member] = all;
    }
}
