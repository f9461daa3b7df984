using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// Unicode's normal form C (UAX #15): canonical decomposition, marks in order of their combining
/// class, canonical composition. .NET leaves this to the operating system and does nothing where a
/// program runs without its libraries, so the data is here: nfc.txt.
/// </summary>
internal static class NormalFormC
{
    // Below this every character is as it should be, whatever follows.
    private const int FirstMark = 0x300;

    // Hangul syllables are computed: 19 x 21 x 28 of them (section 3.12 of the standard).
    private const int Syllables = 0xAC00, Leads = 0x1100, Vowels = 0x1161, Trails = 0x11A7, VowelCount = 21,
        TrailCount = 28, LeadCount = 19, SyllableCount = LeadCount * VowelCount * TrailCount;

    private static readonly Dictionary<int, byte> Classes = [];
    private static readonly Dictionary<int, int[]> Decompositions = [];
    private static readonly Dictionary<(int First, int Second), int> Compositions = [];

    // Characters that can change, or that can change what stands before them.
    private static readonly HashSet<int> Restless = [];

    static NormalFormC() => ReadData();

    private readonly record struct Rules(bool Compatible, bool Composed, bool Older)
    {
        /// <summary>
        /// True if a character was not yet decomposable in the older version of Unicode.
        /// </summary>
        public bool IsTooYoung(int c) => Older && CharacterSets.IsDecomposedSince(c);
    }

    /// <summary>The text in normal form C; itself if it is already.</summary>
    /// <param name="text">Valid Unicode.</param>
    public static ReadOnlySpan<char> Of(ReadOnlySpan<char> text)
    {
        if (!MayChange(text))
            return text;
        return Of(text, new Rules(Compatible: false, Composed: true, Older: false));
    }

    /// <summary>
    /// The text in form C, D, KC or KD as Hugging Face's tokenizers make them: by an older version of Unicode, which
    /// leaves younger characters as they are.
    /// </summary>
    /// <param name="text">Valid Unicode.</param>
    /// <param name="compatible">Whether characters become those that they only look like, too
    /// (forms KC and KD).</param>
    /// <param name="composed">Whether what has been decomposed is composed again (forms C and KC).</param>
    public static ReadOnlySpan<char> Of(ReadOnlySpan<char> text, bool compatible, bool composed) =>
        Ascii.IsValid(text) || (composed && !compatible && !MayChange(text)) ? text
            : Of(text, new Rules(compatible, composed, Older: true));

    private static string Of(ReadOnlySpan<char> text, Rules rules)
    {
        var characters = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            Decompose(rune.Value, characters, rules);
        Order(characters, rules);
        if (rules.Composed)
            Compose(characters, rules);
        var result = new StringBuilder(text.Length);
        foreach (int c in characters)
            result.Append(new Rune(c));
        return result.ToString();
    }

    private static bool MayChange(ReadOnlySpan<char> text)
    {
        int start = text.IndexOfAnyExceptInRange('\0', (char)(FirstMark - 1));
        if (start < 0)
            return false;
        foreach (var rune in text[start..].EnumerateRunes())
            if (Restless.Contains(rune.Value))
                return true;
        return false;
    }

    private static void Decompose(int c, List<int> into, Rules rules)
    {
        if (rules.Compatible && CharacterSets.CompatibilityOf(c) is { } compatible)
        {
            into.AddRange(compatible);
            return;
        }
        if ((uint)(c - Syllables) < SyllableCount)
        {
            int syllable = c - Syllables, trail = syllable % TrailCount;
            into.Add(Leads + (syllable / (VowelCount * TrailCount)));
            into.Add(Vowels + (syllable / TrailCount % VowelCount));
            if (trail > 0)
                into.Add(Trails + trail);
        }
        else if (Decompositions.TryGetValue(c, out int[]? parts) && !rules.IsTooYoung(c))
        {
            foreach (int part in parts)
                Decompose(part, into, rules);
        }
        else
            into.Add(c);
    }

    /// <summary>Sorts each run of marks by class; those of one class stay in order.</summary>
    private static void Order(List<int> characters, Rules rules)
    {
        for (int i = 0; i < characters.Count; i++)
        {
            int end = i;
            while (end < characters.Count && ClassOf(characters[end], rules) > 0)
                end++;
            if (end - i > 1)
            {
                int[] sorted = [.. characters.GetRange(i, end - i).OrderBy(c => ClassOf(c, rules))];
                for (int k = 0; k < sorted.Length; k++)
                    characters[i + k] = sorted[k];
            }
            i = end;
        }
    }

    private static void Compose(List<int> characters, Rules rules)
    {
        int count = 0, starter = -1, last = -1; // the class of what stands between the starter and here, -1 for nothing
        for (int i = 0; i < characters.Count; i++)
        {
            int c = characters[i], own = ClassOf(c, rules);
            if (starter >= 0 && last < own && Pair(characters[starter], c) is { } composite
                && !rules.IsTooYoung(composite))
            {
                characters[starter] = composite;
                continue;
            }
            (starter, last) = own == 0 ? (count, -1) : (starter, own);
            characters[count++] = c;
        }
        characters.RemoveRange(count, characters.Count - count);
    }

    private static int? Pair(int first, int second)
    {
        if ((uint)(first - Leads) < LeadCount && (uint)(second - Vowels) < VowelCount)
            return Syllables + ((((first - Leads) * VowelCount) + (second - Vowels)) * TrailCount);
        if ((uint)(first - Syllables) < SyllableCount && (first - Syllables) % TrailCount == 0 && second > Trails
            && second < Trails + TrailCount)
            return first + (second - Trails);
        return Compositions.TryGetValue((first, second), out int composite) ? composite : null;
    }

    private static int ClassOf(int c, Rules rules) =>
        c >= FirstMark && Classes.TryGetValue(c, out byte own) && !(rules.Older && CharacterSets.IsMarkSince(c))
            ? own : 0;

    private static void ReadData()
    {
        using var stream = typeof(NormalFormC).Assembly.GetManifestResourceStream("nfc.txt")!;
        using var reader = new StreamReader(stream);
        reader.ReadLine();
        byte combiningClass = 0;
        while (reader.ReadLine() is { } line)
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
            {
                combiningClass++;
                foreach (string range in line.Split(' '))
                    for (int c = Number(range.Split('-')[0]); c <= Number(range.Split('-')[^1]); c++)
                        Classes.Add(c, combiningClass);
                continue;
            }
            bool composes = line[0] != '-';
            int from = Number(line[(composes ? 0 : 1)..equals]);
            int[] parts = [.. line[(equals + 1)..].Split(' ').Select(Number)];
            Decompositions.Add(from, parts);
            if (composes)
            {
                Compositions.Add((parts[0], parts[1]), from);
                Restless.Add(parts[1]);
            }
            else
                Restless.Add(from);
        }
        Restless.UnionWith(Classes.Keys);
        Restless.UnionWith(Enumerable.Range(Vowels, VowelCount));
        Restless.UnionWith(Enumerable.Range(Trails, TrailCount));
    }

    private static int Number(string hexadecimal) =>
        int.Parse(hexadecimal, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
