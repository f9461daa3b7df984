using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>JSON to template values as Python's json.loads makes them, and back as its json.dumps writes it.</summary>
internal static class PythonJson
{
    /// <summary>Python reads no integer of more digits.</summary>
    private const int MaxDigits = 4300;

    /// <summary>
    /// The value of some JSON: 1 is an integer of any size, 1.0 a float, keys stay in order, the last of two equal ones
    /// wins, and an escaped half of a surrogate pair becomes U+FFFD.
    /// </summary>
    /// <exception cref="FormatException">An integer has more digits than Python reads.</exception>
    public static object? Parse(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.Undefined => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => Number(json.GetRawText()),
        JsonValueKind.String => Text(JsonMarshal.GetRawUtf8Value(json)[1..^1]),
        JsonValueKind.Array => new JinjaList([.. json.EnumerateArray().Select(Parse)]),
        _ => Dict(json),
    };

    private static object Number(string text)
    {
        if (text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0)
            return double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number))
            return number;
        return text.Length <= MaxDigits ? BigInteger.Parse(text, CultureInfo.InvariantCulture)
            : throw new FormatException($"an integer of {text.Length} digits is longer than {MaxDigits}");
    }

    private static JinjaDict Dict(JsonElement json)
    {
        var dict = new JinjaDict();
        foreach (var property in json.EnumerateObject())
            dict.Set(Text(JsonMarshal.GetRawUtf8PropertyName(property)), Parse(property.Value));
        return dict;
    }

    /// <summary>The name of a property, with U+FFFD for halves of surrogate pairs.</summary>
    public static string NameOf(JsonProperty property) => Text(JsonMarshal.GetRawUtf8PropertyName(property));

    /// <summary>
    /// The text of a JSON string, given as it stands between its quotes, which the parser has
    /// checked.
    /// </summary>
    private static string Text(ReadOnlySpan<byte> raw)
    {
        string text = Encoding.UTF8.GetString(raw);
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;
        var result = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length; at++)
        {
            if (text[at] != '\\')
            {
                result.Append(text[at]);
                continue;
            }
            char c = text[++at];
            if (c != 'u')
            {
                result.Append("bfnrt".IndexOf(c, StringComparison.Ordinal) is >= 0 and var known
                    ? "\b\f\n\r\t"[known] : c);
                continue;
            }
            char unit = Unit(text, at + 1);
            at += 4;
            bool pair = char.IsHighSurrogate(unit) && at + 6 < text.Length && text[at + 1] == '\\'
                && text[at + 2] == 'u'
                && char.IsLowSurrogate(Unit(text, at + 3));
            if (pair)
            {
                result.Append(unit).Append(Unit(text, at + 3));
                at += 6;
            }
            else
                result.Append(char.IsSurrogate(unit) ? '\uFFFD' : unit);
        }
        return result.ToString();
    }

    private static char Unit(string text, int at) =>
        (char)int.Parse(text.AsSpan(at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    /// <summary>A way to write.</summary>
    /// <param name="Ascii">Other characters as \uXXXX.</param>
    /// <param name="Indent">The indentation of each level; null for everything on one line.</param>
    /// <param name="Comma">Between elements.</param>
    /// <param name="Colon">Between key and value.</param>
    /// <param name="Sorted">Keys in order.</param>
    public sealed record Style(bool Ascii, string? Indent, string Comma, string Colon, bool Sorted);

    /// <summary>json.dumps.</summary>
    public static string Write(object? value, Style style, JinjaBudget budget)
    {
        var text = new StringBuilder();
        Write(text, value, style, "\n", budget);
        budget.Make(text.Length);
        return text.ToString();
    }

    private static void Write(StringBuilder to, object? value, Style style, string line, JinjaBudget budget)
    {
        JinjaBudget.EnsureStack();
        budget.Step();
        if (to.Length > JinjaBudget.MaxCharacters)
            throw new JinjaError("the value for tojson is too large");
        switch (value)
        {
            case string or JinjaMarkup:
                WriteString(to, PythonText.AsText(value)!, style.Ascii);
                break;
            case null or bool or long or BigInteger or double:
                to.Append(Scalar(value, budget));
                break;
            case JinjaList list:
                WriteItems(to, '[', ']', list.Items, style, line,
                    (item, inner) => Write(to, item, style, inner, budget));
                break;
            case JinjaDict dict:
                WriteItems(to, '{', '}', Entries(dict, style, budget), style, line, (item, inner) =>
                {
                    WriteString(to, item.Name, style.Ascii);
                    to.Append(style.Colon);
                    Write(to, item.Value, style, inner, budget);
                });
                break;
            default:
                throw new JinjaError($"tojson cannot write {PythonOps.KindOf(value)}");
        }
    }

    private static string Scalar(object? value, JinjaBudget budget) => value switch
    {
        null => "null",
        bool flag => flag ? "true" : "false",
        double number when double.IsNaN(number) => "NaN",
        double number when double.IsInfinity(number) => number > 0 ? "Infinity" : "-Infinity",
        _ => PythonRepr.Repr(value, budget),
    };

    private static List<(string Name, object? Value)> Entries(JinjaDict dict, Style style, JinjaBudget budget)
    {
        var items = dict.Items.ToList();
        if (style.Sorted)
            items = JinjaFilters.Sorted(items, item => item.Key, reverse: false, budget);
        return [.. items.Select(item => (item.Key is string or JinjaMarkup ? PythonText.AsText(item.Key)!
            : item.Key is null or bool or long or BigInteger or double ? Scalar(item.Key, budget)
            : throw new JinjaError($"tojson cannot write {PythonOps.KindOf(item.Key)} as a key"), item.Value))];
    }

    private static void WriteItems<T>(
        StringBuilder to, char open, char close, IReadOnlyList<T> items, Style style, string line,
        Action<T, string> write)
    {
        to.Append(open);
        string inner = line + style.Indent;
        for (int i = 0; i < items.Count; i++)
        {
            to.Append(i > 0 ? style.Comma : "");
            if (style.Indent is not null)
                to.Append(inner);
            write(items[i], inner);
        }
        if (style.Indent is not null && items.Count > 0)
            to.Append(line);
        to.Append(close);
    }

    private static void WriteString(StringBuilder to, string text, bool ascii)
    {
        to.Append('"');
        foreach (char c in text)
            if (c is '"' or '\\')
                to.Append('\\').Append(c);
            else if ("\n\r\t\b\f".IndexOf(c, StringComparison.Ordinal) is >= 0 and var at)
                to.Append('\\').Append("nrtbf"[at]);
            else if (c < ' ' || (ascii && c > '~'))
                to.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                to.Append(c);
        to.Append('"');
    }
}
