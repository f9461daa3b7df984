using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Nano;

/// <summary>Text as Python sees and prints it.</summary>
internal static class PythonText
{
    /// <summary>The characters for which str.isspace is true, which is also what \s matches.</summary>
    public static readonly SearchValues<char> Spaces = SearchValues.Create("\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000");

    public static bool IsSpace(char c) => Spaces.Contains(c);

    /// <summary>str.strip, lstrip and rstrip: white space, or any of the given characters.</summary>
    public static string Strip(string text, string? characters, bool start, bool end)
    {
        int from = 0, to = text.Length;
        if (characters is null)
        {
            while (start && from < to && IsSpace(text[from]))
                from++;
            while (end && to > from && IsSpace(text[to - 1]))
                to--;
            return text[from..to];
        }
        var set = characters.EnumerateRunes().ToHashSet();
        while (start && from < to && Rune.DecodeFromUtf16(text.AsSpan(from), out var rune, out int length) == OperationStatus.Done && set.Contains(rune))
            from += length;
        while (end && to > from && Rune.DecodeLastFromUtf16(text.AsSpan(from, to - from), out var rune, out int length) == OperationStatus.Done && set.Contains(rune))
            to -= length;
        return text[from..to];
    }

    /// <summary>str.title and, for the first word only, str.capitalize. Case mapping is one character to one character.</summary>
    public static string Title(string text, bool everyWord)
    {
        var result = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (var rune in text.EnumerateRunes())
        {
            result.Append(inWord ? Rune.ToLowerInvariant(rune) : Rune.ToUpperInvariant(rune));
            inWord = !everyWord || Rune.IsLetter(rune);
        }
        return result.ToString();
    }

    /// <summary>str.split without arguments: words between white space.</summary>
    public static List<string> Words(string text)
    {
        var words = new List<string>();
        for (int at = 0; at < text.Length;)
        {
            int start = at;
            while (at < text.Length && !IsSpace(text[at]))
                at++;
            if (at > start)
                words.Add(text[start..at]);
            at++;
        }
        return words;
    }

    /// <summary>repr of a float: the shortest digits that give the same number again.</summary>
    public static string Float(double value)
    {
        if (double.IsNaN(value))
            return "nan";
        if (double.IsInfinity(value))
            return value > 0 ? "inf" : "-inf";
        string digits = value.ToString("E16", CultureInfo.InvariantCulture);
        int exponent = int.Parse(digits.AsSpan(digits.IndexOf('E', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture);
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        if (value == 0 || exponent is >= -4 and < 16)
        {
            string plain = shortest.Contains('E', StringComparison.Ordinal) ? ((decimal)value).ToString(CultureInfo.InvariantCulture) : shortest;
            return plain.Contains('.', StringComparison.Ordinal) ? plain : plain + ".0";
        }
        int e = shortest.IndexOf('E', StringComparison.Ordinal);
        string significant = (e >= 0 ? shortest[..e] : shortest).Replace(".", "", StringComparison.Ordinal).Trim('-', '0');
        string mantissa = significant.Length == 1 ? significant : significant[..1] + "." + significant[1..];
        return $"{(value < 0 ? "-" : "")}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):D2}";
    }

    /// <summary>str of a value, as {{ value }} prints it.</summary>
    public static string Of(object? value) => value switch
    {
        string text => text,
        JinjaUndefined => "",
        _ => Repr(value),
    };

    /// <summary>repr of a value: strings in quotes.</summary>
    private static string Repr(object? value)
    {
        var result = new StringBuilder();
        AppendRepr(result, value);
        return result.ToString();
    }

    private static void AppendRepr(StringBuilder to, object? value)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack() || to.Length > JinjaBudget.MaxCharacters)
            throw new JinjaError("the value to print is nested too deeply or too large");
        switch (value)
        {
            case null or bool or long or double:
                to.Append(value switch { null => "None", true => "True", false => "False", double d => Float(d), _ => ((long)value).ToString(CultureInfo.InvariantCulture) });
                break;
            case string text:
                AppendRepr(to, text);
                break;
            case JinjaList list:
                to.Append(list.IsTuple ? '(' : '[');
                AppendItems(to, list.Items, item => AppendRepr(to, item));
                to.Append(list is { IsTuple: true, Items.Count: 1 } ? "," : "").Append(list.IsTuple ? ')' : ']');
                break;
            case JinjaDict dict:
                to.Append('{');
                AppendItems(to, dict.Items, item =>
                {
                    AppendRepr(to, item.Key);
                    to.Append(": ");
                    AppendRepr(to, item.Value);
                });
                to.Append('}');
                break;
            default:
                throw new JinjaError($"{JinjaOps.KindOf(value)} cannot be printed");
        }
    }

    private static void AppendItems<T>(StringBuilder to, IEnumerable<T> items, Action<T> append)
    {
        bool first = true;
        foreach (var item in items)
        {
            to.Append(first ? "" : ", ");
            first = false;
            append(item);
        }
    }

    private static void AppendRepr(StringBuilder to, string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        to.Append(quote);
        foreach (var rune in text.EnumerateRunes())
        {
            int code = rune.Value;
            if (code == quote || code == '\\')
                to.Append('\\').Append((char)code);
            else if (code is '\n' or '\r' or '\t')
                to.Append(code switch { '\n' => "\\n", '\r' => "\\r", _ => "\\t" });
            else if (code == ' ' || !(Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned))
                to.Append(rune.ToString());
            else
                to.Append(code < 0x100 ? $"\\x{code:x2}" : code < 0x10000 ? $"\\u{code:x4}" : $"\\U{code:x8}");
        }
        to.Append(quote);
    }
}
