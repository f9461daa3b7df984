using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>JSON to template values, and back as Python's json.dumps writes it (Hugging Face's tojson: no HTML escaping, ensure_ascii false unless asked for).</summary>
internal static class JinjaJson
{
    /// <summary>The value of some JSON.</summary>
    public static object? Parse(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => json.TryGetInt64(out long whole) ? (object)whole : json.GetDouble(),
        JsonValueKind.String => json.GetString(),
        JsonValueKind.Array => new JinjaList([.. json.EnumerateArray().Select(Parse)]),
        _ => ParseObject(json),
    };

    private static JinjaDict ParseObject(JsonElement json)
    {
        var dict = new JinjaDict();
        foreach (var property in json.EnumerateObject())
            dict.Items[property.Name] = Parse(property.Value);
        return dict;
    }

    /// <summary>How to write.</summary>
    /// <param name="Ascii">Other characters as \uXXXX.</param>
    /// <param name="Indent">What each level is indented by; null for everything on one line.</param>
    /// <param name="Comma">Between elements.</param>
    /// <param name="Colon">Between key and value.</param>
    /// <param name="Sorted">Keys in order.</param>
    public sealed record Style(bool Ascii, string? Indent, string Comma, string Colon, bool Sorted);

    public static string Write(object? value, Style style, JinjaBudget budget)
    {
        var text = new StringBuilder();
        Write(text, value, style, "\n", budget);
        budget.Make(text.Length);
        return text.ToString();
    }

    private static void Write(StringBuilder to, object? value, Style style, string line, JinjaBudget budget)
    {
        budget.Step();
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack() || to.Length > JinjaBudget.MaxCharacters)
            throw new JinjaError("the value for tojson is nested too deeply or too large");
        switch (value)
        {
            case string text:
                WriteString(to, text, style.Ascii);
                break;
            case null or bool or long:
                to.Append(value switch { null => "null", true => "true", false => "false", _ => ((long)value).ToString(CultureInfo.InvariantCulture) });
                break;
            case double number:
                to.Append(double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? (number > 0 ? "Infinity" : "-Infinity") : PythonText.Float(number));
                break;
            case JinjaList list:
                WriteItems(to, '[', ']', list.Items, style, line, (item, inner) => Write(to, item, style, inner, budget));
                break;
            case JinjaDict dict:
                IEnumerable<KeyValuePair<string, object?>> items = style.Sorted ? dict.Items.OrderBy(item => item.Key, StringComparer.Ordinal) : dict.Items;
                WriteItems(to, '{', '}', [.. items], style, line, (item, inner) =>
                {
                    WriteString(to, item.Key, style.Ascii);
                    to.Append(style.Colon);
                    Write(to, item.Value, style, inner, budget);
                });
                break;
            default:
                throw new JinjaError($"tojson cannot write {JinjaOps.KindOf(value)}");
        }
    }

    private static void WriteItems<T>(StringBuilder to, char open, char close, IReadOnlyList<T> items, Style style, string line, Action<T, string> write)
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
