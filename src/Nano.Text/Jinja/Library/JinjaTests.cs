using System.Collections.Frozen;

namespace Nano;

/// <summary>The names that can follow "is".</summary>
internal static class JinjaTests
{
    public static FrozenSet<string> Names { get; } = new[]
    {
        "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping",
        "iterable", "sequence", "callable", "escaped", "lower", "upper", "even", "odd", "filter", "test",
        "eq", "equalto", "==", "ne", "!=", "lt", "lessthan", "<", "le", "<=", "gt", "greaterthan", ">", "ge", ">=",
        "in", "divisibleby", "sameas",
    }.ToFrozenSet(StringComparer.Ordinal);

    public static bool Holds(string name, object? value, JinjaCallArguments arguments, JinjaBudget budget)
    {
        string? op = name switch
        {
            "eq" or "equalto" or "==" => "==",
            "ne" or "!=" => "!=",
            "lt" or "lessthan" or "<" => "<",
            "le" or "<=" => "<=",
            "gt" or "greaterthan" or ">" => ">",
            "ge" or ">=" => ">=",
            "in" => "in",
            _ => null,
        };
        if (op is not null)
            return PythonArithmetic.Holds(op, value, arguments.Bind("other")[0], budget);
        if (name == "divisibleby")
            return IsRest(value, arguments.Bind("num")[0], 0, budget);
        if (name == "sameas")
            return AreSame(value, arguments.Bind("other")[0]);
        arguments.Bind();
        return name switch
        {
            "defined" => value is not JinjaUndefined,
            "undefined" => value is JinjaUndefined,
            "none" => value is null,
            "string" => value is string or JinjaMarkup,
            "number" => PythonNumbers.IsNumber(value),
            "integer" => PythonNumbers.IsInteger(value) && value is not bool,
            "float" => value is double,
            "boolean" => value is bool,
            "true" => value is true,
            "false" => value is false,
            "mapping" => value is JinjaDict,
            "iterable" => PythonOps.IsIterable(value),
            "sequence" => value is string or JinjaMarkup or JinjaList or JinjaDict or JinjaRange or JinjaUndefined,
            "callable" => value is JinjaFunction or JinjaLoop or JinjaUndefined,
            "escaped" => value is JinjaMarkup,
            "lower" => Has(value, "islower", budget),
            "upper" => Has(value, "isupper", budget),
            "even" => IsRest(value, 2L, 0, budget),
            "odd" => IsRest(value, 2L, 1, budget),
            "filter" => IsName(value, JinjaFilters.Names),
            "test" => IsName(value, Names),
            _ => throw new JinjaError($"there is no test {Quoted.Of(name)}"),
        };
    }

    /// <summary>True if value % divisor equals the given remainder.</summary>
    private static bool IsRest(object? value, object? divisor, long rest, JinjaBudget budget) =>
        PythonEquality.AreEqual(PythonArithmetic.Apply("%", value, divisor, budget), rest, budget);

    private static bool IsName(object? value, FrozenSet<string> names) => PythonEquality.IsHashable(value)
        ? PythonText.AsText(value) is { } text && names.Contains(text)
        : throw new JinjaError($"expected a name, got {PythonOps.KindOf(value)}");

    private static bool Has(object? value, string method, JinjaBudget budget) =>
        PythonStrings.Find(PythonRepr.Str(value, budget), method, budget)!(new JinjaCallArguments(method, [],
            [])) is true;

    /// <summary>Identity: the same object; small integers and equal literals are one object in Python.</summary>
    private static bool AreSame(object? a, object? b) => (a, b) switch
    {
        (bool x, bool y) => x == y,
        (long x, long y) => x == y && x is >= -5 and <= 256,
        _ => ReferenceEquals(a, b),
    };
}
