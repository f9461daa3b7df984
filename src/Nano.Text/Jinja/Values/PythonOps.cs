using System.Numerics;

namespace Nano;

/// <summary>Truth, length, iteration, membership and element access with Python's meaning.</summary>
internal static class PythonOps
{
    public static string KindOf(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        long or BigInteger => "an integer",
        double => "a number",
        string or JinjaMarkup => "a string",
        JinjaList { IsTuple: true } => "a tuple",
        JinjaList => "a list",
        JinjaDict => "a mapping",
        JinjaView view => $"the {view.Name} of a mapping",
        JinjaRange => "a range",
        JinjaIterator => "a sequence that can be read once",
        JinjaNamespace => "a namespace",
        JinjaLoop => "the loop",
        JinjaFunction function => $"the function {function.Name}",
        JinjaUndefined undefined => $"something undefined ({undefined.Reason})",
        _ => "an object",
    };

    public static bool IsTrue(object? value) => value switch
    {
        null or JinjaUndefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        JinjaMarkup markup => markup.Text.Length > 0,
        JinjaList list => list.Items.Count > 0,
        JinjaDict dict => dict.Count > 0,
        JinjaView view => view.Dict.Count > 0,
        JinjaRange range => range.Count > 0,
        _ => true,
    };

    /// <summary>The number of elements or characters.</summary>
    public static long Length(object? value, JinjaBudget budget) => value switch
    {
        string text => PythonText.Length(text, budget),
        JinjaMarkup markup => PythonText.Length(markup.Text, budget),
        JinjaList list => list.Items.Count,
        JinjaDict dict => dict.Count,
        JinjaView view => view.Dict.Count,
        JinjaRange range => range.Count,
        JinjaLoop loop => loop.Length,
        JinjaUndefined => 0,
        _ => throw new JinjaError($"{KindOf(value)} has no length"),
    };

    /// <summary>
    /// True if len() works, which the test "sequence" requires besides element access.
    /// </summary>
    public static bool HasLength(object? value) => value
        is string or JinjaMarkup or JinjaList or JinjaDict or JinjaView or JinjaRange or JinjaLoop or JinjaUndefined;

    public static bool IsIterable(object? value) => HasLength(value) || value is JinjaIterator;

    /// <summary>The elements of anything that a loop can walk over, each counted as it is read.</summary>
    /// <exception cref="JinjaError">At once, if the value has no elements.</exception>
    public static IEnumerable<object?> Elements(object? value, JinjaBudget budget)
    {
        return Counted(value switch
        {
            JinjaList list => list.Items,
            JinjaDict dict => dict.Items.Select(item => item.Key),
            string text => PythonText.Characters(text),
            JinjaMarkup markup => PythonText.Characters(markup.Text),
            JinjaView view => view.Items,
            JinjaRange range => Enumerable.Range(0, range.Count).Select(i => range[i]),
            JinjaIterator iterator => iterator.Rest(),
            JinjaLoop loop => loop.Turns(),
            JinjaUndefined => [],
            _ => throw new JinjaError($"cannot walk over {KindOf(value)}"),
        });

        IEnumerable<object?> Counted(IEnumerable<object?> elements)
        {
            foreach (object? element in elements)
            {
                budget.Step();
                yield return element;
            }
        }
    }

    public static List<object?> ToList(object? value, JinjaBudget budget) => [.. Elements(value, budget)];

    /// <summary>Counts the work of looking at every character of a text.</summary>
    public static void Read(object? value, JinjaBudget budget)
    {
        if (PythonText.AsText(value) is { } text)
            budget.Read(text);
    }

