using System.Globalization;

namespace Nano;

/// <summary>A part of a translated pattern: syntax of .NET's, or a set of characters.</summary>
internal readonly record struct UnicodeRegexPart(string Text, CodePointSet? Set = null);

/// <summary>
/// Reads a pattern in Oniguruma's syntax (its doc/RE, syntax Ruby) into parts of one of .NET's that
/// does the same. Of the two languages' differences, ^ and $ are beginning and end of a line, (?m)
/// lets the dot match a line feed (so does Rust's (?s)), \h is a hexadecimal digit, \d, \s, \w and
/// [:class:] are Unicode's, and a plus behind {n,m} is one more repetition. Refused are references
/// to groups, calls, conditions, absent groups, \G, \K, \X, \y and what does not backtrack inside a
/// lookbehind.
/// </summary>
internal sealed partial class UnicodeRegexParser(string pattern, string path)
{
    private const int MaxDepth = 100, MaxRepeat = 100_000;

    private static readonly CodePointSet LineFeed = CodePointSet.Range('\n', '\n');

    private readonly List<UnicodeRegexPart> parts = [];
    private int at, depth, repeats;
    private bool inLookbehind;

    [Flags]
    private enum Options
    {
        None = 0,
        IgnoreCase = 1,
        DotAll = 2,
        Extended = 4,
    }

    /// <summary>Reads the whole pattern.</summary>
    /// <exception cref="BadFileException">It is malformed, too long or too deep, or has a construct
    /// that is not supported.</exception>
    public IReadOnlyList<UnicodeRegexPart> Parse()
    {
        if (pattern.Length > UnicodeRegex.MaxPatternLength)
            throw Bad($"more than {UnicodeRegex.MaxPatternLength} characters");
        Alternatives(Options.None);
        return at == pattern.Length ? parts : throw Bad("a ')' too many");
    }

    private bool AtEnd => at >= pattern.Length;

    private char Current => AtEnd ? '\0' : pattern[at];

    private void Alternatives(Options options)
    {
        if (++depth > MaxDepth)
            throw Bad($"more than {MaxDepth} groups in one another");
        for (SkipIgnored(options); !AtEnd && Current != ')'; SkipIgnored(options))
        {
            if (Accept('|'))
            {
                Add("|");
                continue;
            }
            int start = parts.Count;
            bool canRepeat = Atom(options);
            for (SkipIgnored(options); TryRepeat(out string repeat, out bool isPossessive); SkipIgnored(options))
                Repeat(start, canRepeat, repeat, isPossessive);
        }
        depth--;
    }

    /// <summary>Reads one atom: false if it matches a place, which cannot be repeated.</summary>
    private bool Atom(Options options)
    {
        switch (Current)
        {
            case '(':
                at++;
                return Group(options);
            case '[':
                at++;
                Add(Class(options));
                return true;
            case '.':
                at++;
                Add(options.HasFlag(Options.DotAll) ? CodePointSet.All : LineFeed.Negate());
                return true;
            case '^':
                at++;
                AddPlace(@"(?:\A|(?<=", LineFeed, @")(?!\z))");
                return false;
            case '$':
                at++;
                AddPlace("(?=", LineFeed, @"|\z)");
                return false;
            case '\\':
                at++;
                return Escape(options);
            case '*' or '+' or '?':
                throw Bad("nothing to repeat");
            default:
                if (Current == '{' && TryRepeat(out _, out _))
                    throw Bad("nothing to repeat");
                Add(Literal(NextCharacter(), options));
                return true;
        }
    }

    private bool Escape(Options options)
    {
        if (AtEnd)
            throw Bad("a '\\' at its end");
        if (SetEscape() is { } set)
        {
            Add(set);
            return true;
        }
        switch (pattern[at++])
        {
            case 'A':
                Add(@"\A");
                return false;
            case 'z':
                Add(@"\z");
                return false;
            case 'Z':
                AddPlace("(?=", LineFeed, @"?\z)");
                return false;
            case 'b':
                AddBoundary("(?:(?<=", ")(?!", ")|(?<!", ")(?=", "))");
                return false;
            case 'B':
                AddBoundary("(?:(?<=", ")(?=", ")|(?<!", ")(?!", "))");
                return false;
            case 'N':
                Add(LineFeed.Negate());
                return true;
            case 'O':
                Add(CodePointSet.All);
                return true;
            case 'R':
                Add(Atomic("(?>"));
                Add(CodePointSet.Range('\r', '\r'));
                AddPlace("", LineFeed, "|");
                Add(CodePointSet.Range('\n', '\r').Union(CodePointSet.Range(0x85, 0x85))
                    .Union(CodePointSet.Range(0x2028, 0x2029)));
                Add(")");
                return true;
            case (>= '1' and <= '9') or 'k' or 'g' or 'G' or 'K' or 'X' or 'y' or 'Y':
                throw Bad($"'\\{pattern[at - 1]}', which is not supported,");
            default:
                at--;
                Add(Literal(CharacterEscape(), options));
                return true;
        }
    }

    private bool Group(Options options)
    {
        if (!Accept('?'))
            return Inside("(?:", options);
        if (AtEnd)
            throw Bad("a group without end");
        char kind = pattern[at++];
        switch (kind)
        {
            case ':':
                return Inside("(?:", options);
            case '>':
                return Inside(Atomic("(?>"), options);
            case '=' or '!':
                return !Inside($"(?{kind}", options);
            case '<' when Current is '=' or '!':
                bool outer = inLookbehind;
                inLookbehind = true;
                Inside($"(?<{pattern[at++]}", options);
                inLookbehind = outer;
                return false;
            case '<' or '\'':
                return Named(kind == '<' ? '>' : '\'', options);
            case 'P' when Accept('<'):
                return Named('>', options);
            default:
                at--;
                return WithOptions(options);
        }
    }

