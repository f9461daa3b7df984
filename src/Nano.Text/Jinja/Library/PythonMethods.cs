using System.Numerics;

namespace Nano;

/// <summary>
/// The methods and attributes of lists, mappings, numbers and ranges that the sandbox allows: those
/// that change nothing.
/// </summary>
internal static class PythonMethods
{
    private static readonly object Missing = JinjaCallArguments.Missing;

    /// <summary>An attribute of a value, or a method bound to it.</summary>
    /// <returns>Whether there is one.</returns>
    public static bool TryFind(object? target, string name, JinjaBudget budget, out object? value)
    {
        value = null;
        Func<JinjaCallArguments, object?>? method = target switch
        {
            string or JinjaMarkup => PythonStrings.Find(target, name, budget),
            JinjaDict dict => OfDict(dict, name, budget),
            JinjaList list => OfList(list, name, budget),
            JinjaRange when name is "count" or "index" =>
                OfList(new JinjaList(PythonOps.ToList(target, budget)), name, budget),
            JinjaView view when name == "isdisjoint" && view.Name != "values" => arguments =>
                !PythonOps.Elements(arguments.BindUnnamed("other")[0], budget)
                    .Any(item => PythonOps.Contains(view, item, budget)),
            JinjaCycler cycler => OfCycler(cycler, name),
            bool or long or BigInteger or double => OfNumber(target, name),
            _ => null,
        };
        if (method is not null)
            value = new JinjaFunction(name, method);
        else
            return TryData(target, name, out value);
        return true;
    }

    private static bool TryData(object? target, string name, out object? value)
    {
        value = (target, name) switch
        {
            (long or bool or BigInteger, "real" or "numerator") => PythonNumbers.Of(PythonNumbers.Whole(target)),
            (long or bool or BigInteger, "imag") => 0L,
            (long or bool or BigInteger, "denominator") => 1L,
            (double, "real") => target,
            (double, "imag") => 0.0,
            (JinjaList list, _) when list.Names.Contains(name) => list.Items[list.Names.ToList().IndexOf(name)],
            (JinjaRange range, "start") => range.Start,
            (JinjaRange range, "stop") => range.Stop,
            (JinjaRange range, "step") => range.Step,
            (JinjaCycler cycler, "current") => cycler.Current,
            (JinjaFunction { Macro: { } macro }, "name") => macro.Name,
            (JinjaFunction { Macro: { } macro }, "arguments") =>
                new JinjaList([.. macro.Parameters.Select(parameter => (object?)parameter.Name)], isTuple: true),
            (JinjaFunction { Macro: { } macro }, "catch_kwargs") => macro.TakesNamed,
            (JinjaFunction { Macro: { } macro }, "catch_varargs") => macro.TakesMore,
            (JinjaFunction { Macro: { } macro }, "caller") => macro.UsesCaller,
            _ => Missing,
        };
        return value != Missing;
    }

    private static Func<JinjaCallArguments, object?>? OfDict(JinjaDict dict, string name,
        JinjaBudget budget) => name switch
        {
            "get" => arguments => arguments.BindUnnamed("key", "default?") is var given
                && dict.TryGet(given[0], out object? value) ? value : given[1] == Missing ? null : given[1],
            "items" or "keys" or "values" =>
                arguments => arguments.BindUnnamed().Length == 0 ? new JinjaView(name, dict) : null,
            "copy" => arguments => arguments.BindUnnamed().Length == 0 ? dict : null,
            "fromkeys" => arguments => FromKeys(arguments.BindUnnamed("iterable", "value?"), budget),
            _ => null,
        };

    private static JinjaDict FromKeys(object?[] given, JinjaBudget budget)
    {
        var dict = new JinjaDict(budget);
        foreach (object? key in PythonOps.Elements(given[0], budget))
            dict.Set(key, given[1] == Missing ? null : given[1]);
        return dict;
    }

    private static Func<JinjaCallArguments, object?>? OfList(JinjaList list, string name,
        JinjaBudget budget) => name switch
        {
            "count" => arguments => arguments.BindUnnamed("value")[0] is var sought
                ? (long)list.Items.Count(item => PythonEquality.AreEqual(item, sought, budget)) : null,
            "index" => arguments => Index(list, arguments, budget),
            "copy" when !list.IsTuple => arguments => arguments.BindUnnamed().Length == 0 ? list : null,
            _ => null,
        };

    private static long Index(JinjaList list, JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.BindUnnamed("value", "start?", "stop?");
        long count = list.Items.Count, start = From(given[1], 0), stop = Math.Min(count, From(given[2], count));
        for (long at = start; at < stop; at++)
            if (PythonEquality.AreEqual(list.Items[(int)at], given[0], budget))
                return at;
        throw new JinjaError("index() does not find the value");

        long From(object? value, long otherwise) => arguments.Integer(value, "position", otherwise) is var at && at < 0
            ? Math.Max(0, at + count) : at;
    }

    private static Func<JinjaCallArguments, object?>? OfCycler(JinjaCycler cycler, string name) => name switch
    {
        "next" => arguments => arguments.BindUnnamed().Length == 0 ? cycler.Next() : null,
        "reset" => arguments => arguments.BindUnnamed().Length == 0 ? cycler.Reset() : null,
        _ => null,
    };

    private static Func<JinjaCallArguments, object?>? OfNumber(object number, string name)
    {
        Func<object?>? method = (number, name) switch
        {
            (_, "conjugate") => () => number is double ? number : PythonNumbers.Of(PythonNumbers.Whole(number)),
            (double value, "is_integer") => () => double.IsInteger(value),
            (not double, "bit_length") => () => (long)BigInteger.Abs(PythonNumbers.Whole(number)).GetBitLength(),
            (not double, "bit_count") =>
                () => (long)PythonStrings.InBase(BigInteger.Abs(PythonNumbers.Whole(number)), 'b')
                    .Count(bit => bit == '1'),
            (not double, "as_integer_ratio") =>
                () => new JinjaList([PythonNumbers.Of(PythonNumbers.Whole(number)), 1L], isTuple: true),
            _ => null,
        };
        return method is null ? null : arguments => arguments.BindUnnamed().Length == 0 ? method() : null;
    }
}
