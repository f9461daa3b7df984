using System.Text;

namespace Nano;

/// <summary>The operators between two values of any kind.</summary>
internal static class PythonArithmetic
{
    /// <summary>a OP b, where the operator is one of + - * / // % and **.</summary>
    /// <exception cref="JinjaError">The operator has no meaning for these values, or the result is
    /// too large.</exception>
    public static object Apply(string op, object? a, object? b, JinjaBudget budget)
    {
        if (PythonNumbers.IsNumber(a) && PythonNumbers.IsNumber(b))
            return PythonNumbers.Arithmetic(op, a!, b!, budget);
        return (op, a, b) switch
        {
            ("%", string or JinjaMarkup, _) => PythonPercent.Apply(a, b, budget),
            ("+", string or JinjaMarkup, string or JinjaMarkup) => Join(a, b, budget),
            ("+", JinjaList s, JinjaList t) when s.IsTuple == t.IsTuple => Append(s, t, budget),
            ("*", string or JinjaMarkup or JinjaList, _) when PythonNumbers.IsInteger(b) => Repeat(a, b!, budget),
            ("*", _, string or JinjaMarkup or JinjaList) when PythonNumbers.IsInteger(a) => Repeat(b, a!, budget),
            _ => throw new JinjaError((a as JinjaUndefined ?? b as JinjaUndefined)?.Reason
                ?? $"'{op}' cannot combine {PythonOps.KindOf(a)} and {PythonOps.KindOf(b)}"),
        };
    }

    /// <summary>The truth of a comparison: == != &lt; &lt;= &gt; &gt;= in or "not in".</summary>
    public static bool Holds(string op, object? a, object? b, JinjaBudget budget) => op switch
    {
        "==" => PythonEquality.AreEqual(a, b, budget),
        "!=" => !PythonEquality.AreEqual(a, b, budget),
        "in" => PythonOps.Contains(b, a, budget),
        "not in" => !PythonOps.Contains(b, a, budget),
        "<" => PythonEquality.Compare(a, b, budget) < 0,
        "<=" => PythonEquality.Compare(a, b, budget) <= 0,
        ">" => PythonEquality.Compare(a, b, budget) > 0,
        _ => PythonEquality.Compare(a, b, budget) >= 0,
    };

    private static object Join(object a, object b, JinjaBudget budget)
    {
        bool markup = a is JinjaMarkup || b is JinjaMarkup;
        string left = markup ? PythonText.Escaped(a, budget) : (string)a,
            right = markup ? PythonText.Escaped(b, budget) : (string)b;
        budget.Make((long)left.Length + right.Length);
        return PythonText.Like(a is JinjaMarkup ? a : b, left + right);
    }

    private static JinjaList Append(JinjaList a, JinjaList b, JinjaBudget budget)
    {
        budget.Step((long)a.Items.Count + b.Items.Count);
        return new JinjaList([.. a.Items, .. b.Items], a.IsTuple);
    }

    private static object Repeat(object? value, object times, JinjaBudget budget)
    {
        // More than the budget allows is as good as endless.
        long count = (long)System.Numerics.BigInteger
            .Clamp(PythonNumbers.Whole(times), 0, JinjaBudget.MaxCharacters + 1);
        if (value is JinjaList list)
        {
            if (list.Items.Count == 0)
                return list;
            budget.Step(count * list.Items.Count);
            return new JinjaList([.. Enumerable.Repeat(list.Items, (int)count).SelectMany(items => items)],
                list.IsTuple);
        }
        string text = PythonText.AsText(value)!;
        if (text.Length == 0)
            return value!;
        budget.Make(count * text.Length);
        return PythonText.Like(value, new StringBuilder(text.Length * (int)count).Insert(0, text, (int)count)
            .ToString());
    }
}
