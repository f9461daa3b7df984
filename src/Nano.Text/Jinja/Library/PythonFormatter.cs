using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>str.format and str.format_map, whose fields reach attributes and elements as templates do.</summary>
/// <param name="positional">The values of fields with a number or nothing.</param>
/// <param name="named">The value of a field with a name.</param>
/// <param name="escapes">Whether what is put in is escaped, as in markup.</param>
/// <param name="budget">Pays for the text.</param>
internal sealed class PythonFormatter(
    IReadOnlyList<object?> positional, Func<string, object?> named, bool escapes, JinjaBudget budget)
{
    private int automatic;
    private bool counts, numbers;

    /// <exception cref="JinjaError">The format is malformed, or a field has no value.</exception>
    public string Format(string format) => Format(format, depth: 2);

    private string Format(string format, int depth)
    {
        if (depth < 0)
            throw new JinjaError("a format is nested too deeply");
        var result = new StringBuilder();
        for (int at = 0; at < format.Length; at++)
        {
            char c = format[at];
            if (c is '{' or '}' && at + 1 < format.Length && format[at + 1] == c)
                result.Append(format[at++]);
            else if (c == '}')
                throw new JinjaError("a format has a '}' that closes nothing");
            else if (c != '{')
                result.Append(c);
            else
            {
                int end = End(format, at + 1);
                string field = Field(format[(at + 1)..end], depth);
                budget.Make(field.Length);
                result.Append(field);
                at = end;
            }
        }
        return result.ToString();
    }

    /// <summary>The place of the brace that closes the field.</summary>
    private static int End(string format, int start)
    {
        int open = 1;
        bool inName = true;
        for (int at = start; at < format.Length; at++)
        {
            inName &= format[at] != ':';
            // Within [] of a field's name, braces are characters like others.
            if (inName && open == 1 && format[at] == '[' && format.IndexOf(']', at) is var close)
                at = close > 0 ? close : format.Length;
            else if (format[at] == '{')
                open++;
            else if (format[at] == '}' && --open == 0)
                return at;
        }
        throw new JinjaError("a format has a '{' that is not closed");
    }

    private string Field(string field, int depth)
    {
        int close = field.LastIndexOf(']'), colon = field.IndexOf(':', StringComparison.Ordinal);
        if (close > colon && field.IndexOf('[', StringComparison.Ordinal) is >= 0 and var open && open < colon)
            colon = field.IndexOf(':', field.IndexOf(']', open));
        string name = colon < 0 ? field : field[..colon], spec = colon < 0 ? "" : field[(colon + 1)..];
        char conversion = default;
        int mark = name.LastIndexOf('!');
        if (mark >= 0)
        {
            conversion = mark == name.Length - 2 ? name[^1]
                : throw new JinjaError("a conversion is one of !r, !s and !a");
            name = name[..mark];
        }
        object? value = Value(name);
        value = conversion switch
        {
            'r' => PythonRepr.Repr(value, budget),
            's' => PythonRepr.Str(value, budget),
            'a' => PythonRepr.Ascii(value, budget),
            default(char) => value,
            _ => throw new JinjaError("a conversion is one of !r, !s and !a"),
        };
        spec = Format(spec, depth - 1);
        if (!escapes)
            return PythonFormat.Apply(value, spec, budget);
        if (value is JinjaMarkup markup)
            return spec.Length == 0 ? markup.Text : throw new JinjaError("markup has no format");
        return PythonText.Escape(PythonFormat.Apply(value, spec, budget));
    }

    private object? Value(string name)
    {
        int end = name.AsSpan().IndexOfAny('.', '[');
        string first = end < 0 ? name : name[..end];
        object? value = First(first);
        for (int at = end < 0 ? name.Length : end; at < name.Length;)
        {
            bool bracket = name[at] == '[';
            int stop = bracket ? name.IndexOf(']', at) : name.AsSpan(at + 1).IndexOfAny('.', '[') is >= 0 and var length
                ? at + 1 + length : name.Length;
            if (stop < 0 || name[at] is not ('.' or '[') || stop == at + 1)
                throw new JinjaError("a field of a format is malformed");
            string part = name[(at + 1)..stop];
            value = bracket ? JinjaAttributes.Item(value, Index(part), budget)
                : JinjaAttributes.Get(value, part, budget);
            at = bracket ? stop + 1 : stop;
        }
        return value;
    }

    private object? First(string name)
    {
        bool isAutomatic = name.Length == 0;
        if (!isAutomatic && Index(name) is not long)
            return named(name);
        counts |= isAutomatic;
        numbers |= !isAutomatic;
        if (counts && numbers)
            throw new JinjaError("a format has fields with and without numbers");
        long at = isAutomatic ? automatic++ : (long)Index(name);
        return at < positional.Count ? positional[(int)at] : throw new JinjaError($"a format has no value number {at}");
    }

    private static object Index(string part) =>
        long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : part;
}
