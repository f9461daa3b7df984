using System.Text;
using System.Text.RegularExpressions;

namespace Nano;

/// <summary>pprint.pformat: repr on lines of at most 80 characters, mappings in the order of their keys.</summary>
internal sealed partial class PythonPrint
{
    private const int Width = 80;

    private readonly JinjaBudget budget;
    private readonly StringBuilder to = new();

    private PythonPrint(JinjaBudget budget) => this.budget = budget;

    [GeneratedRegex(@"\S*\s*")]
    private static partial Regex Words();

    public static string Format(object? value, JinjaBudget budget)
    {
        var print = new PythonPrint(budget);
        print.Append(Sorted(value, budget), 0, 0, isTop: true);
        return print.to.ToString();
    }

    /// <summary>The value with every mapping in the order of its keys.</summary>
    private static object? Sorted(object? value, JinjaBudget budget)
    {
        JinjaBudget.EnsureStack();
        budget.Step(10); // copies are dear
        if (value is JinjaList list)
            return new JinjaList([.. list.Items.Select(item => Sorted(item, budget))], list.IsTuple);
        if (value is not JinjaDict dict)
            return value;
        var sorted = new JinjaDict(budget);
        foreach (var (key, item) in JinjaFilters.Sorted(dict.Items.ToList(), item => item.Key, reverse: false, budget))
            sorted.Set(key, Sorted(item, budget));
        return sorted;
    }

    private void Append(object? value, int indent, int allowance, bool isTop)
    {
        JinjaBudget.EnsureStack();
        string text = PythonRepr.Repr(value, budget);
        budget.Make(text.Length);
        if (PythonText.Length(text) <= Width - indent - allowance)
            to.Append(text);
        else if (value is JinjaDict { Count: > 0 } dict)
            AppendDict(dict, indent + 1, allowance + 1);
        else if (value is JinjaList { Items.Count: > 0 } list)
            AppendList(list, indent + 1, allowance);
        else if (value is string { Length: > 0 } words)
            AppendText(words, isTop ? indent + 1 : indent, isTop ? allowance + 1 : allowance, isTop);
        else
            to.Append(text);
    }

    private void AppendDict(JinjaDict dict, int indent, int allowance)
    {
        int left = dict.Count;
        to.Append('{');
        foreach (var (key, value) in dict.Items)
        {
            string name = PythonRepr.Repr(key, budget);
            to.Append(name).Append(": ");
            Append(value, indent + PythonText.Length(name) + 2, --left == 0 ? allowance : 1, isTop: false);
            if (left > 0)
                NewLine(",", indent);
        }
        to.Append('}');
    }

    private void AppendList(JinjaList list, int indent, int allowance)
    {
        string end = !list.IsTuple ? "]" : list.Items.Count == 1 ? ",)" : ")";
        to.Append(list.IsTuple ? '(' : '[');
        for (int i = 0; i < list.Items.Count; i++)
        {
            if (i > 0)
                NewLine(",", indent);
            Append(list.Items[i], indent, i == list.Items.Count - 1 ? allowance + end.Length : 1, isTop: false);
        }
        to.Append(end);
    }

    private void AppendText(string text, int indent, int allowance, bool isTop)
    {
        var chunks = new List<string>();
        var lines = PythonText.Lines(text, keepEnds: true);
        for (int i = 0; i < lines.Count; i++)
        {
            int last = i == lines.Count - 1 ? allowance : 0;
            string whole = PythonRepr.Repr(lines[i], budget);
            if (PythonText.Length(whole) <= Width - indent - last)
                chunks.Add(whole);
            else
                AddWords(chunks, lines[i], Width - indent, last);
        }
        to.Append(isTop && chunks.Count > 1 ? "(" : "");
        for (int i = 0; i < chunks.Count; i++)
        {
            if (i > 0)
                NewLine("", indent);
            to.Append(chunks[i]);
        }
        to.Append(isTop && chunks.Count > 1 ? ")" : "");
    }

    private void AddWords(List<string> chunks, string line, int width, int last)
    {
        string current = "";
        var words = Words().Matches(line).Select(match => match.Value).Where(word => word.Length > 0).ToList();
        for (int i = 0; i < words.Count; i++)
        {
            string candidate = current + words[i];
            budget.Step(candidate.Length);
            if (PythonText.Length(PythonRepr.Repr(candidate, budget)) > width - (i == words.Count - 1 ? last : 0))
            {
                if (current.Length > 0)
                    chunks.Add(PythonRepr.Repr(current, budget));
                current = words[i];
            }
            else
                current = candidate;
        }
        if (current.Length > 0)
            chunks.Add(PythonRepr.Repr(current, budget));
    }

    private void NewLine(string before, int indent)
    {
        budget.Make(indent);
        to.Append(before).Append('\n').Append(' ', indent);
    }
}
