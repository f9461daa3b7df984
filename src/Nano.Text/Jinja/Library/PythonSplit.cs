using System.Numerics;
using System.Text;

namespace Nano;

/// <summary>The methods of strings that cut them and that map their characters.</summary>
internal static class PythonSplit
{
    private static readonly object Missing = JinjaCallArguments.Missing;

    /// <summary>str.split and rsplit.</summary>
    public static JinjaList Split(string text, JinjaCallArguments arguments, bool fromEnd, JinjaBudget budget)
    {
        var given = arguments.Bind("sep?", "maxsplit?");
        long most = arguments.Integer(given[1], "maxsplit", -1);
        if (most < 0)
            most = long.MaxValue;
        if (given[0] is null || given[0] == Missing)
            return Counted(fromEnd ? WordsFromEnd(text, most) : Words(text, most), budget);
        string separator = arguments.Text(given[0], "sep");
        if (separator.Length == 0)
            throw new JinjaError("the separator of a split cannot be empty");
        return Counted(fromEnd ? PartsFromEnd(text, separator, most) : Parts(text, separator, most), budget);
    }

    public static JinjaList Counted(IReadOnlyCollection<string> parts, JinjaBudget budget)
    {
        budget.Step(parts.Count);
        return new JinjaList([.. parts]);
    }

    private static List<string> Parts(string text, string separator, long most)
    {
        var parts = new List<string>();
        int start = 0;
        for (int at; most > 0 && (at = text.IndexOf(separator, start, StringComparison.Ordinal)) >= 0; most--)
        {
            parts.Add(text[start..at]);
            start = at + separator.Length;
        }
        parts.Add(text[start..]);
        return parts;
    }

    private static List<string> PartsFromEnd(string text, string separator, long most)
    {
        var parts = new List<string>();
        int end = text.Length;
        for (int at; most > 0 && (at = text.AsSpan(0, end).LastIndexOf(separator)) >= 0; most--)
        {
            parts.Add(text[(at + separator.Length)..end]);
            end = at;
        }
        parts.Add(text[..end]);
        parts.Reverse();
        return parts;
    }

    private static List<string> Words(string text, long most)
    {
        var words = new List<string>();
        for (int at = 0; ; most--)
        {
            while (at < text.Length && PythonText.IsSpace(text[at]))
                at++;
            if (at == text.Length)
                return words;
            int start = at;
            if (most == 0)
                at = text.Length;
            while (at < text.Length && !PythonText.IsSpace(text[at]))
                at++;
            words.Add(text[start..at]);
        }
    }

    private static List<string> WordsFromEnd(string text, long most)
    {
        var words = new List<string>();
        for (int at = text.Length; ; most--)
        {
            while (at > 0 && PythonText.IsSpace(text[at - 1]))
                at--;
            if (at == 0)
                break;
            int end = at;
            if (most == 0)
                at = 0;
            while (at > 0 && !PythonText.IsSpace(text[at - 1]))
                at--;
            words.Add(text[at..end]);
        }
        words.Reverse();
        return words;
    }

    /// <summary>
    /// str.partition and rpartition: what stands before a separator, the separator, and what stands
    /// behind.
    /// </summary>
    public static JinjaList Partition(string text, JinjaCallArguments arguments, bool fromEnd)
    {
        string separator = arguments.Text(arguments.BindUnnamed("sep")[0], "sep");
        if (separator.Length == 0)
            throw new JinjaError("the separator of a partition cannot be empty");
        int at = fromEnd ? text.LastIndexOf(separator, StringComparison.Ordinal)
            : text.IndexOf(separator, StringComparison.Ordinal);
        if (at < 0)
            return new JinjaList(fromEnd ? ["", "", text] : [text, "", ""], isTuple: true);
        return new JinjaList([text[..at], separator, text[(at + separator.Length)..]], isTuple: true);
    }

    /// <summary>str.maketrans: a mapping from characters' numbers to what they become.</summary>
    public static JinjaDict MakeTable(JinjaCallArguments arguments, JinjaBudget budget)
    {
        var given = arguments.BindUnnamed("x", "y?", "z?");
        var table = new JinjaDict(budget);
        if (given[1] == Missing)
        {
            foreach (var (key, value) in (given[0] as JinjaDict
                ?? throw new JinjaError("maketrans() needs a mapping")).Items)
                table.Set(PythonText.AsText(key) is { } text ? Code(text) : key, value);
            return table;
        }
        string from = arguments.Text(given[0], "x"), to = arguments.Text(given[1], "y"),
            gone = arguments.Text(given[2], "z", "");
        if (PythonText.Length(from) != PythonText.Length(to))
            throw new JinjaError("maketrans() needs two strings of the same length");
        budget.Step((long)from.Length + gone.Length);
        foreach (var (left, right) in from.EnumerateRunes().Zip(to.EnumerateRunes()))
            table.Set((long)left.Value, (long)right.Value);
        foreach (var rune in gone.EnumerateRunes())
            table.Set((long)rune.Value, null);
        return table;

        static object Code(string text) => PythonText.Length(text) == 1
            ? (long)text.EnumerateRunes().First().Value
            : throw new JinjaError("the keys of maketrans() are single characters");
    }

    /// <summary>str.translate.</summary>
    public static string Translate(string text, object? table, JinjaBudget budget)
    {
        var result = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            budget.Step();
            if (!PythonOps.TryElement(table, (long)rune.Value, budget, out object? becomes))
                becomes = rune.ToString();
            string piece = becomes switch
            {
                null => "",
                long or BigInteger => PythonStrings.Character(PythonNumbers.Whole(becomes)),
                _ => PythonText.AsText(becomes)
                    ?? throw new JinjaError("a table for translate() holds numbers, strings and none"),
            };
            budget.Make(piece.Length);
            result.Append(piece);
        }
        return result.ToString();
    }
}