    private bool Named(char end, Options options)
    {
        int length = pattern.AsSpan(at).IndexOf(end);
        if (length <= 0 || pattern.AsSpan(at, length).ContainsAny('(', ')'))
            throw Bad("a group whose name has no end");
        at += length + 1;
        return Inside("(?:", options);
    }

    /// <summary>(?i:...) and (?i), which holds for the rest of the group, its alternatives included.</summary>
    private bool WithOptions(Options options)
    {
        bool on = true;
        for (; Current is not (':' or ')'); at++)
        {
            var option = Current switch
            {
                '-' => Options.None,
                'i' => Options.IgnoreCase,
                'm' or 's' => Options.DotAll,
                'x' => Options.Extended,
                _ => throw Bad("a kind of group that is not supported"),
            };
            on &= option != Options.None;
            options = on ? options | option : options & ~option;
        }
        if (pattern[at++] == ':')
            return Inside("(?:", options);
        Add("(?:");
        Alternatives(options);
        Add(")");
        return true;
    }

    private bool Inside(string opening, Options options)
    {
        Add(opening);
        Alternatives(options);
        if (!Accept(')'))
            throw Bad("a group without end");
        Add(")");
        return true;
    }

    /// <summary>
    /// .NET matches a lookbehind from right to left, so that other matches are given up than from
    /// left to right.
    /// </summary>
    private string Atomic(string opening) =>
        inLookbehind ? throw Bad("what does not backtrack inside a lookbehind, which is not supported,") : opening;

    private void Repeat(int start, bool canRepeat, string repeat, bool isPossessive)
    {
        if (!canRepeat)
            throw Bad("a place to repeat");
        if (++repeats > UnicodeRegex.MaxPatternLength / 16)
            throw Bad("too many repetitions");
        parts.Insert(start, new UnicodeRegexPart(isPossessive ? Atomic("(?>(?:") : "(?:"));
        Add(isPossessive ? $"){repeat})" : $"){repeat}");
    }

    private bool TryRepeat(out string repeat, out bool isPossessive)
    {
        isPossessive = false;
        repeat = "";
        if (Current is '*' or '+' or '?')
        {
            repeat = $"{pattern[at++]}";
            isPossessive = Accept('+');
            if (!isPossessive && Accept('?'))
                repeat += "?";
            return true;
        }
        int before = at;
        if (!Accept('{'))
            return false;
        int? least = Number(), most = least;
        bool isRange = Accept(',');
        if (isRange)
            most = Number();
        if (!Accept('}') || (least ?? most) is null)
        {
            at = before;
            return false;
        }
        if (least > most)
            throw Bad("a repetition whose most is less than its least");
        repeat = string.Create(CultureInfo.InvariantCulture,
            $"{{{least ?? 0}{(isRange ? "," : "")}{(isRange ? most : null)}}}");
        if (isRange && Accept('?'))
            repeat += "?";
        return true;
    }

    private int? Number()
    {
        int start = at, value = 0;
        for (; char.IsAsciiDigit(Current); at++)
        {
            value = value * 10 + (Current - '0');
            if (value > MaxRepeat)
                throw Bad($"more than {MaxRepeat} repetitions");
        }
        return at == start ? null : value;
    }

    /// <summary>Skips comments, and with (?x) white space.</summary>
    private void SkipIgnored(Options options)
    {
        bool isExtended = options.HasFlag(Options.Extended);
        while (!AtEnd)
        {
            if (string.CompareOrdinal(pattern, at, "(?#", 0, 3) == 0)
                at = pattern.IndexOf(')', at) is >= 0 and var end ? end + 1 : throw Bad("a comment without end");
            else if (isExtended && Current is ' ' or '\t' or '\n' or '\r' or '\f' or '\v')
                at++;
            else if (isExtended && Current == '#')
                at = pattern.IndexOf('\n', at) is >= 0 and var line ? line + 1 : pattern.Length;
            else
                return;
        }
    }

    private static CodePointSet Literal(int character, Options options)
    {
        var set = CodePointSet.Range(character, character);
        return options.HasFlag(Options.IgnoreCase) ? UnicodeProperties.IgnoreCase(set) : set;
    }

    private bool Accept(char c)
    {
        if (Current != c || AtEnd)
            return false;
        at++;
        return true;
    }

    private void Add(string text) => parts.Add(new UnicodeRegexPart(text));

    private void Add(CodePointSet set) => parts.Add(new UnicodeRegexPart("", set));

    private void AddPlace(string before, CodePointSet set, string behind)
    {
        Add(before);
        Add(set);
        Add(behind);
    }

    private void AddBoundary(params ReadOnlySpan<string> around)
    {
        for (int i = 0; i < around.Length; i++)
        {
            Add(around[i]);
            if (i + 1 < around.Length)
                Add(UnicodeProperties.Word);
        }
    }

    /// <summary>Another engine may know what is wrong here.</summary>
    private BadFileException Bad(string problem) =>
        new(path, $"the pattern {Quoted.Of(pattern)} has {problem} at character {at}") { IsUnsupported = true };
}
