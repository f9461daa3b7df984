using System.Collections.Frozen;

namespace Nano;

/// <summary>What can follow "is".</summary>
internal static class JinjaTests
{
    public static FrozenSet<string> Names { get; } = new[]
    {
        "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "iterable", "sequence", "callable",
        "eq", "equalto", "ne", "lt", "lessthan", "le", "gt", "greaterthan", "ge", "in", "even", "odd", "divisibleby", "sameas",
    }.ToFrozenSet(StringComparer.Ordinal);

    public static bool Holds(string name, object? value, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var parameters = name is "eq" or "equalto" or "ne" or "lt" or "lessthan" or "le" or "gt" or "greaterthan" or "ge" or "in" or "divisibleby" or "sameas" ? new[] { "other" } : [];
        var given = arguments.Bind(parameters);
        if (given.Contains(JinjaCallArguments.Missing))
            throw new JinjaError($"{arguments.Callee} needs a value to compare with");
        object? other = given.Length > 0 ? given[0] : null;
        return name switch
        {
            "defined" => value is not JinjaUndefined,
            "undefined" => value is JinjaUndefined,
            "none" => value is null,
            "string" => value is string,
            "number" => value is long or double or bool,
            "integer" => value is long,
            "float" => value is double,
            "boolean" => value is bool,
            "true" => value is true,
            "false" => value is false,
            "mapping" => value is JinjaDict,
            "iterable" or "sequence" => value is string or JinjaList or JinjaDict or JinjaUndefined,
            "callable" => value is JinjaFunction,
            "eq" or "equalto" => JinjaOps.AreEqual(value, other, budget),
            "ne" => !JinjaOps.AreEqual(value, other, budget),
            "lt" or "lessthan" => JinjaOps.Compare(value, other) < 0,
            "le" => JinjaOps.Compare(value, other) <= 0,
            "gt" or "greaterthan" => JinjaOps.Compare(value, other) > 0,
            "ge" => JinjaOps.Compare(value, other) >= 0,
            "in" => JinjaOps.Contains(other, value, budget),
            "even" => JinjaOps.Arithmetic("%", value, 2L, budget) is 0L or 0.0,
            "odd" => JinjaOps.Arithmetic("%", value, 2L, budget) is 1L or 1.0,
            "divisibleby" => JinjaOps.Arithmetic("%", value, other, budget) is 0L or 0.0,
            "sameas" => other is null or bool ? Equals(value, other) : throw new JinjaError("the test 'sameas' is supported for true, false and none only"),
            _ => throw new JinjaError($"{arguments.Callee} is not supported"),
        };
    }
}
