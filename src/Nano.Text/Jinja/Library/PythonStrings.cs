using System.Globalization;
using System.Numerics;
using System.Text;

namespace Nano;

/// <summary>The methods of strings, and of markup, whose results are markup.</summary>
internal static class PythonStrings
{
    private static readonly object Missing = JinjaCallArguments.Missing;

    /// <summary>A method of a text; null if there is none of that name.</summary>
    public static Func<JinjaCallArguments, object?>? Find(object self, string name, JinjaBudget budget)
    {
        string text = PythonText.AsText(self)!;
        Func<JinjaCallArguments, object?>? method = name switch
        {
            "strip" or "lstrip" or "rstrip" => arguments => Strip(text, name, arguments),
            "split" or "rsplit" => arguments => PythonSplit.Split(text, arguments, fromEnd: name == "rsplit", budget),
            "splitlines" => arguments => PythonSplit.Counted(
                PythonText.Lines(text, JinjaCallArguments.Flag(arguments.Bind("keepends?")[0], false)), budget),
            "partition" or "rpartition" => arguments => PythonSplit.Partition(text, arguments, name == "rpartition"),
            "startswith" or "endswith" => arguments => StartsOrEnds(text, arguments, name == "startswith"),
            "find" or "rfind" or "index" or "rindex" => arguments => Search(text, name, arguments),
            "count" => arguments => Count(text, arguments),
            "replace" => arguments => Replace(self, text, arguments, budget),
            "join" => arguments => Join(self, text, arguments, budget),
            "center" or "ljust" or "rjust" or "zfill" => arguments => Justify(self, text, name, arguments, budget),
            "expandtabs" => arguments =>
                ExpandTabs(text, arguments.Integer(arguments.Bind("tabsize?")[0], "tabsize", 8), budget),
            "removeprefix" => arguments => Only(arguments, "prefix") is var prefix
                && text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text,
            "removesuffix" => arguments => Only(arguments, "suffix") is var suffix
                && text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text,
            "format" => arguments => new PythonFormatter(arguments.Positional, key => Named(arguments, key),
                self is JinjaMarkup, budget).Format(text),
            "format_map" => arguments => new PythonFormatter([], key => Entry(arguments, key, budget),
                self is JinjaMarkup, budget).Format(text),
            "maketrans" => arguments => PythonSplit.MakeTable(arguments, budget),
            "translate" => arguments => PythonSplit.Translate(text, arguments.BindUnnamed("table")[0], budget),
            "striptags" or "unescape" when self is JinjaMarkup => arguments => OfMarkup(text, name, arguments),
            _ => Plain(text, name),
        };
        return method is null ? null : arguments =>
        {
            budget.Read(text);
            budget.Make(text.Length);
            return AsSelf(self, name, method(arguments));
        };
    }

    /// <summary>Results of methods of markup are markup.</summary>
    private static object? AsSelf(object self, string name, object? result) => (self, result) switch
    {
        (not JinjaMarkup, _) => result,
        _ when name is "striptags" or "unescape" => result,
        (_, string text) => new JinjaMarkup(text),
        (_, JinjaList list) => new JinjaList([.. list.Items.Select(item => new JinjaMarkup((string)item!))],
            list.IsTuple),
        _ => result,
    };

    /// <summary>Methods without arguments.</summary>
    private static Func<JinjaCallArguments, object?>? Plain(string text, string name)
    {
        Func<object?>? method = name switch
        {
            "upper" => () => PythonCase.Upper(text),
            "lower" => () => PythonCase.Lower(text),
            "title" => () => PythonCase.Title(text),
            "capitalize" => () => PythonCase.Capitalize(text),
            "swapcase" => () => PythonCase.Swap(text),
            "casefold" => () => PythonCase.Fold(text),
            "isspace" => () => text.Length > 0 && text.All(PythonText.IsSpace),
            "isascii" => () => Ascii.IsValid(text),
            "isalpha" => () => All(text, Rune.IsLetter),
            "isalnum" => () => All(text, IsAlphanumeric),
            "isdecimal" => () => All(text, rune => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber),
            "isdigit" => () => All(text, rune => CharUnicodeInfo.GetDigitValue(rune.ToString(), 0) >= 0),
            "isnumeric" => () => All(text, rune => Rune.GetNumericValue(rune) is not -1),
            "isprintable" => () => text.EnumerateRunes().All(PythonRepr.IsPrintable),
            "isidentifier" => () => IsIdentifier(text),
            "isupper" => () => HasCase(text, PythonCase.IsUpper),
            "islower" => () => HasCase(text, PythonCase.IsLower),
            "istitle" => () => IsTitle(text),
            _ => null,
        };
        return method is null ? null : arguments =>
        {
            arguments.BindUnnamed();
            return method();
        };
    }

    private static bool All(string text, Func<Rune, bool> holds) => text.Length > 0 && text.EnumerateRunes().All(holds);

    public static bool IsAlphanumeric(Rune rune) => Rune.IsLetter(rune) || Rune.GetNumericValue(rune) is not -1;

