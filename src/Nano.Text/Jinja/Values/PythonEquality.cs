using System.Numerics;

namespace Nano;

/// <summary>Equality, order and hashes with Python's meaning; as a comparer, the keys of mappings.</summary>
/// <param name="budget">Pays for comparisons; null if they are of text only.</param>
internal sealed class PythonEquality(JinjaBudget? budget) : IEqualityComparer<object>
{
    bool IEqualityComparer<object>.Equals(object? x, object? y) => ReferenceEquals(x, y) || AreEqual(x, y, budget);

    int IEqualityComparer<object>.GetHashCode(object obj) => Hash(obj);

    public static bool IsHashable(object? value) => value switch
    {
        JinjaList list => list.IsHashable,
        JinjaDict or JinjaView { Name: not "values" } => false,
        _ => true,
    };

    /// <exception cref="JinjaError">The value is, or holds, a list or a mapping.</exception>
    public static int Hash(object? value) => value switch
    {
        null => 0,
        bool flag => flag ? 1L.GetHashCode() : 0L.GetHashCode(),
        double number when double.IsInteger(number) => Math.Abs(number) < 9e18
            ? ((long)number).GetHashCode() : new BigInteger(number).GetHashCode(),
        string text => text.GetHashCode(StringComparison.Ordinal),
        JinjaMarkup markup => markup.Text.GetHashCode(StringComparison.Ordinal),
        JinjaList { IsTuple: true } tuple => tuple.Hash,
        JinjaUndefined => 1,
        JinjaList or JinjaDict or JinjaView { Name: not "values" } =>
            throw new JinjaError($"{PythonOps.KindOf(value)} cannot be a key"),
        _ => value.GetHashCode(),
    };

    /// <summary>Equality: 1, 1.0 and true are equal, lists and mappings by their elements.</summary>
    public static bool AreEqual(object? a, object? b, JinjaBudget? budget)
    {
        budget?.Step();
        if (PythonNumbers.IsNumber(a) && PythonNumbers.IsNumber(b))
            return PythonNumbers.Compare(a!, b!) == 0;
        if (PythonText.AsText(a) is { } s && PythonText.AsText(b) is { } t)
        {
            budget?.Read(s.Length < t.Length ? s : t);
            return string.Equals(s, t, StringComparison.Ordinal);
        }
        if (ReferenceEquals(a, b) && a is JinjaList or JinjaDict)
            return true;
        return (a, b) switch
        {
            (null, null) or (JinjaUndefined, JinjaUndefined) => true,
            (JinjaList x, JinjaList y) => AreEqual(x, y, budget),
            (JinjaDict x, JinjaDict y) => AreEqual(x, y, budget),
            (JinjaRange x, JinjaRange y) => x.Count == y.Count && (x.Count == 0 || x.Start == y.Start)
                && (x.Count < 2 || x.Step == y.Step),
            (JinjaView { Name: not "values" } x, JinjaView { Name: not "values" } y) => x.Dict.Count == y.Dict.Count
                && x.Items.All(item => PythonOps.Contains(y, item, budget ?? new JinjaBudget())),
            _ => ReferenceEquals(a, b),
        };
    }

    private static bool AreEqual(JinjaList a, JinjaList b, JinjaBudget? budget)
    {
        JinjaBudget.EnsureStack();
        if (a.IsTuple != b.IsTuple || a.Items.Count != b.Items.Count)
            return false;
        budget?.Step(a.Items.Count);
        for (int i = 0; i < a.Items.Count; i++)
            if (!ReferenceEquals(a.Items[i], b.Items[i]) && !AreEqual(a.Items[i], b.Items[i], budget))
                return false;
        return true;
    }

    private static bool AreEqual(JinjaDict a, JinjaDict b, JinjaBudget? budget)
    {
        JinjaBudget.EnsureStack();
        if (a.Count != b.Count)
            return false;
        budget?.Step(a.Count);
        return a.Items.All(item => b.TryGet(item.Key, out object? other)
            && (ReferenceEquals(item.Value, other) || AreEqual(item.Value, other, budget)));
    }

    /// <summary>
    /// Less than zero, zero or more than zero as a stands before, with or behind b; null beside a
    /// NaN.
    /// </summary>
    /// <exception cref="JinjaError">They have no order.</exception>
    public static int? Compare(object? a, object? b, JinjaBudget budget)
    {
        budget.Step();
        if (PythonNumbers.IsNumber(a) && PythonNumbers.IsNumber(b))
            return PythonNumbers.Compare(a!, b!);
        if (PythonText.AsText(a) is { } s && PythonText.AsText(b) is { } t)
        {
            budget.Read(s.Length < t.Length ? s : t);
            return PythonText.Compare(s, t);
        }
        if (a is JinjaList x && b is JinjaList y && x.IsTuple == y.IsTuple)
        {
            JinjaBudget.EnsureStack();
            budget.Step(Math.Min(x.Items.Count, y.Items.Count));
            for (int i = 0; i < Math.Min(x.Items.Count, y.Items.Count); i++)
                if (!ReferenceEquals(x.Items[i], y.Items[i]) && !AreEqual(x.Items[i], y.Items[i], budget))
                    return Compare(x.Items[i], y.Items[i], budget);
            return x.Items.Count.CompareTo(y.Items.Count);
        }
        throw new JinjaError((a as JinjaUndefined ?? b as JinjaUndefined)?.Reason
            ?? $"{PythonOps.KindOf(a)} and {PythonOps.KindOf(b)} have no order");
    }
}
