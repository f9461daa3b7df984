namespace Nano;

/// <summary>
/// The variable "loop" of a loop, which reads its items one by one and looks ahead only when asked
/// to.
/// </summary>
/// <param name="items">The items.</param>
/// <param name="length">Number of items, if it is known without reading them.</param>
/// <param name="depth">Number of recursive loops around it.</param>
/// <param name="recurse">Runs the loop for other items, one level deeper; null if it is not recursive.</param>
/// <param name="budget">Pays for comparisons.</param>
internal sealed class JinjaLoop(
    IEnumerable<object?> items, long? length, int depth, Func<object?, int, object?>? recurse, JinjaBudget budget)
{
    private static readonly object Missing = JinjaCallArguments.Missing;

    private IEnumerator<object?> source = items.GetEnumerator();
    private object? before = Missing, current = Missing, after = Missing, changing = Missing;

    public int Index0 { get; private set; } = -1;

    /// <summary>The number of items. Where it is not known, all of them are read.</summary>
    public long Length
    {
        get
        {
            if (length is { } known)
                return known;
            var rest = new List<object?>();
            while (source.MoveNext())
                rest.Add(source.Current);
            source = rest.GetEnumerator();
            return (length = rest.Count + Index0 + 1 + (after != Missing ? 1 : 0)).Value;
        }
    }

    /// <summary>Moves to the next item; false after the last.</summary>
    public bool TryNext(out object? item)
    {
        item = after != Missing ? after : Read();
        after = Missing;
        if (item == Missing)
            return false;
        Index0++;
        (before, current) = (current, item);
        return true;
    }

    /// <summary>The items that are left, each with the loop itself, as iterating over the loop gives them.</summary>
    public IEnumerable<object?> Turns()
    {
        while (TryNext(out object? item))
            yield return new JinjaList([item, this], isTuple: true);
    }

    /// <summary>Runs a recursive loop for other items.</summary>
    public object? Call(JinjaCallArguments arguments) => recurse is null
        ? throw new JinjaError("only a loop marked 'recursive' can be called")
        : recurse(arguments.Bind("iterable")[0], depth + 1);

    public bool TryGet(string name, out object? value)
    {
        value = name switch
        {
            "index" => Index0 + 1L,
            "index0" => (long)Index0,
            "revindex" => Length - Index0,
            "revindex0" => Length - Index0 - 1,
            "first" => Index0 == 0,
            "last" => Peek() == Missing,
            "length" => Length,
            "depth" => depth + 1L,
            "depth0" => (long)depth,
            "previtem" => Index0 > 0 ? before : new JinjaUndefined("the first turn of a loop has no previous item"),
            "nextitem" => Peek() != Missing ? after : new JinjaUndefined("the last turn of a loop has no next item"),
            "cycle" => new JinjaFunction("cycle", arguments => arguments.Positional.Count == 0
                ? throw new JinjaError("cycle() needs values")
                : arguments.Positional[Index0 % arguments.Positional.Count]),
            "changed" => new JinjaFunction("changed", arguments => HasChanged(arguments)),
            _ => Missing,
        };
        return value != Missing;
    }

    private object? Read() => source.MoveNext() ? source.Current : Missing;

    private object? Peek()
    {
        if (after == Missing)
            after = Read();
        return after;
    }

    private bool HasChanged(JinjaCallArguments arguments)
    {
        var values = new JinjaList(arguments.Positional, isTuple: true);
        bool changed = changing == Missing || !PythonEquality.AreEqual(changing, values, budget);
        changing = values;
        return changed;
    }
}
