using System.Globalization;

namespace Nano;

/// <summary>Filters of sequences and mappings.</summary>
internal static partial class JinjaFilters
{
    private static object? First(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        foreach (object? element in PythonOps.Elements(value, context.Budget))
            return element;
        return new JinjaUndefined("there is no first element");
    }

    private static object? Last(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        var elements = Reversed(value, context.Budget);
        object? none = new JinjaUndefined("there is no last element");
        return elements.LastOrDefault(none);
    }

    /// <summary>The elements of something that can be walked over backwards.</summary>
    private static List<object?> Reversed(object? value, JinjaBudget budget) => value is JinjaIterator or JinjaLoop
        ? throw new JinjaError($"{PythonOps.KindOf(value)} cannot be reversed") : PythonOps.ToList(value, budget);

    private static object? Reverse(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        if (PythonText.AsText(value) is not null)
            return PythonOps.Slice(value, null, null, -1L, context.Budget);
        var elements = PythonOps.ToList(value, context.Budget);
        elements.Reverse();
        return value is JinjaIterator ? new JinjaList(elements) : new JinjaIterator(elements);
    }

    private static object? Join(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("d?", "attribute?");
        var budget = context.Budget;
        object? separator = given[0] == Missing ? "" : given[0];
        var parts = PythonOps.Elements(value, budget);
        if (given[1] is not null && given[1] != Missing)
            parts = parts.Select(Getter(given[1], budget));
        var all = parts.ToList();
        bool markup = context.Autoescape && (separator is JinjaMarkup || all.Exists(part => part is JinjaMarkup));
        string between = markup ? PythonText.Escaped(separator, budget) : PythonRepr.Str(separator, budget);
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < all.Count; i++)
        {
            string part = markup ? PythonText.Escaped(all[i], budget) : PythonRepr.Str(all[i], budget);
            budget.Make((long)part.Length + between.Length);
            text.Append(i > 0 ? between : "").Append(part);
        }
        return markup ? new JinjaMarkup(text.ToString()) : text.ToString();
    }

    private static JinjaIterator Items(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        return new JinjaIterator(Read());

        IEnumerable<object?> Read()
        {
            if (value is JinjaUndefined)
                yield break;
            var dict = value as JinjaDict
                ?? throw new JinjaError($"the filter 'items' needs a mapping, got {PythonOps.KindOf(value)}");
            foreach (object? item in new JinjaView("items", dict).Items)
                yield return item;
        }
    }

    /// <summary>
    /// Reads an attribute such as "function.name" or an element by number; the value itself for
    /// none.
    /// </summary>
    private static Func<object?, object?> Getter(object? attribute, JinjaBudget budget, object? otherwise = null)
    {
        if (attribute is null || attribute == Missing)
            return item => item;
        if (PythonText.AsText(attribute) is { } path)
            budget.Step(path.Length); // it is taken apart
        object?[] parts = PythonText.AsText(attribute) is { } names ? [.. names.Split('.').Select(Part)] : [attribute];
        return item =>
        {
            foreach (object? part in parts)
            {
                item = JinjaAttributes.Item(item, part, budget);
                if (otherwise is not null && item is JinjaUndefined)
                    item = otherwise;
            }
            return item;
        };

        static object? Part(string name) => name.Length > 0 && name.All(char.IsAsciiDigit)
            && long.TryParse(name, CultureInfo.InvariantCulture, out long number) ? number : name;
    }

    /// <summary>The value to compare by: text in lower case unless case counts.</summary>
    private static Func<object?, object?> Key(Func<object?, object?> getter, object? caseSensitive) =>
        JinjaCallArguments.Flag(caseSensitive, false) ? getter
            : item => getter(item) is var value && PythonText.AsText(value) is { } text
                ? PythonCase.Lower(text) : value;

    /// <summary>Items in the order of their keys, equal ones in the order they came in (a merge sort).</summary>
    public static List<T> Sorted<T>(IReadOnlyList<T> items, Func<T, object?> key, bool reverse, JinjaBudget budget)
    {
        var from = items.Select(item => (Key: key(item), Item: item)).ToArray();
        var to = new (object? Key, T Item)[from.Length];
        for (int width = 1; width < from.Length; width *= 2, (from, to) = (to, from))
            for (int start = 0; start < from.Length; start += 2 * width)
            {
                int middle = Math.Min(start + width, from.Length), end = Math.Min(start + (2 * width), from.Length);
                for (int left = start, right = middle, at = start; at < end; at++)
                    to[at] = right == end || (left < middle && !IsBefore(from[right].Key, from[left].Key))
                        ? from[left++] : from[right++];
            }
        return [.. from.Select(item => item.Item)];

        bool IsBefore(object? later, object? earlier) =>
            PythonEquality.Compare(later, earlier, budget) is { } order && (reverse ? order > 0 : order < 0);
    }

    private static JinjaList Sort(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("reverse?", "case_sensitive?", "attribute?");
        context.Budget.Step(PythonText.AsText(given[2])?.Length ?? 0);
        var getters = (PythonText.AsText(given[2]) is { } names ? names.Split(',') : new object?[] { given[2] })
            .Select(attribute => Key(Getter(attribute, context.Budget), given[1])).ToList();
        return new JinjaList(Sorted(PythonOps.ToList(value, context.Budget),
            item => new JinjaList([.. getters.Select(getter => getter(item))]),
            JinjaCallArguments.Flag(given[0], false), context.Budget));
    }

    private static JinjaList DictSort(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("case_sensitive?", "by?", "reverse?");
        int by = arguments.Text(given[1], "by", "key") switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw new JinjaError("the filter 'dictsort' sorts by key or by value"),
        };
        var dict = value as JinjaDict ?? throw new JinjaError((value as JinjaUndefined)?.Reason
            ?? $"the filter 'dictsort' needs a mapping, got {PythonOps.KindOf(value)}");
        var items = PythonOps.ToList(new JinjaView("items", dict), context.Budget);
        var key = Key(item => ((JinjaList)item!).Items[by], given[0]);
        return new JinjaList(Sorted(items, key, JinjaCallArguments.Flag(given[2], false), context.Budget));
    }

    private static JinjaIterator Unique(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("case_sensitive?", "attribute?");
        return new JinjaIterator(Read());

        IEnumerable<object?> Read()
        {
            var key = Key(Getter(given[1], context.Budget), given[0]);
            var seen = new JinjaDict(context.Budget);
            foreach (object? item in PythonOps.Elements(value, context.Budget))
            {
                object? name = key(item);
                if (seen.TryGet(name, out _))
                    continue;
                seen.Set(name, null);
                yield return item;
            }
        }
    }

    private static JinjaList GroupBy(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("attribute", "default?", "case_sensitive?");
        object? otherwise = given[1] == Missing ? null : given[1];
        var getter = Getter(given[0], context.Budget, otherwise);
        var key = Key(getter, given[2]);
        var groups = new List<(object? Key, List<object?> Items)>();
        foreach (object? item in Sorted(PythonOps.ToList(value, context.Budget), key, reverse: false, context.Budget))
        {
            object? name = key(item);
            if (groups.Count == 0 || !PythonEquality.AreEqual(groups[^1].Key, name, context.Budget))
                groups.Add((name, []));
            groups[^1].Items.Add(item);
        }
        return new JinjaList(
            [.. groups.Select(group => new JinjaList([getter(group.Items[0]), new JinjaList(group.Items)],
                isTuple: true)
        {
            Names = ["grouper", "list"],
        })]);
    }

    private static object? Extreme(object? value, JinjaCallArguments arguments, int sign, JinjaBudget budget)
    {
        var given = arguments.Bind("case_sensitive?", "attribute?");
        var key = Key(Getter(given[1], budget), given[0]);
        object? best = new JinjaUndefined("there is no element"), bestKey = Missing;
        foreach (object? item in PythonOps.Elements(value, budget))
        {
            object? name = key(item);
            if (bestKey == Missing || PythonEquality.Compare(name, bestKey, budget) * sign > 0)
                (best, bestKey) = (item, name);
        }
        return best;
    }

    private static object? Sum(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("attribute?", "start?");
        object? sum = given[1] == Missing ? 0L : given[1];
        if (PythonText.AsText(sum) is not null)
            throw new JinjaError("the filter 'sum' does not add strings");
        var getter = Getter(given[0], context.Budget);
        foreach (object? item in PythonOps.Elements(value, context.Budget))
            sum = PythonArithmetic.Apply("+", sum, getter(item), context.Budget);
        return sum;
    }

    private static JinjaIterator Batch(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("linecount", "fill_with?");
        return new JinjaIterator(Read());

        IEnumerable<object?> Read()
        {
            long count = arguments.Integer(given[0], "linecount");
            var batch = new List<object?>();
            foreach (object? item in PythonOps.Elements(value, context.Budget))
            {
                if (batch.Count == count)
                {
                    yield return new JinjaList(batch);
                    batch = [];
                }
                batch.Add(item);
            }
            if (batch.Count == 0)
                yield break;
            if (given[1] is not null && given[1] != Missing && batch.Count < count)
            {
                context.Budget.Step(count);
                batch.AddRange(Enumerable.Repeat(given[1], (int)count - batch.Count));
            }
            yield return new JinjaList(batch);
        }
    }

    private static JinjaIterator Slices(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("slices", "fill_with?");
        return new JinjaIterator(Read());

        IEnumerable<object?> Read()
        {
            var items = PythonOps.ToList(value, context.Budget);
            long slices = arguments.Integer(given[0], "slices");
            if (slices == 0)
                throw new JinjaError("division by zero: there are 0 slices");
            for (long slice = 0, start = 0; slice < slices; slice++)
            {
                context.Budget.Step();
                int count = (int)(items.Count / slices) + (slice < items.Count % slices ? 1 : 0);
                var part = items.GetRange((int)start, count);
                start += count;
                if (given[1] is not null && given[1] != Missing && slice >= items.Count % slices)
                    part.Add(given[1]);
                yield return new JinjaList(part);
            }
        }
    }

    /// <summary>map("filter", ...) or map(attribute="a.b", default=x).</summary>
    private static JinjaIterator Map(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        return new JinjaIterator(PythonOps.IsTrue(value) ? Read() : []);

        IEnumerable<object?> Read()
        {
            var function = Function();
            foreach (object? item in PythonOps.Elements(value, context.Budget))
                yield return function(item);
        }

        Func<object?, object?> Function()
        {
            if (arguments.Positional.Count == 0 && arguments.Named.Any(argument => argument.Name == "attribute"))
            {
                var given = arguments.Bind("attribute", "default?");
                return Getter(given[0], context.Budget, given[1] == Missing ? null : given[1]);
            }
            if (arguments.Positional.Count == 0)
                throw new JinjaError("the filter 'map' needs a filter's name or attribute=");
            string filter = arguments.Text(arguments.Positional[0], "filter");
            var inner = new JinjaCallArguments($"the filter '{filter}'", [.. arguments.Positional.Skip(1)],
                arguments.Named);
            return item => Apply(filter, item, inner, context);
        }
    }

    /// <summary>
    /// The elements for which a test holds, or which are true if no test is named; of an attribute,
    /// if told so.
    /// </summary>
    private static JinjaIterator Select(
        object? value, JinjaCallArguments arguments, JinjaFilterContext context, bool keep, bool byAttribute)
    {
        return new JinjaIterator(PythonOps.IsTrue(value) ? Read() : []);

        IEnumerable<object?> Read()
        {
            int skip = byAttribute ? 1 : 0;
            if (arguments.Positional.Count < skip)
                throw new JinjaError($"{arguments.Callee} needs the name of an attribute");
            var getter = byAttribute ? Getter(arguments.Positional[0], context.Budget) : item => item;
            string? test = arguments.Positional.Count > skip
                ? arguments.Text(arguments.Positional[skip], "test") : null;
            var inner = new JinjaCallArguments($"the test '{test}'", [.. arguments.Positional.Skip(skip + 1)],
                arguments.Named);
            foreach (object? item in PythonOps.Elements(value, context.Budget))
            {
                object? tested = getter(item);
                if ((test is null ? PythonOps.IsTrue(tested)
                    : JinjaTests.Holds(test, tested, inner, context.Budget)) == keep)
                    yield return item;
            }
        }
    }
}