    /// <summary>
    /// True if a text is an identifier: a letter or underscore, followed by letters, underscores,
    /// digits and marks.
    /// </summary>
    public static bool IsIdentifier(string text) => text.Length > 0
        && text.EnumerateRunes().Select((rune, i) => (rune, i))
            .All(item => item.rune.Value == '_' || Rune.IsLetter(item.rune)
            || Rune.GetUnicodeCategory(item.rune) == UnicodeCategory.LetterNumber
            || (item.i > 0 && Rune.GetUnicodeCategory(item.rune) is UnicodeCategory.DecimalDigitNumber
                or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
                or UnicodeCategory.ConnectorPunctuation));

    /// <summary>True if the text has letters with case, and all of them are of this case.</summary>
    private static bool HasCase(string text, Func<Rune, bool> right)
    {
        var cased = text.EnumerateRunes().Where(PythonCase.IsCased).ToList();
        return cased.Count > 0 && cased.All(right);
    }

    private static bool IsTitle(string text)
    {
        bool inWord = false, found = false;
        foreach (var rune in text.EnumerateRunes())
        {
            bool isLower = PythonCase.IsLower(rune), isCased = PythonCase.IsCased(rune);
            if (isCased && isLower != inWord)
                return false;
            (inWord, found) = (isCased, found || isCased);
        }
        return found;
    }

    private static string Only(JinjaCallArguments arguments, string parameter) =>
        arguments.Text(arguments.BindUnnamed(parameter)[0], parameter);

    private static string Strip(string text, string name, JinjaCallArguments arguments)
    {
        object? characters = arguments.BindUnnamed("chars?")[0];
        return PythonText.Strip(text, characters is null || characters == Missing ? null
            : arguments.Text(characters, "chars"),
            start: name != "rstrip", end: name != "lstrip");
    }

    /// <summary>
    /// The part of a text between two positions, and the position where it begins; null if they are
    /// reversed.
    /// </summary>
    private static (string Text, long Start)? Window(string text, object? start, object? end)
    {
        int length = PythonText.Length(text);
        long from = Position(start, 0), to = Position(end, length);
        if (from > length || from > to)
            return null;
        return (PythonText.Slice(text, length, (int)from, 1, (int)(to - from)), from);

        long Position(object? value, long otherwise)
        {
            if (value is null || value == Missing)
                return otherwise;
            if (!PythonNumbers.IsInteger(value))
                throw new JinjaError($"a position must be an integer, got {PythonOps.KindOf(value)}");
            var number = PythonNumbers.Whole(value);
            if (number.Sign < 0)
                number = BigInteger.Max(0, number + length);
            return value == start ? (long)BigInteger.Min(number, length + 1L) : (long)BigInteger.Min(number, length);
        }
    }

    private static bool StartsOrEnds(string text, JinjaCallArguments arguments, bool starts)
    {
        var given = arguments.BindUnnamed("affix", "start?", "end?");
        var candidates = given[0] is JinjaList { IsTuple: true } tuple ? tuple.Items : [given[0]];
        var affixes = candidates.Select(candidate => arguments.Text(candidate, "affix")).ToList();
        return Window(text, given[1], given[2]) is { Text: var window } && affixes.Any(affix => starts
            ? window.StartsWith(affix, StringComparison.Ordinal) : window.EndsWith(affix, StringComparison.Ordinal));
    }

    private static long Search(string text, string name, JinjaCallArguments arguments)
    {
        var given = arguments.BindUnnamed("sub", "start?", "end?");
        string sought = arguments.Text(given[0], "sub");
        int at = -1;
        long found = -1;
        if (Window(text, given[1], given[2]) is var (window, start))
        {
            at = name[0] == 'r' ? window.LastIndexOf(sought, StringComparison.Ordinal)
                : window.IndexOf(sought, StringComparison.Ordinal);
            found = at < 0 ? -1 : start + PythonText.Length(window[..at]);
        }
        return at < 0 && name.EndsWith("index", StringComparison.Ordinal)
            ? throw new JinjaError($"{name}() does not find {Quoted.Of(sought)}") : found;
    }

    private static long Count(string text, JinjaCallArguments arguments)
    {
        var given = arguments.BindUnnamed("sub", "start?", "end?");
        string sought = arguments.Text(given[0], "sub");
        if (Window(text, given[1], given[2]) is not var (window, _))
            return 0L;
        return sought.Length == 0 ? PythonText.Length(window) + 1L : window.AsSpan().Count(sought);
    }

    private static string Replace(object self, string text, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.Bind("old", "new", "count?"); // count has a name since Python 3.13
        arguments.Text(given[1], "new");
        string fresh = self is JinjaMarkup ? PythonText.Escaped(given[1], budget) : arguments.Text(given[1], "new");
        return Replace(text, arguments.Text(given[0], "old"), fresh, arguments.Integer(given[2], "count", -1), budget);
    }

