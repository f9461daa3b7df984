namespace Nano;

/// <summary>
/// The variables of the template, of an iteration of a loop or of a macro call, and those around
/// them.
/// </summary>
internal sealed class JinjaScope(JinjaScope? around)
{
    private readonly Dictionary<string, object?> variables = new(StringComparer.Ordinal);

    public void Set(string name, object? value) => variables[name] = value;

    public object? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Around)
            if (scope.variables.TryGetValue(name, out var value))
                return value;
        return new JinjaUndefined($"{Quoted.Of(name)} is undefined");
    }

    private JinjaScope? Around { get; } = around;
}
