using System.Numerics;

namespace Nano;

/// <summary>The values that a function, method, filter or test is called with.</summary>
/// <param name="Callee">The name of what is called, for errors.</param>
/// <param name="Positional">The values without names, in order.</param>
/// <param name="Named">The values with names, in order.</param>
internal sealed record JinjaCallArguments(
    string Callee, IReadOnlyList<object?> Positional, IReadOnlyList<(string Name, object? Value)> Named)
{
    /// <summary>Stands for an argument that was not given.</summary>
    public static readonly object Missing = new();

    /// <summary>The arguments in the order of these parameters, "name" or, where it can be left out, "name?".</summary>
    /// <returns><see cref="Missing"/> in the place of each that is not given.</returns>
    /// <exception cref="JinjaError">Too many, too few, one that has no parameter, or one given twice.</exception>
    public object?[] Bind(params ReadOnlySpan<string> parameters)
    {
        if (Positional.Count > parameters.Length)
            throw new JinjaError($"{Callee} takes at most {parameters.Length} arguments, got {Positional.Count}");
        var values = new object?[parameters.Length];
        Array.Fill(values, Missing);
        for (int i = 0; i < Positional.Count; i++)
            values[i] = Positional[i];
        foreach (var (name, value) in Named)
        {
            int at = parameters.Length - 1;
            while (at >= 0 && !parameters[at].AsSpan().TrimEnd('?').SequenceEqual(name))
                at--;
            if (at < 0)
                throw new JinjaError($"{Callee} has no parameter {Quoted.Of(name)}");
            if (values[at] != Missing)
                throw new JinjaError($"{Callee} gets the argument '{name}' twice");
            values[at] = value;
        }
        for (int i = 0; i < values.Length; i++)
            if (values[i] == Missing && !parameters[i].EndsWith('?'))
                throw new JinjaError($"{Callee} needs the argument '{parameters[i]}'");
        return values;
    }

    /// <summary>As <see cref="Bind"/>, for parameters that have no names to call them by.</summary>
    public object?[] BindUnnamed(params ReadOnlySpan<string> parameters) =>
        Named.Count == 0 ? Bind(parameters) : throw new JinjaError($"{Callee} takes no arguments by name");

    /// <summary>Any number of values without names.</summary>
    public IReadOnlyList<object?> BindUnnamedRest() =>
        Named.Count == 0 ? Positional : throw new JinjaError($"{Callee} takes no arguments by name");

    /// <summary>A text.</summary>
    public string Text(object? value, string what, string? fallback = null) => PythonText.AsText(value)
        ?? (value == Missing && fallback is not null ? fallback : throw Wrong(value, what, "a string"));

    /// <summary>An integer; one beyond 64 bits is the nearest that 64 bits hold.</summary>
    public long Integer(object? value, string what, long? fallback = null) => value switch
    {
        long number => number,
        bool flag => flag ? 1 : 0,
        BigInteger big => big.Sign > 0 ? long.MaxValue : long.MinValue,
        _ when value == Missing && fallback is { } otherwise => otherwise,
        _ => throw Wrong(value, what, "an integer"),
    };

    public static bool Flag(object? value, bool fallback) => value == Missing ? fallback : PythonOps.IsTrue(value);

    private JinjaError Wrong(object? value, string what, string expected) =>
        new($"{Callee} needs {expected} as '{what}', got {(value == Missing ? "nothing" : PythonOps.KindOf(value))}");
}