    public static bool Contains(object? container, object? item, JinjaBudget budget)
    {
        switch (container)
        {
            case string or JinjaMarkup:
                string text = PythonText.AsText(container)!;
                budget.Read(text);
                return text.Contains(PythonText.AsText(item)
                    ?? throw new JinjaError($"a string cannot contain {KindOf(item)}"),
                    StringComparison.Ordinal);
            case JinjaDict dict:
                Read(item, budget);
                return dict.TryGet(item, out _);
            case JinjaView { Name: "keys" } view:
                return view.Dict.TryGet(item, out _);
            default:
                return Elements(container, budget)
                    .Any(element => Same(element, item) || PythonEquality.AreEqual(element, item, budget));
        }

        // Python compares elements by identity first, so that a NaN is found in the list that holds it.
        static bool Same(object? a, object? b) => ReferenceEquals(a, b);
    }

    /// <summary>An element by position (negative from the end) or key.</summary>
    /// <returns>Whether there is one.</returns>
    public static bool TryElement(object? target, object? key, JinjaBudget budget, out object? element)
    {
        element = null;
        switch (target)
        {
            case JinjaUndefined undefined:
                throw new JinjaError(undefined.Reason);
            case JinjaDict dict:
                Read(key, budget);
                return PythonEquality.IsHashable(key) && dict.TryGet(key, out element);
            case JinjaList or JinjaRange or string or JinjaMarkup when key is long or bool:
                long position = key is long number ? number : (bool)key ? 1 : 0, count = Length(target, budget);
                if (position < 0)
                    position += count;
                if (position < 0 || position >= count)
                    return false;
                element = target switch
                {
                    JinjaList list => list.Items[(int)position],
                    JinjaRange range => range[(int)position],
                    JinjaMarkup markup => new JinjaMarkup(PythonText.Character(markup.Text, (int)position)),
                    _ => PythonText.Character((string)target!, (int)position),
                };
                return true;
            default:
                return false;
        }
    }

    /// <summary>target[start:stop:step].</summary>
    public static object Slice(object? target, object? start, object? stop, object? step, JinjaBudget budget)
    {
        if (target is JinjaUndefined undefined)
            throw new JinjaError(undefined.Reason);
        if (target is not (string or JinjaMarkup or JinjaList or JinjaRange))
            throw new JinjaError($"{KindOf(target)} cannot be sliced");
        int count = (int)Length(target, budget);
        var (from, to, by) = Bounds(count, start, stop, step);
        int taken = (int)Math.Max(0, by > 0 ? (to - from + by - 1) / by : (from - to - by - 1) / -by);
        if (target is JinjaRange range)
            return new JinjaRange(range.Start + (from * range.Step), by * range.Step, taken)
            {
                Stop = range.Start + (to * range.Step),
            };
        budget.Step(taken);
        if (target is JinjaList list)
            return new JinjaList([.. Enumerable.Range(0, taken).Select(i => list.Items[(int)(from + (i * by))])],
                list.IsTuple);
        string text = PythonText.Slice(PythonText.AsText(target)!, count, (int)from, by, taken);
        budget.Make(text.Length);
        return target is JinjaMarkup ? new JinjaMarkup(text) : text;
    }

    private static (long From, long To, long By) Bounds(int count, object? start, object? stop, object? step)
    {
        long by = Math.Clamp(Bound(step, 1), -count - 1L, count + 1L);
        if (by == 0)
            throw new JinjaError("the step of a slice cannot be 0");
        return (Clamp(start, count, by > 0 ? 0 : count - 1, by), Clamp(stop, count, by > 0 ? count : -1, by), by);
    }

    private static long Clamp(object? bound, int count, long missing, long by)
    {
        if (bound is null)
            return missing;
        long at = Bound(bound, 0);
        return Math.Clamp(at < 0 ? at + count : at, by > 0 ? 0 : -1, by > 0 ? count : count - 1);
    }

    private static long Bound(object? value, long missing) => value switch
    {
        null => missing,
        bool flag => flag ? 1 : 0,
        long number => Math.Clamp(number, int.MinValue, int.MaxValue),
        BigInteger big => big.Sign > 0 ? int.MaxValue : int.MinValue,
        _ => throw new JinjaError($"a slice needs integers, got {KindOf(value)}"),
    };
}
