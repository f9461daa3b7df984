using System.Runtime.CompilerServices;
using System.Text;

namespace Nano;

/// <summary>Truth, equality, order, arithmetic and element access with Python's meaning.</summary>
internal static class JinjaOps
{
    public static string KindOf(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        long => "a whole number",
        double => "a number",
        string => "a string",
        JinjaList { IsTuple: true } => "a tuple",
        JinjaList => "a list",
        JinjaDict => "a mapping",
        JinjaNamespace => "a namespace",
        JinjaLoop => "the loop",
        JinjaFunction function => $"the function {function.Name}",
        JinjaUndefined undefined => $"something undefined ({undefined.Reason})",
        _ => "something else",
    };

    public static bool IsTrue(object? value) => value switch
    {
        null or JinjaUndefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        JinjaList list => list.Items.Count > 0,
        JinjaDict dict => dict.Items.Count > 0,
        _ => true,
    };

    /// <summary>Equality as Python has it: 1, 1.0 and true are equal, lists and mappings by their elements.</summary>
    public static bool AreEqual(object? a, object? b, JinjaBudget budget)
    {
        budget.Step();
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new JinjaError("the values to compare are nested too deeply");
        if (AsNumber(a) is { } x && AsNumber(b) is { } y)
            return a is double || b is double ? x.Float == y.Float : x.Whole == y.Whole;
        return (a, b) switch
        {
            (null, null) or (JinjaUndefined, JinjaUndefined) => true,
            (string s, string t) => string.Equals(s, t, StringComparison.Ordinal),
            (JinjaList s, JinjaList t) => s.IsTuple == t.IsTuple && s.Items.Count == t.Items.Count && s.Items.Zip(t.Items).All(pair => AreEqual(pair.First, pair.Second, budget)),
            (JinjaDict s, JinjaDict t) => s.Items.Count == t.Items.Count && s.Items.All(item => t.Items.TryGetValue(item.Key, out var other) && AreEqual(item.Value, other, budget)),
            _ => ReferenceEquals(a, b),
        };
    }

    /// <summary>Less than zero, zero or more than zero as a stands before, with or behind b.</summary>
    public static int Compare(object? a, object? b)
    {
        if (AsNumber(a) is { } x && AsNumber(b) is { } y)
            return a is double || b is double ? x.Float.CompareTo(y.Float) : x.Whole.CompareTo(y.Whole);
        if (a is string s && b is string t)
            return s.EnumerateRunes().Zip(t.EnumerateRunes(), (left, right) => left.CompareTo(right)).FirstOrDefault(order => order != 0, s.Length - t.Length);
        throw new JinjaError($"{KindOf(a)} and {KindOf(b)} have no order");
    }

    public static bool Contains(object? container, object? item, JinjaBudget budget) => container switch
    {
        string text => text.Contains(item as string ?? throw new JinjaError($"a string cannot contain {KindOf(item)}"), StringComparison.Ordinal),
        JinjaDict dict => item is string key && dict.Items.ContainsKey(key),
        JinjaList list => list.Items.Any(element => AreEqual(element, item, budget)),
        JinjaUndefined => false,
        _ => throw new JinjaError($"'in' needs a string, list or mapping, got {KindOf(container)}"),
    };

    /// <summary>The elements of what a loop or filter walks over.</summary>
    public static IReadOnlyList<object?> Elements(object? value, JinjaBudget budget)
    {
        IReadOnlyList<object?> elements = value switch
        {
            JinjaList list => list.Items,
            JinjaDict dict => [.. dict.Items.Keys],
            string text => [.. Characters(text)],
            JinjaUndefined => [],
            _ => throw new JinjaError($"cannot walk over {KindOf(value)}"),
        };
        budget.Step(elements.Count);
        return elements;
    }

    public static long Length(object? value) => value switch
    {
        string text => text.EnumerateRunes().Count(),
        JinjaList list => list.Items.Count,
        JinjaDict dict => dict.Items.Count,
        JinjaUndefined => 0,
        _ => throw new JinjaError($"{KindOf(value)} has no length"),
    };

    public static object Arithmetic(string op, object? a, object? b, JinjaBudget budget)
    {
        if (op == "~")
            return Join(PythonText.Of(a), PythonText.Of(b), budget);
        if (AsNumber(a) is { } x && AsNumber(b) is { } y)
            return Number(op, a is double || b is double, x, y);
        return (op, a, b) switch
        {
            ("+", string s, string t) => Join(s, t, budget),
            ("+", JinjaList s, JinjaList t) when s.IsTuple == t.IsTuple => Append(s, t, budget),
            ("*", string s, long count) => Repeat(s, count, budget),
            ("*", long count, string s) => Repeat(s, count, budget),
            _ => throw new JinjaError($"'{op}' cannot combine {KindOf(a)} and {KindOf(b)}"),
        };
    }

