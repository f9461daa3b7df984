namespace Nano;

// A value is null (none), bool, long, double, string, or one of these. Strings are sequences of code points to a template, as in Python.

/// <summary>What a name or attribute that does not exist is worth: false, empty, and an error where a value is needed.</summary>
/// <param name="Reason">Why it does not exist, for that error.</param>
internal sealed record JinjaUndefined(string Reason);

/// <summary>A list or a tuple.</summary>
internal sealed record JinjaList(IReadOnlyList<object?> Items, bool IsTuple = false);

/// <summary>A mapping whose keys are strings, in insertion order.</summary>
internal sealed record JinjaDict(OrderedDictionary<string, object?> Items)
{
    public JinjaDict()
        : this(new OrderedDictionary<string, object?>(StringComparer.Ordinal))
    {
    }
}

/// <summary>What namespace() makes: a mapping whose entries {% set space.name = value %} changes, also from within a loop.</summary>
internal sealed record JinjaNamespace(Dictionary<string, object?> Items);

/// <summary>The variable "loop" in a loop.</summary>
internal sealed record JinjaLoop(IReadOnlyList<object?> Items, int Index0);

/// <summary>A function, method or macro.</summary>
internal sealed record JinjaFunction(string Name, Func<JinjaCallArguments, object?> Invoke);

/// <summary>What goes wrong while rendering; the renderer adds where.</summary>
internal sealed class JinjaError(string problem) : Exception(problem);

/// <summary>The values a function, method, filter or test is called with.</summary>
/// <param name="Callee">What is called, for errors.</param>
/// <param name="Positional">In order.</param>
/// <param name="Named">By name, in order.</param>
internal sealed record JinjaCallArguments(string Callee, IReadOnlyList<object?> Positional, IReadOnlyList<(string Name, object? Value)> Named)
{
    /// <summary>Stands for an argument that was not given.</summary>
    public static readonly object Missing = new();

    /// <summary>The arguments in the order of these parameters; <see cref="Missing"/> where one is not given.</summary>
    /// <exception cref="JinjaError">Too many, one that has no parameter, or one given twice.</exception>
    public object?[] Bind(params ReadOnlySpan<string> parameters)
    {
        if (Positional.Count > parameters.Length)
            throw new JinjaError($"{Callee} takes at most {parameters.Length} arguments here, got {Positional.Count}");
        var values = new object?[parameters.Length];
        Array.Fill(values, Missing);
        for (int i = 0; i < Positional.Count; i++)
            values[i] = Positional[i];
        foreach (var (name, value) in Named)
        {
            int at = parameters.IndexOf(name);
            if (at < 0)
                throw new JinjaError($"{Callee} has no parameter {Quoted.Of(name)} here");
            if (values[at] != Missing)
                throw new JinjaError($"{Callee} gets the argument '{name}' twice");
            values[at] = value;
        }
        return values;
    }

    public string String(object? value, string what, string? fallback = null) =>
        value as string ?? (value == Missing && fallback is not null ? fallback : throw Wrong(value, what, "a string"));

    public long Integer(object? value, string what, long? fallback = null) =>
        value is long number ? number : value == Missing && fallback is { } otherwise ? otherwise : throw Wrong(value, what, "a whole number");

    public static bool Flag(object? value, bool fallback) => value == Missing ? fallback : JinjaOps.IsTrue(value);

    private JinjaError Wrong(object? value, string what, string expected) =>
        new($"{Callee} needs {expected} as '{what}', got {(value == Missing ? "nothing" : JinjaOps.KindOf(value))}");
}

/// <summary>What a hostile template may use: work, characters made, and their bounds.</summary>
internal sealed class JinjaBudget
{
    public const int MaxSteps = 5_000_000, MaxRange = 100_000, MaxMacroDepth = 50;
    public const long MaxCharacters = 16 << 20;

    private long steps, characters;

    /// <summary>Counts work: an evaluated node, an element touched.</summary>
    public void Step(long count = 1)
    {
        if ((steps += count) > MaxSteps)
            throw new JinjaError($"rendering takes more than {MaxSteps:N0} steps");
    }

    /// <summary>Counts characters that are about to be made.</summary>
    public void Make(long count)
    {
        if (count > MaxCharacters || (characters += count) > MaxCharacters)
            throw new JinjaError($"rendering makes more than {MaxCharacters:N0} characters of text");
    }
}
