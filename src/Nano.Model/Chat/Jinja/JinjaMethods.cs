namespace Nano;

/// <summary>The methods of Python's strings and mappings that templates call.</summary>
internal static class JinjaMethods
{
    private static readonly object Missing = JinjaCallArguments.Missing;

    private static readonly string[] OfStrings =
    [
        "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith", "upper", "lower", "title", "capitalize", "replace", "join", "find", "count",
        "removeprefix", "removesuffix", "isdigit", "isspace",
    ];

    private static readonly string[] OfDicts = ["items", "keys", "values", "get"];

    /// <summary>A method bound to its value; null if there is none of that name.</summary>
    public static JinjaFunction? Find(object? target, string name, JinjaBudget budget) => target switch
    {
        string text when OfStrings.Contains(name) => new JinjaFunction(name, arguments => Call(text, name, arguments, budget)),
        JinjaDict dict when OfDicts.Contains(name) => new JinjaFunction(name, arguments => Call(dict, name, arguments)),
        _ => null,
    };

    public static object? Call(string text, string name, JinjaCallArguments arguments, JinjaBudget budget)
    {
        budget.Step(text.Length >> 5);
        budget.Make(text.Length);
        switch (name)
        {
            case "strip" or "lstrip" or "rstrip":
                var characters = arguments.Bind("chars")[0];
                return PythonText.Strip(text, characters == Missing || characters is null ? null : arguments.String(characters, "chars"), start: name != "rstrip", end: name != "lstrip");
            case "split" or "rsplit":
                return Split(text, arguments, fromEnd: name == "rsplit", budget);
            case "startswith" or "endswith":
                return StartsOrEnds(text, arguments, name == "startswith");
            case "replace":
                return Replace(text, arguments, budget);
            case "join":
                return Join(text, arguments, budget);
            case "find":
                int at = text.IndexOf(Only(arguments, "sub"), StringComparison.Ordinal);
                return at < 0 ? -1L : JinjaOps.Length(text[..at]);
            case "count":
                string sought = Only(arguments, "sub");
                return sought.Length == 0 ? JinjaOps.Length(text) + 1 : text.AsSpan().Count(sought);
            case "removeprefix":
                return Only(arguments, "prefix") is var prefix && text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text;
            case "removesuffix":
                return Only(arguments, "suffix") is var suffix && text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text;
        }
        arguments.Bind();
        return name switch
        {
            "upper" => text.ToUpperInvariant(),
            "lower" => text.ToLowerInvariant(),
            "title" or "capitalize" => PythonText.Title(text, everyWord: name == "title"),
            "splitlines" => Lines(text, budget),
            "isdigit" => text.Length > 0 && text.All(char.IsDigit),
            "isspace" => text.Length > 0 && text.All(PythonText.IsSpace),
            _ => throw new JinjaError($"strings have no method '{name}' here"),
        };
    }

    private static object? Call(JinjaDict dict, string name, JinjaCallArguments arguments)
    {
        if (name == "get")
        {
            var given = arguments.Bind("key", "default");
            return dict.Items.TryGetValue(arguments.String(given[0], "key"), out var value) ? value : given[1] == Missing ? null : given[1];
        }
        arguments.Bind();
        return name switch
        {
            "items" => JinjaFilters.Items(dict),
            "keys" => new JinjaList([.. dict.Items.Keys]),
            _ => new JinjaList([.. dict.Items.Values]),
        };
    }

    private static string Only(JinjaCallArguments arguments, string parameter) => arguments.String(arguments.Bind(parameter)[0], parameter);

    private static bool StartsOrEnds(string text, JinjaCallArguments arguments, bool starts)
    {
        object? sought = arguments.Bind("affix")[0];
        var candidates = sought is JinjaList { IsTuple: true } tuple ? tuple.Items : [sought];
        return candidates.Select(candidate => arguments.String(candidate, "affix"))
            .Any(affix => starts ? text.StartsWith(affix, StringComparison.Ordinal) : text.EndsWith(affix, StringComparison.Ordinal));
    }

    private static JinjaList Split(string text, JinjaCallArguments arguments, bool fromEnd, JinjaBudget budget)
    {
        var given = arguments.Bind("sep", "maxsplit");
        long most = arguments.Integer(given[1], "maxsplit", -1);
        if (given[0] == Missing || given[0] is null)
        {
            if (most >= 0)
                throw new JinjaError($"{arguments.Callee} with maxsplit needs a separator here");
            return Counted(PythonText.Words(text), budget);
        }
        string separator = arguments.String(given[0], "sep");
        if (separator.Length == 0)
            throw new JinjaError("the separator of a split cannot be empty");
        string[] parts = text.Split(separator);
        int limit = most < 0 ? parts.Length : (int)Math.Min(most + 1, parts.Length);
        if (limit < parts.Length)
            parts = fromEnd
                ? [string.Join(separator, parts[..^(limit - 1)]), .. parts[^(limit - 1)..]]
                : [.. parts[..(limit - 1)], string.Join(separator, parts[(limit - 1)..])];
        return Counted(parts, budget);
    }

    private static JinjaList Counted(IReadOnlyCollection<string> parts, JinjaBudget budget)
    {
        budget.Step(parts.Count);
        return new JinjaList([.. parts]);
    }

    private static JinjaList Lines(string text, JinjaBudget budget)
    {
        var lines = text.Replace("\r\n", "\n", StringComparison.Ordinal).Split('\n', '\r', '\v', '\f', '\x1c', '\x1d', '\x1e', '\u0085', '\u2028', '\u2029');
        return Counted(lines[^1].Length == 0 ? lines[..^1] : lines, budget);
    }

    private static string Replace(string text, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.Bind("old", "new", "count");
        string old = arguments.String(given[0], "old"), fresh = arguments.String(given[1], "new");
        if (given[2] != Missing && given[2] is not null && arguments.Integer(given[2], "count") >= 0)
            throw new JinjaError("replace with a count is not supported");
        if (old.Length == 0)
            throw new JinjaError("replace needs something to look for");
        budget.Make(text.Length + ((long)text.AsSpan().Count(old) * fresh.Length));
        return text.Replace(old, fresh, StringComparison.Ordinal);
    }

    private static string Join(string separator, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.Bind("iterable");
        string[] parts = [.. JinjaOps.Elements(given[0] == Missing ? null : given[0], budget).Select(part => arguments.String(part, "every element"))];
        budget.Make(parts.Sum(part => (long)part.Length + separator.Length));
        return string.Join(separator, parts);
    }
}
