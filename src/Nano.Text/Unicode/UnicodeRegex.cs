using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CommunityToolkit.HighPerformance.Buffers;

namespace Nano;

/// <summary>
/// A regular expression over whole Unicode characters, in the syntax that Oniguruma gives to
/// patterns in tokenizer.json (documented in its doc/RE; Hugging Face's library is what the tests
/// compare with). .NET's own engine sees halves of surrogate pairs and knows neither scripts nor
/// possessive quantifiers nor intersections, but it backtracks by the same rules. So both sides are
/// translated: two characters that are in the same ones of the pattern's sets (every literal is a
/// set, too) are the same to it, hence each class of such characters is one stand-in, a text is the
/// row of its characters' stand-ins, and each set of the pattern is written as the stand-ins of its
/// classes. What then matches is what matched before, character by character. Immutable and safe to
/// share.
/// </summary>
internal sealed class UnicodeRegex
{
    /// <summary>The longest pattern, in UTF-16 characters; published ones have up to 2,000.</summary>
    public const int MaxPatternLength = 1 << 14;

    // Time that one match may take, and all of a text: a pattern that doubles its work with every character
    // is given up.
    private static readonly TimeSpan DefaultTime = TimeSpan.FromSeconds(10);
    private const double MillisecondsPerCharacter = 0.01;

    // Bounds the work of translation.
    private const int MaxRanges = 1 << 20;

    private readonly string pattern, path;
    private readonly Regex regex;
    private readonly ushort[] basic = new ushort[char.MaxValue + 1];
    private readonly int[] starts;
    private readonly ushort[] classes;

    private UnicodeRegex(string pattern, string path, TimeSpan time)
    {
        (this.pattern, this.path) = (pattern, path);
        var parts = new UnicodeRegexParser(pattern, path).Parse();
        CodePointSet[] sets = [.. parts.Select(part => part.Set).OfType<CodePointSet>().Distinct()];
        starts = [.. sets.SelectMany(set => set.Bounds.ToArray()).Append(0).Where(bound => bound < CodePointSet.Limit)
            .Distinct().Order()];
        classes = Partition(starts, sets, out var members);
        for (int i = 0; i < starts.Length && starts[i] < basic.Length; i++)
            basic.AsSpan(starts[i], Math.Min(i + 1 < starts.Length ? starts[i + 1] : basic.Length, basic.Length)
                - starts[i]).Fill(classes[i]);
        var translated = new StringBuilder();
        foreach (var part in parts)
            translated.Append(part.Set is { } set ? members[set] : part.Text);
        regex = new Regex(translated.ToString(), RegexOptions.CultureInvariant, time);
    }

    /// <summary>Reads a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="path">The file that it stands in, for errors.</param>
    /// <param name="time">The time that one match may take and, with 10 microseconds for each
    /// character, all of a text; 10 seconds if null.</param>
    /// <exception cref="BadFileException">It is malformed, too long or too deep, or has a construct
    /// that is not supported.</exception>
    public static UnicodeRegex Parse(string pattern, string path, TimeSpan? time = null)
    {
        try
        {
            return new UnicodeRegex(pattern, path, time ?? DefaultTime);
        }
        catch (ArgumentException malformed)
        {
            throw new BadFileException(path, $"the pattern {Quoted.Of(pattern)} cannot be used",
                malformed)
            { IsUnsupported = true };
        }
    }

    /// <summary>
    /// Finds the successive matches that do not overlap, from left to right. An empty match right
    /// behind another match does not count.
    /// </summary>
    /// <param name="text">The text; half a surrogate pair is a character of its own.</param>
    /// <param name="into">Gets the places in UTF-16 characters, end exclusive, behind what it has.</param>
    /// <exception cref="NanoException">The pattern takes too long on this text.</exception>
    public void Matches(ReadOnlySpan<char> text, List<(int Start, int End)> into)
    {
        using var buffer = SpanOwner<char>.Allocate(text.Length);
        try
        {
            int count = StandIns(text, buffer.Span);
            Find(text, buffer.Span[..count], into);
        }
        catch (RegexMatchTimeoutException)
        {
            throw TooSlow(text.Length);
        }
    }

