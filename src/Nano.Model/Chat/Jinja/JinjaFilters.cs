using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>What can follow "|".</summary>
internal static class JinjaFilters
{
    private static readonly object Missing = JinjaCallArguments.Missing;

    public static FrozenSet<string> Names { get; } = new[]
    {
        "trim", "upper", "lower", "title", "capitalize", "replace", "indent", "string", "safe", "int", "float", "length", "count", "default", "d",
        "first", "last", "list", "join", "reverse", "items", "dictsort", "map", "select", "reject", "selectattr", "rejectattr", "tojson",
    }.ToFrozenSet(StringComparer.Ordinal);

    public static object? Apply(string name, object? value, JinjaCallArguments arguments, JinjaBudget budget) => name switch
    {
        "trim" or "upper" or "lower" or "title" or "capitalize" or "replace" or "indent" => OfText(name, PythonText.Of(value), arguments, budget),
        "string" => Plain(arguments, PythonText.Of(value)),
        "safe" => Plain(arguments, value),
        "int" or "float" => Number(name, value, arguments),
        "length" or "count" => Plain(arguments, JinjaOps.Length(value)),
        "default" or "d" => Default(value, arguments),
        "first" or "last" => End(name, value, arguments, budget),
        "list" => Plain(arguments, new JinjaList(JinjaOps.Elements(value, budget))),
        "join" => Join(value, arguments, budget),
        "reverse" => Reverse(value, arguments, budget),
        "items" => Plain(arguments, Items(value)),
        "dictsort" => Plain(arguments, new JinjaList([.. Items(value).Items.OrderBy(item => ((string)((JinjaList)item!).Items[0]!).ToLowerInvariant(), StringComparer.Ordinal)])),
        "map" => Map(value, arguments, budget),
        "select" or "reject" => Select(value, arguments, name == "select", 0, budget),
        "selectattr" or "rejectattr" => Select(value, arguments, name == "selectattr", 1, budget),
        "tojson" => ToJson(value, arguments, budget),
        _ => throw new JinjaError($"{arguments.Callee} is not supported"),
    };

    /// <summary>A mapping's keys and values as a list of tuples.</summary>
    public static JinjaList Items(object? value) => value switch
    {
        JinjaDict dict => new JinjaList([.. dict.Items.Select(item => (object?)new JinjaList([item.Key, item.Value], IsTuple: true))]),
        JinjaUndefined => new JinjaList([]),
        _ => throw new JinjaError($"items needs a mapping, got {JinjaOps.KindOf(value)}"),
    };

    private static object? Plain(JinjaCallArguments arguments, object? result)
    {
        arguments.Bind();
        return result;
    }

    private static object? OfText(string name, string text, JinjaCallArguments arguments, JinjaBudget budget)
    {
        budget.Make(text.Length);
        if (name == "indent")
            return Indent(text, arguments, budget);
        if (name == "trim")
        {
            var given = arguments.Bind("chars");
            return PythonText.Strip(text, given[0] == Missing || given[0] is null ? null : arguments.String(given[0], "chars"), start: true, end: true);
        }
        if (name == "title")
            return Plain(arguments, Title(text));
        return JinjaMethods.Call(text, name, arguments, budget);
    }