    /// <summary>str.replace; a negative count stands for all.</summary>
    public static string Replace(string text, string old, string fresh, long count, JinjaBudget budget)
    {
        long most = old.Length == 0 ? PythonText.Length(text) + 1L : text.AsSpan().Count(old);
        long times = count < 0 ? most : Math.Min(most, count);
        budget.Make(text.Length + (times * fresh.Length));
        if (times == most && old.Length > 0)
            return text.Replace(old, fresh, StringComparison.Ordinal);
        var result = new StringBuilder();
        int at = 0;
        for (; times > 0; times--)
        {
            int next = old.Length == 0 ? at : text.IndexOf(old, at, StringComparison.Ordinal);
            result.Append(text, at, next - at).Append(fresh);
            at = next + old.Length;
            if (old.Length == 0 && at < text.Length)
            {
                int length = char.IsHighSurrogate(text[at]) ? 2 : 1;
                result.Append(text, at, length);
                at += length;
            }
        }
        return result.Append(text, at, text.Length - at).ToString();
    }

    private static string Join(object self, string separator, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var parts = new List<string>();
        foreach (object? part in PythonOps.Elements(arguments.BindUnnamed("iterable")[0], budget))
        {
            parts.Add(self is JinjaMarkup ? PythonText.Escaped(part, budget) : arguments.Text(part, "every element"));
            budget.Make((long)parts[^1].Length + separator.Length);
        }
        return string.Join(separator, parts);
    }

    private static string Justify(object self, string text, string name, JinjaCallArguments arguments,
        JinjaBudget budget)
    {
        var given = name == "zfill" ? [.. arguments.BindUnnamed("width"), Missing]
            : arguments.BindUnnamed("width", "fillchar?");
        string fill = name == "zfill" ? "0" : arguments.Text(given[1], "fillchar", " ");
        if (self is JinjaMarkup && name != "zfill")
            fill = PythonText.Escape(fill);
        if (PythonText.Length(fill) != 1)
            throw new JinjaError($"{name}() fills with one character");
        return Justify(text, name, arguments.Integer(given[0], "width"), fill, budget);
    }

    /// <summary>str.center, ljust, rjust and zfill.</summary>
    public static string Justify(string text, string name, long width, string fill, JinjaBudget budget)
    {
        long missing = width - PythonText.Length(text);
        if (missing <= 0)
            return text;
        budget.Make(missing * fill.Length);
        long before = name switch
        {
            "center" => (missing / 2) + (missing & width & 1),
            "ljust" => 0,
            _ => missing,
        };
        string left = Repeat(fill, before), right = Repeat(fill, missing - before);
        return name == "zfill" && text is ['+' or '-', ..] ? text[..1] + left + text[1..] : left + text + right;
    }

    private static string Repeat(string text, long count) =>
        new StringBuilder(text.Length * (int)count).Insert(0, text, (int)count).ToString();

    private static string ExpandTabs(string text, long size, JinjaBudget budget)
    {
        var result = new StringBuilder();
        long column = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == '\t')
            {
                long spaces = size > 0 ? size - (column % size) : 0;
                budget.Make(spaces);
                result.Append(' ', (int)spaces);
                column += spaces;
                continue;
            }
            result.Append(rune.ToString());
            column = rune.Value is '\n' or '\r' ? 0 : column + 1;
        }
        return result.ToString();
    }

    private static object? Named(JinjaCallArguments arguments, string key)
    {
        foreach (var (name, value) in arguments.Named)
            if (name == key)
                return value;
        throw new JinjaError($"a format has no value {Quoted.Of(key)}");
    }

    private static object? Entry(JinjaCallArguments arguments, string key, JinjaBudget budget) =>
        PythonOps.TryElement(arguments.BindUnnamed("mapping")[0], key, budget, out object? value)
            ? value : throw new JinjaError($"a format has no value {Quoted.Of(key)}");

    private static string OfMarkup(string text, string name, JinjaCallArguments arguments)
    {
        arguments.BindUnnamed();
        return name == "striptags" ? PythonHtml.StripTags(text) : PythonHtml.Unescape(text);
    }

    /// <summary>chr: a character by its number.</summary>
    public static string Character(BigInteger number) => number.Sign >= 0 && number <= 0x10FFFF
        ? Rune.IsValid((int)number) ? new Rune((int)number).ToString() : "\uFFFD"
        : throw new JinjaError("there is no character of that number");

    /// <summary>The digits of a positive integer in base 2 ('b'), 8 ('o') or 16 ('x').</summary>
    public static string InBase(BigInteger value, char type)
    {
        if (type == 'b')
            return value.ToString("B", CultureInfo.InvariantCulture).TrimStart('0') is { Length: > 0 } bits
                ? bits : "0";
        if (type == 'x')
            return value.ToString("x", CultureInfo.InvariantCulture).TrimStart('0') is { Length: > 0 } digits
                ? digits : "0";
        string binary = InBase(value, 'b');
        binary = binary.PadLeft((binary.Length + 2) / 3 * 3, '0');
        var octal = new StringBuilder();
        for (int i = 0; i < binary.Length; i += 3)
            octal.Append((char)('0' + ((binary[i] - '0') * 4) + ((binary[i + 1] - '0') * 2) + (binary[i + 2] - '0')));
        return octal.ToString();
    }
}
