using System.Collections.Frozen;
using System.Numerics;

namespace Nano;

/// <summary>The state that filters see.</summary>
/// <param name="Budget">Pays for work and text.</param>
/// <param name="Autoescape">Whether text is escaped beside markup.</param>
internal readonly record struct JinjaFilterContext(JinjaBudget Budget, bool Autoescape);

/// <summary>The names that can follow "|": one entry for each, and the filters of single values.</summary>
internal static partial class JinjaFilters
{
    private delegate object? Body(object? value, JinjaCallArguments arguments, JinjaFilterContext context);

    private static readonly object Missing = JinjaCallArguments.Missing;

    private static readonly FrozenDictionary<string, Body> All = new Dictionary<string, Body>(StringComparer.Ordinal)
    {
        ["abs"] = (value, arguments, _) => Abs(value, arguments),
        ["attr"] = (value, arguments, context) =>
            JinjaAttributes.OnlyAttribute(value, arguments.Text(arguments.Bind("name")[0], "name"), context.Budget),
        ["batch"] = Batch,
        ["capitalize"] = OfText,
        ["center"] = Center,
        ["count"] = (value, arguments, context) => Length(value, arguments, context),
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = DictSort,
        ["e"] = Escape,
        ["escape"] = Escape,
        ["filesizeformat"] = FileSize,
        ["first"] = First,
        ["float"] = Float,
        ["forceescape"] = ForceEscape,
        ["format"] = Format,
        ["groupby"] = GroupBy,
        ["indent"] = Indent,
        ["int"] = Integer,
        ["items"] = Items,
        ["join"] = Join,
        ["last"] = Last,
        ["length"] = (value, arguments, context) => Length(value, arguments, context),
        ["list"] = (value, arguments, context) =>
            arguments.Bind().Length == 0 ? new JinjaList(PythonOps.ToList(value, context.Budget)) : null,
        ["lower"] = OfText,
        ["map"] = Map,
        ["max"] = (value, arguments, context) => Extreme(value, arguments, 1, context.Budget),
        ["min"] = (value, arguments, context) => Extreme(value, arguments, -1, context.Budget),
        ["pprint"] = (value, arguments, context) =>
            arguments.Bind().Length == 0 ? PythonPrint.Format(value, context.Budget) : null,
        ["random"] = (_, _, _) => throw new JinjaError("the filter 'random' is random, and rendering is not"),
        ["reject"] = (value, arguments, context) => Select(value, arguments, context, keep: false, byAttribute: false),
        ["rejectattr"] = (value, arguments, context) =>
            Select(value, arguments, context, keep: false, byAttribute: true),
        ["replace"] = Replace,
        ["reverse"] = Reverse,
        ["round"] = Round,
        ["safe"] = (value, arguments, context) =>
            arguments.Bind().Length == 0 ? new JinjaMarkup(PythonRepr.Str(value, context.Budget)) : null,
        ["select"] = (value, arguments, context) => Select(value, arguments, context, keep: true, byAttribute: false),
        ["selectattr"] = (value, arguments, context) =>
            Select(value, arguments, context, keep: true, byAttribute: true),
        ["slice"] = Slices,
        ["sort"] = Sort,
        ["string"] = (value, arguments, context) => arguments.Bind().Length == 0 ? Soft(value, context.Budget) : null,
        ["striptags"] = StripTags,
        ["sum"] = Sum,
        ["title"] = Title,
        ["tojson"] = ToJson,
        ["trim"] = Trim,
        ["truncate"] = Truncate,
        ["unique"] = Unique,
        ["upper"] = OfText,
        ["urlencode"] = UrlEncode,
        ["urlize"] = (_, _, _) => throw new JinjaError("the filter 'urlize' is not supported"),
        ["wordcount"] = (value, arguments, context) => WordCount(value, arguments, context),
        ["wordwrap"] = WordWrap,
        ["xmlattr"] = XmlAttributes,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static FrozenSet<string> Names { get; } = All.Keys.ToFrozenSet(StringComparer.Ordinal);

    /// <exception cref="JinjaError">There is no such filter, or it does not fit the value or its arguments.</exception>
    public static object? Apply(string name, object? value, JinjaCallArguments arguments, JinjaFilterContext context) =>
        All.TryGetValue(name, out var filter) ? filter(value, arguments, context)
            : throw new JinjaError($"there is no filter {Quoted.Of(name)}");

    private static object Number(object? value, string filter) => PythonNumbers.IsNumber(value) ? value!
        : throw new JinjaError((value as JinjaUndefined)?.Reason
            ?? $"the filter '{filter}' needs a number, got {PythonOps.KindOf(value)}");

    private static object Abs(object? value, JinjaCallArguments arguments)
    {
        arguments.Bind();
        object number = Number(value, "abs");
        return number is double real ? Math.Abs(real) : PythonNumbers.Of(BigInteger.Abs(PythonNumbers.Whole(number)));
    }

    private static long Length(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        return PythonOps.Length(value, context.Budget);
    }

    private static object? Default(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("default_value?", "boolean?");
        bool replace = value is JinjaUndefined
            || (JinjaCallArguments.Flag(given[1], false) && !PythonOps.IsTrue(value));
        return !replace ? value : given[0] == Missing ? "" : given[0];
    }

    private static object? Integer(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("default?", "base?");
        object? fallback = given[0] == Missing ? 0L : given[0];
        if (value is JinjaUndefined undefined)
            throw new JinjaError(undefined.Reason);
        if (PythonText.AsText(value) is { } text)
        {
            long numberBase = arguments.Integer(given[1], "base", 10);
            return PythonIntegers.TryParse(text, numberBase, context.Budget)
                ?? (PythonFloat.TryParse(text) is { } number
                ? OfFloat(number, isText: true) : fallback);
        }
        return value is double real ? OfFloat(real, isText: false)
            : PythonNumbers.IsNumber(value) ? PythonNumbers.Truncate(value!) : fallback;

        object? OfFloat(double number, bool isText) => double.IsFinite(number) ? PythonNumbers.Truncate(number)
            : double.IsNaN(number) || isText ? fallback : throw new JinjaError("infinity is not an integer");
    }

    private static object? Float(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        object? fallback = arguments.Bind("default?")[0] is var given && given == Missing ? 0.0 : given;
        return value switch
        {
            JinjaUndefined undefined => throw new JinjaError(undefined.Reason),
            string or JinjaMarkup => PythonFloat.TryParse(PythonText.AsText(value)!) ?? fallback,
            _ => PythonNumbers.IsNumber(value) ? PythonNumbers.Float(value!) : fallback,
        };
    }

    private static object? Round(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("precision?", "method?");
        string method = arguments.Text(given[1], "method", "common");
        object number = Number(value, "round");
        if (method == "common")
            return given[0] is null
                ? PythonNumbers.Of(PythonNumbers.Whole(
                    PythonNumbers.Round(number is double real && double.IsFinite(real)
                ? PythonNumbers.Truncate(PythonNumbers.Round(number, 0, context.Budget))
                : PythonNumbers.Truncate(number), 0, context.Budget)))
                : PythonNumbers.Round(number, arguments.Integer(given[0], "precision", 0), context.Budget);
        if (method is not ("ceil" or "floor"))
            throw new JinjaError("the method of 'round' is common, ceil or floor");
        object power = PythonArithmetic.Apply("**", 10L, given[0] == Missing ? 0L : given[0], context.Budget);
        object scaled = PythonArithmetic.Apply("*", number, power, context.Budget);
        object whole = scaled is double product
            ? PythonNumbers.Truncate(method == "ceil" ? Math.Ceiling(product) : Math.Floor(product)) : scaled;
        return PythonArithmetic.Apply("/", whole, power, context.Budget);
    }

    private static string FileSize(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        bool binary = JinjaCallArguments.Flag(arguments.Bind("binary?")[0], false);
        double bytes = PythonText.AsText(value) is { } text ? PythonFloat.Parse(text)
            : PythonNumbers.Float(Number(value, "filesizeformat"));
        double unit = binary ? 1024 : 1000, size = unit;
        if (bytes == 1)
            return "1 Byte";
        if (bytes < unit)
            return PythonRepr.Str(PythonNumbers.Truncate(bytes), context.Budget) + " Bytes";
        int prefix = 0;
        for (size *= unit; prefix < 7 && bytes >= size; prefix++)
            size *= unit;
        string amount = PythonFormat.Apply(unit * bytes / size, ".1f", context.Budget);
        return $"{amount} {(binary ? "KMGTPEZY"[prefix] + "i" : "kMGTPEZY"[prefix].ToString())}B";
    }

    private static string ToJson(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("ensure_ascii?", "indent?", "separators?", "sort_keys?");
        string? indent = given[1] is null || given[1] == Missing ? null
            : PythonText.AsText(given[1]) ?? Spaces(arguments.Integer(given[1], "indent"));
        string comma = indent is null ? ", " : ",", colon = ": ";
        if (given[2] is not null && given[2] != Missing)
        {
            var separators = PythonOps.Elements(given[2], context.Budget).Take(3).ToList();
            if (separators.Count != 2)
                throw new JinjaError("the separators of tojson are two strings");
            (comma, colon) = (arguments.Text(separators[0], "separators"), arguments.Text(separators[1], "separators"));
        }
        var style = new PythonJson.Style(
            JinjaCallArguments.Flag(given[0], false), indent, comma, colon, JinjaCallArguments.Flag(given[3], false));
        return PythonJson.Write(value, style, context.Budget);

        string Spaces(long count)
        {
            context.Budget.Make(Math.Max(0, count));
            return new string(' ', (int)Math.Max(0, count));
        }
    }
}