    /// <summary>Unlike str.title, the filter's words are what stands between white space, hyphens and opening brackets.</summary>
    private static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (var rune in text.EnumerateRunes())
        {
            result.Append(inWord ? Rune.ToLowerInvariant(rune) : Rune.ToUpperInvariant(rune));
            inWord = !(rune.IsBmp && (PythonText.IsSpace((char)rune.Value) || "-({[<".Contains((char)rune.Value, StringComparison.Ordinal)));
        }
        return result.ToString();
    }

    private static string Indent(string text, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.Bind("width", "first", "blank");
        string by = given[0] as string ?? new string(' ', (int)Math.Clamp(arguments.Integer(given[0], "width", 4), 0, 1000));
        bool first = JinjaCallArguments.Flag(given[1], false), blank = JinjaCallArguments.Flag(given[2], false);
        string[] lines = text.Split('\n');
        budget.Make(text.Length + ((long)lines.Length * by.Length));
        var result = new StringBuilder();
        for (int i = 0; i < lines.Length; i++)
            result.Append(i > 0 ? "\n" : "").Append((i > 0 || first) && (lines[i].Length > 0 || blank || i == 0) ? by : "").Append(lines[i]);
        return result.ToString();
    }

    private static object Number(string name, object? value, JinjaCallArguments arguments)
    {
        object fallback = arguments.Bind("default")[0] is var given && given != Missing ? given! : name == "int" ? (object)0L : 0.0;
        string text = PythonText.Of(value is bool flag ? flag ? 1L : 0L : value).Trim();
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
            return fallback;
        if (name == "float")
            return number;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole))
            return whole;
        return Math.Abs(number) < 9e18 ? (long)number : throw new JinjaError($"{text} is larger than 64 bits hold");
    }

    private static object? Default(object? value, JinjaCallArguments arguments)
    {
        var given = arguments.Bind("default_value", "boolean");
        bool replace = value is JinjaUndefined || (JinjaCallArguments.Flag(given[1], false) && !JinjaOps.IsTrue(value));
        return !replace ? value : given[0] == Missing ? "" : given[0];
    }

    private static object? End(string name, object? value, JinjaCallArguments arguments, JinjaBudget budget)
    {
        arguments.Bind();
        var elements = JinjaOps.Elements(value, budget);
        return elements.Count == 0 ? new JinjaUndefined($"there is no {name} element") : name == "first" ? elements[0] : elements[elements.Count - 1];
    }

    private static string Join(object? value, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.Bind("d", "attribute");
        string separator = given[0] == Missing ? "" : PythonText.Of(given[0]);
        string[] parts = [.. JinjaOps.Elements(value, budget).Select(item => PythonText.Of(given[1] == Missing ? item : Path(item, given[1])))];
        budget.Make(parts.Sum(part => (long)part.Length + separator.Length));
        return string.Join(separator, parts);
    }

    private static object Reverse(object? value, JinjaCallArguments arguments, JinjaBudget budget)
    {
        arguments.Bind();
        var reversed = JinjaOps.Elements(value, budget).Reverse();
        return value is string ? string.Concat(reversed) : new JinjaList([.. reversed]);
    }

    /// <summary>map("filter", ...) or map(attribute="a.b", default=x).</summary>
    private static JinjaList Map(object? value, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var elements = JinjaOps.Elements(value, budget);
        if (arguments.Positional.Count > 0)
        {
            string filter = arguments.String(arguments.Positional[0], "filter");
            if (!Names.Contains(filter))
                throw new JinjaError($"map() knows no filter {Quoted.Of(filter)}");
            var inner = new JinjaCallArguments($"the filter '{filter}'", [.. arguments.Positional.Skip(1)], arguments.Named);
            return new JinjaList([.. elements.Select(item => Apply(filter, item, inner, budget))]);
        }
        var given = arguments.Bind("attribute", "default");
        if (given[0] == Missing)
            throw new JinjaError("map() needs a filter's name or attribute=");
        return new JinjaList([.. elements.Select(item => Path(item, given[0]) is var found && found is JinjaUndefined && given[1] != Missing ? given[1] : found)]);
    }

    /// <summary>The elements for which a test holds, or which are true if no test is named; selectattr tests an attribute, its first argument.</summary>
    private static JinjaList Select(object? value, JinjaCallArguments arguments, bool keep, int skip, JinjaBudget budget)
    {
        if (arguments.Positional.Count < skip || arguments.Named.Count > 0)
            throw new JinjaError($"{arguments.Callee} needs {(skip > 0 ? "the name of an attribute, then " : "")}at most a test and its value");
        string? test = arguments.Positional.Count > skip ? arguments.String(arguments.Positional[skip], "test") : null;
        test = test switch { "==" => "eq", "!=" => "ne", "<" => "lt", "<=" => "le", ">" => "gt", ">=" => "ge", _ => test };
        if (test is not null && !JinjaTests.Names.Contains(test))
            throw new JinjaError($"{arguments.Callee} knows no test {Quoted.Of(test)}");
        var inner = new JinjaCallArguments($"the test '{test}'", [.. arguments.Positional.Skip(skip + 1)], []);
        var kept = JinjaOps.Elements(value, budget).Where(item =>
        {
            object? tested = skip > 0 ? Path(item, arguments.Positional[0]) : item;
            return (test is null ? JinjaOps.IsTrue(tested) : JinjaTests.Holds(test, tested, inner, budget)) == keep;
        });
        return new JinjaList([.. kept]);
    }

    /// <summary>An attribute such as "function.name", or an element by number.</summary>
    private static object? Path(object? item, object? path)
    {
        if (path is not string names)
            return JinjaOps.Element(item, path);
        foreach (string name in names.Split('.'))
            item = JinjaOps.Element(item, long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long at) ? at : name);
        return item;
    }

    private static string ToJson(object? value, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.Bind("ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = given[1] is string text ? text : given[1] is null || given[1] == Missing ? null : new string(' ', (int)Math.Clamp(arguments.Integer(given[1], "indent"), 0, 100));
        (string comma, string colon) = given[2] switch
        {
            JinjaList { Items: [string first, string second] } => (first, second),
            null => (indent is null ? ", " : ",", ": "),
            _ when given[2] == Missing => (indent is null ? ", " : ",", ": "),
            _ => throw new JinjaError("the separators of tojson are two strings"),
        };
        return JinjaJson.Write(value, new JinjaJson.Style(JinjaCallArguments.Flag(given[0], false), indent, comma, colon, JinjaCallArguments.Flag(given[3], false)), budget);
    }
}
