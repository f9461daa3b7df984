namespace Nano;

// A value is null (none), bool, long, BigInteger (beyond 64 bits), double, string, or an instance of one of these
// classes. Strings are sequences of code points to a template, as in Python. No value changes once it is made,
// except a namespace, a loop, an iterator, a cycler and a joiner.

/// <summary>A name or attribute that does not exist: false, empty, and an error where a value is needed.</summary>
/// <param name="reason">The reason why it does not exist, for that error.</param>
internal sealed class JinjaUndefined(string reason)
{
    public string Reason { get; } = reason;
}

/// <summary>Text that is HTML already (MarkupSafe's Markup): operations with other text escape that text.</summary>
internal sealed record JinjaMarkup(string Text);

/// <summary>A list or a tuple.</summary>
internal sealed class JinjaList(IReadOnlyList<object?> items, bool isTuple = false)
{
    private int? hash;
    private bool? hashable;

    public IReadOnlyList<object?> Items { get; } = items;

    public bool IsTuple { get; } = isTuple;

    /// <summary>The names of a tuple's elements, if they have names.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <summary>
    /// True if the value can be a key: a tuple without lists or mappings in it. Computed once.
    /// </summary>
    public bool IsHashable
    {
        get
        {
            JinjaBudget.EnsureStack();
            return hashable ??= IsTuple && Items.All(PythonEquality.IsHashable);
        }
    }

    /// <summary>The hash of a tuple's elements, computed once, so that shared parts cost nothing.</summary>
    public int Hash
    {
        get
        {
            if (hash is { } known)
                return known;
            JinjaBudget.EnsureStack();
            var code = new HashCode();
            foreach (object? item in Items)
                code.Add(PythonEquality.Hash(item));
            return (hash = code.ToHashCode()).Value;
        }
    }
}

/// <summary>A mapping in insertion order.</summary>
/// <param name="budget">Pays for comparing keys; null for a mapping of text keys from JSON.</param>
internal sealed class JinjaDict(JinjaBudget? budget = null)
{
    private static readonly object NoneKey = new();

    private readonly OrderedDictionary<object, (object? Key, object? Value)> entries = new(new PythonEquality(budget));

    public int Count => entries.Count;

    public IEnumerable<(object? Key, object? Value)> Items => entries.Values;

    /// <summary>Adds or replaces a value; a key that is there stays as it was written first.</summary>
    /// <exception cref="JinjaError">The key is a list or a mapping.</exception>
    public void Set(object? key, object? value)
    {
        object name = Paid(key);
        entries[name] = entries.TryGetValue(name, out var old) ? (old.Key, value) : (key, value);
    }

    /// <summary>The key as it is looked up, after the work of its hash is counted.</summary>
    private object Paid(object? key)
    {
        if (PythonText.AsText(key) is { } text)
            budget?.Read(text);
        return key ?? NoneKey;
    }

    /// <exception cref="JinjaError">The key is a list or a mapping.</exception>
    public bool TryGet(object? key, out object? value)
    {
        bool found = entries.TryGetValue(Paid(key), out var entry);
        value = entry.Value;
        return found;
    }
}

/// <summary>The part of a mapping that keys(), values() or items() shows.</summary>
internal sealed record JinjaView(string Name, JinjaDict Dict)
{
    public IEnumerable<object?> Items => Name switch
    {
        "keys" => Dict.Items.Select(item => item.Key),
        "values" => Dict.Items.Select(item => item.Value),
        _ => Dict.Items.Select(item => (object?)new JinjaList([item.Key, item.Value], isTuple: true)),
    };
}

/// <summary>The integers that range() counts.</summary>
internal sealed record JinjaRange(long Start, long Step, int Count)
{
    public object? this[int index] => Start + (index * Step);

    /// <summary>The end as Python prints it.</summary>
    public long Stop { get; init; }
}

/// <summary>Values that can be read once, one after the other: what most filters of sequences return.</summary>
internal sealed class JinjaIterator(IEnumerable<object?> values)
{
    private readonly IEnumerator<object?> source = values.GetEnumerator();
    private bool isReading;

    /// <summary>Reads the next value; false after the last.</summary>
    public bool TryNext(out object? value)
    {
        JinjaBudget.EnsureStack(); // one may read another, and that one the next
        if (isReading)
            throw new JinjaError("a sequence reads itself");
        isReading = true;
        try
        {
            bool more = source.MoveNext();
            value = more ? source.Current : null;
            return more;
        }
        finally
        {
            isReading = false;
        }
    }

    /// <summary>The values that are left.</summary>
    public IEnumerable<object?> Rest()
    {
        while (TryNext(out object? value))
            yield return value;
    }
}

/// <summary>An object whose attributes {% set space.name = value %} changes, also from within a loop.</summary>
internal sealed class JinjaNamespace(JinjaDict items)
{
    public JinjaDict Items { get; } = items;
}

/// <summary>Values that repeat in a cycle: the result of cycler().</summary>
internal sealed class JinjaCycler(IReadOnlyList<object?> items)
{
    private int position;

    public object? Current => items[position];

    public object? Next()
    {
        object? value = Current;
        position = (position + 1) % items.Count;
        return value;
    }

    public object? Reset()
    {
        position = 0;
        return null;
    }
}

/// <summary>A function, method or macro.</summary>
/// <param name="Name">Its name for errors.</param>
/// <param name="Invoke">Its work.</param>
/// <param name="Macro">The macro that it is, if it is one.</param>
internal sealed record JinjaFunction(string Name, Func<JinjaCallArguments, object?> Invoke, JinjaMacro? Macro = null);
