namespace Nano;

// Sets of characters and single ones.
internal sealed partial class UnicodeRegexParser
{
    /// <summary>
    /// The set behind a '[', up to and with its ']'. Case is ignored in the outermost set, before
    /// it is negated.
    /// </summary>
    private CodePointSet Class(Options options = Options.None)
    {
        if (++depth > MaxDepth)
            throw Bad($"more than {MaxDepth} sets in one another");
        bool isNegated = Accept('^');
        CodePointSet set = CodePointSet.Empty;
        CodePointSet? others = null;
        for (bool isFirst = true; isFirst || Current != ']'; isFirst = false)
        {
            if (AtEnd)
                throw Bad("a set without end");
            if (Accept('&'))
            {
                if (!Accept('&'))
                {
                    at--;
                    set = set.Union(Range());
                    continue;
                }
                others = others?.Intersect(set) ?? set;
                set = CodePointSet.Empty;
            }
            else
            {
                set = set.Union(Accept('[') ? Posix() ?? Class() : Range());
            }
        }
        at++;
        depth--;
        set = others?.Intersect(set) ?? set;
        set = options.HasFlag(Options.IgnoreCase) ? UnicodeProperties.IgnoreCase(set) : set;
        return isNegated ? set.Negate() : set;
    }

    /// <summary>[:name:] or [:^name:] behind its first '[', or null.</summary>
    private CodePointSet? Posix()
    {
        int end = pattern.IndexOf(":]", at, StringComparison.Ordinal);
        if (Current != ':' || end <= at)
            return null;
        var name = pattern.AsSpan(at + 1, end - at - 1);
        bool isNegated = name.StartsWith("^");
        name = name[(isNegated ? 1 : 0)..];
        if (name.ContainsAnyExceptInRange('a', 'z'))
            return null;
        var set = UnicodeProperties.FindPosix(name.ToString()) ?? throw Bad($"the unknown class {Quoted.Of(name)}");
        at = end + 2;
        return isNegated ? set.Negate() : set;
    }

    /// <summary>One character of a set, a range of them, or a set such as \d.</summary>
    private CodePointSet Range()
    {
        bool isEscape = Accept('\\');
        if (isEscape && AtEnd)
            throw Bad("a '\\' at its end");
        if (isEscape && SetEscape() is { } set)
            return Current == '-' && at + 1 < pattern.Length && pattern[at + 1] != ']'
                ? throw Bad("a range that begins with a set") : set;
        int first = isEscape ? CharacterEscape() : NextCharacter();
        if (Current != '-' || at + 1 >= pattern.Length || pattern[at + 1] is ']' or '[')
            return CodePointSet.Range(first, first);
        at++;
        isEscape = Accept('\\');
        if (isEscape && (AtEnd || SetEscape() is not null))
            throw Bad("a range that ends with a set");
        int last = isEscape ? CharacterEscape() : NextCharacter();
        return first <= last ? CodePointSet.Range(first, last) : throw Bad("a range whose end is before its beginning");
    }

    /// <summary>
    /// The set of an escape behind its '\': \d, \p{...} and the like. Null, and nothing read, if it
    /// is none.
    /// </summary>
    private CodePointSet? SetEscape()
    {
        char kind = Current;
        CodePointSet? set = (char)(kind | 0x20) switch
        {
            'd' => UnicodeProperties.Digit,
            'h' => UnicodeProperties.HexDigit,
            's' => UnicodeProperties.Space,
            'w' => UnicodeProperties.Word,
            'p' when at + 1 < pattern.Length && pattern[at + 1] == '{' => Property(),
            _ => null,
        };
        if (set is null || !char.IsAsciiLetter(kind))
            return null;
        at++;
        return char.IsAsciiLetterUpper(kind) ? set.Negate() : set;
    }

    /// <summary>The set of p{...}; stops at its last character.</summary>
    private CodePointSet Property()
    {
        int end = pattern.IndexOf('}', at);
        if (end < 0)
            throw Bad("a property without end");
        string name = pattern[(at + 2)..end];
        bool isNegated = name.StartsWith('^');
        int equals = name.IndexOf('=', StringComparison.Ordinal);
        // Other engines name the kind of a property, too.
        string value = name[..Math.Max(0, equals)] is "Script" or "sc" or "General_Category" or "gc"
            ? name[(equals + 1)..] : name[(isNegated ? 1 : 0)..];
        var set = UnicodeProperties.Find(value) ?? throw Bad($"the unknown property {Quoted.Of(name)}");
        at = end;
        return isNegated ? set.Negate() : set;
    }

    /// <summary>The character that an escape behind its '\' stands for.</summary>
    private int CharacterEscape()
    {
        int character = NextCharacter();
        return character switch
        {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\f',
            'v' => '\v',
            'a' => '\a',
            'b' => '\b',
            'e' => '\e',
            'x' when Accept('{') => Digits(8, 16, closed: true),
            'x' => Digits(2, 16) is < 0x80 and var ascii ? ascii : throw Bad("a byte that is not a character"),
            'u' => pattern.Length - at >= 4 ? Digits(4, 16) : throw Bad("too few digits"),
            '0' => char.IsBetween(Current, '0', '7') ? Digits(2, 8) : 0,
            'c' when char.IsAsciiLetter(Current) => pattern[at++] & 0x1F,
            'c' or 'C' or 'M' => throw Bad("a control character that is not supported"),
            _ => character,
        };
    }

    private int Digits(int most, int radix, bool closed = false)
    {
        int start = at, value = 0;
        for (; at < start + most && char.IsAsciiHexDigit(Current) && Convert.ToInt32($"{Current}", 16) is var digit
            && digit < radix; at++)
            value = value > CodePointSet.Limit ? value : value * radix + digit;
        if (at == start || (most == 4 && at < start + most) || (closed && !Accept('}')))
            throw Bad("a character whose number is malformed");
        return value < CodePointSet.Limit && value is < 0xD800 or > 0xDFFF ? value
            : throw Bad("a number that is not a character's");
    }

    private int NextCharacter()
    {
        bool isPair = char.IsHighSurrogate(Current) && at + 1 < pattern.Length && char.IsLowSurrogate(pattern[at + 1]);
        int character = isPair ? char.ConvertToUtf32(Current, pattern[at + 1]) : Current;
        at += isPair ? 2 : 1;
        return character;
    }
}