    private void Find(ReadOnlySpan<char> text, ReadOnlySpan<char> standIns, List<(int Start, int End)> into)
    {
        bool isBasic = standIns.Length == text.Length;
        long started = Stopwatch.GetTimestamp();
        var most = regex.MatchTimeout + TimeSpan.FromMilliseconds(text.Length * MillisecondsPerCharacter);
        int last = -1, at = 0, character = 0;
        foreach (var match in regex.EnumerateMatches(standIns))
        {
            if (match.Length == 0 && match.Index == last)
                continue;
            last = match.Index + match.Length;
            if (isBasic)
            {
                into.Add((match.Index, last));
            }
            else
            {
                Advance(text, match.Index, ref character, ref at);
                int start = at;
                Advance(text, last, ref character, ref at);
                into.Add((start, at));
            }
            if (Stopwatch.GetElapsedTime(started) > most)
                throw TooSlow(text.Length);
        }
    }

    /// <summary>Moves to a character, and counts UTF-16 units too.</summary>
    private static void Advance(ReadOnlySpan<char> text, int to, ref int character, ref int at)
    {
        for (; character < to; character++)
            at += IsPair(text, at) ? 2 : 1;
    }

    private static bool IsPair(ReadOnlySpan<char> text, int at) =>
        char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]);

    private int StandIns(ReadOnlySpan<char> text, Span<char> into)
    {
        int count = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (IsPair(text, i))
                into[count++] = (char)ClassOf(char.ConvertToUtf32(text[i], text[++i]));
            else
                into[count++] = (char)basic[text[i]];
        }
        return count;
    }

    private ushort ClassOf(int codePoint)
    {
        int at = Array.BinarySearch(starts, codePoint);
        return classes[at >= 0 ? at : ~at - 1];
    }

    private NanoException TooSlow(int length) => new(string.Create(CultureInfo.InvariantCulture,
        $"the pattern {Quoted.Of(pattern)} of '{path}' takes too long on a text of {length} characters"));

    /// <summary>The class of each range of characters, and each set as the class of stand-ins that it is.</summary>
    private static ushort[] Partition(int[] starts, CodePointSet[] sets, out Dictionary<CodePointSet, string> members)
    {
        int[] split = new int[starts.Length];
        int count = 1;
        long work = 0;
        foreach (var set in sets)
        {
            var parts = new Dictionary<int, int>();
            foreach (int i in Within(starts, set))
            {
                if (!parts.TryGetValue(split[i], out int part))
                    parts[split[i]] = part = count++;
                split[i] = part;
                if (++work > MaxRanges)
                    throw new ArgumentException($"its sets have more than {MaxRanges} ranges");
            }
        }
        // Classes that were split whole left their numbers unused: they are numbered anew.
        var numbers = new Dictionary<int, ushort>();
        foreach (int part in split)
            numbers.TryAdd(part, checked((ushort)numbers.Count));
        ushort[] classes = [.. split.Select(part => numbers[part])];
        members = sets.ToDictionary(set => set,
            set => Brackets([.. Within(starts, set).Select(i => classes[i]).Distinct().Order()]));
        return classes;
    }

    /// <summary>The ranges that lie in a set.</summary>
    private static List<int> Within(int[] starts, CodePointSet set)
    {
        var within = new List<int>();
        var bounds = set.Bounds;
        for (int i = 0; i < bounds.Length; i += 2)
            for (int at = Array.BinarySearch(starts, bounds[i]); at < starts.Length && starts[at] < bounds[i + 1]; at++)
                within.Add(at);
        return within;
    }

    private static string Brackets(ushort[] standIns)
    {
        if (standIns.Length == 0)
            return "(?!)";
        var text = new StringBuilder("[");
        for (int i = 0; i < standIns.Length; i++)
        {
            int first = standIns[i];
            while (i + 1 < standIns.Length && standIns[i + 1] == standIns[i] + 1)
                i++;
            text.Append(CultureInfo.InvariantCulture, $@"\u{first:X4}-\u{standIns[i]:X4}");
        }
        return text.Append(']').ToString();
    }
}
