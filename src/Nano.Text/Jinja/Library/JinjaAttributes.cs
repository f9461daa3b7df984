namespace Nano;

/// <summary>Attributes and elements of values, as the sandbox of Jinja gives them to templates.</summary>
internal static class JinjaAttributes
{
    /// <summary>target.name: an attribute or method first, then an element of that name.</summary>
    public static object? Get(object? target, string name, JinjaBudget budget)
    {
        if (target is JinjaUndefined undefined)
            throw new JinjaError(undefined.Reason);
        if (Own(target, name, budget, out object? value) || PythonOps.TryElement(target, name, budget, out value))
            return value;
        return Missing(target, name);
    }

    /// <summary>target[key]: an element first, then an attribute or method of that name.</summary>
    public static object? Item(object? target, object? key, JinjaBudget budget)
    {
        if (PythonOps.TryElement(target, key, budget, out object? value))
            return value;
        return PythonText.AsText(key) is { } name && Own(target, name, budget, out value) ? value
            : Missing(target, key);
    }

    /// <summary>The filter "attr": an attribute, and no element.</summary>
    public static object? OnlyAttribute(object? target, string name, JinjaBudget budget)
    {
        if (target is JinjaUndefined undefined)
            throw new JinjaError(undefined.Reason);
        return Own(target, name, budget, out object? value) ? value : Missing(target, name);
    }

    /// <summary>An attribute of the value itself. One that begins with an underscore is hidden.</summary>
    private static bool Own(object? target, string name, JinjaBudget budget, out object? value)
    {
        value = null;
        if (name.StartsWith('_'))
            return false;
        return target switch
        {
            JinjaLoop loop => loop.TryGet(name, out value),
            JinjaNamespace space => space.Items.TryGet(name, out value),
            _ => PythonMethods.TryFind(target, name, budget, out value),
        };
    }

    private static JinjaUndefined Missing(object? target, object? key) =>
        new($"{PythonOps.KindOf(target)} has no element "
        + $"{(PythonText.AsText(key) is { } name ? Quoted.Of(name) : PythonOps.KindOf(key))}");
}