    /// <summary>An element by position (negative from the end) or key; undefined if there is none.</summary>
    public static object? Element(object? target, object? key) => (target, key) switch
    {
        (JinjaUndefined undefined, _) => throw new JinjaError(undefined.Reason),
        (JinjaDict dict, string name) => dict.Items.TryGetValue(name, out var value) ? value : new JinjaUndefined($"the mapping has no key {Quoted.Of(name)}"),
        (JinjaList list, long at) => Position(at, list.Items.Count) is { } index ? list.Items[index] : new JinjaUndefined($"the list has no element {at}"),
        (string text, long at) => Characters(text) is var all && Position(at, all.Count) is { } index ? all[index] : new JinjaUndefined($"the string has no character {at}"),
        _ => new JinjaUndefined($"{KindOf(target)} has no element {(key is string name ? Quoted.Of(name) : KindOf(key))}"),
    };

    /// <summary>target[start:stop:step].</summary>
    public static object Slice(object? target, object? start, object? stop, object? step, JinjaBudget budget)
    {
        if (target is JinjaUndefined undefined)
            throw new JinjaError(undefined.Reason);
        var all = target switch { string text => Characters(text), JinjaList list => list.Items, _ => throw new JinjaError($"{KindOf(target)} cannot be sliced") };
        long by = Bound(step, 1), count = all.Count;
        if (by == 0)
            throw new JinjaError("the step of a slice cannot be 0");
        long low = by > 0 ? 0 : -1, high = by > 0 ? count : count - 1;
        long from = Clamp(start, by > 0 ? low : high), to = Clamp(stop, by > 0 ? high : low);
        var taken = new List<object?>();
        for (long at = from; by > 0 ? at < to : at > to; at += Math.Clamp(by, -count - 1, count + 1))
            taken.Add(all[(int)at]);
        budget.Step(taken.Count);
        return target is JinjaList { IsTuple: var isTuple } ? new JinjaList(taken, isTuple) : string.Concat(taken);

        long Clamp(object? bound, long missing)
        {
            if (bound is null)
                return missing;
            long at = Bound(bound, 0);
            return Math.Clamp(at < 0 ? at + count : at, low, high);
        }
    }

    private static long Bound(object? value, long missing) => value switch
    {
        null => missing,
        long number => Math.Clamp(number, int.MinValue, int.MaxValue),
        _ => throw new JinjaError($"a slice needs whole numbers, got {KindOf(value)}"),
    };

    /// <summary>A string's code points as strings.</summary>
    private static List<object?> Characters(string text) => [.. text.EnumerateRunes().Select(rune => rune.ToString())];

    private static int? Position(long at, int count) => (at < 0 ? at + count : at) is >= 0 and var index && index < count ? (int)index : null;

    private static (long Whole, double Float)? AsNumber(object? value) => value switch
    {
        long number => (number, number),
        bool flag => flag ? (1, 1) : (0, 0),
        double number => (0, number),
        _ => null,
    };

    private static object Number(string op, bool isFloat, (long Whole, double Float) a, (long Whole, double Float) b)
    {
        if (op is "/" or "//" or "%" && b.Float == 0)
            throw new JinjaError("division by zero");
        try
        {
            if (op == "/" || isFloat)
                return op switch
                {
                    "+" => a.Float + b.Float,
                    "-" => a.Float - b.Float,
                    "*" => a.Float * b.Float,
                    "/" => a.Float / b.Float,
                    "//" => Math.Floor(a.Float / b.Float),
                    _ => a.Float - (b.Float * Math.Floor(a.Float / b.Float)),
                };
            return op switch
            {
                "+" => checked(a.Whole + b.Whole),
                "-" => checked(a.Whole - b.Whole),
                "*" => checked(a.Whole * b.Whole),
                "//" => FloorDivide(a.Whole, b.Whole),
                _ => checked(a.Whole - (b.Whole * FloorDivide(a.Whole, b.Whole))),
            };
        }
        catch (OverflowException)
        {
            throw new JinjaError($"the result of '{op}' is larger than 64 bits hold");
        }
    }

    private static long FloorDivide(long a, long b)
    {
        long quotient = checked(a / b);
        return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    }

    private static string Join(string a, string b, JinjaBudget budget)
    {
        budget.Make((long)a.Length + b.Length);
        return a + b;
    }

    private static JinjaList Append(JinjaList a, JinjaList b, JinjaBudget budget)
    {
        budget.Step((long)a.Items.Count + b.Items.Count);
        return new JinjaList([.. a.Items, .. b.Items], a.IsTuple);
    }

    private static string Repeat(string text, long count, JinjaBudget budget)
    {
        if (count <= 0 || text.Length == 0)
            return "";
        budget.Make(Math.Min(count, JinjaBudget.MaxCharacters + 1) * text.Length);
        return new StringBuilder(text.Length * (int)count).Insert(0, text, (int)count).ToString();
    }
}
