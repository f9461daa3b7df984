using System.Globalization;
using System.Numerics;
using System.Text;

namespace Nano;

/// <summary>
/// Values as Python prints them: str, which {{ value }} shows, and repr, which shows them within
/// lists.
/// </summary>
internal static class PythonRepr
{
    /// <summary>Python refuses to print integers of more digits.</summary>
    private const int MaxDigits = 4300;

    /// <summary>str of a value.</summary>
    public static string Str(object? value, JinjaBudget budget) => value switch
    {
        string text => text,
        JinjaMarkup markup => markup.Text,
        JinjaUndefined => "",
        _ => Repr(value, budget),
    };

    /// <summary>repr of a value: texts in quotes.</summary>
    public static string Repr(object? value, JinjaBudget budget)
    {
        var result = new StringBuilder();
        Append(result, value, budget);
        return result.ToString();
    }

    /// <summary>An integer in decimal digits.</summary>
    /// <exception cref="JinjaError">There are more than Python prints.</exception>
    public static string Integer(BigInteger value)
    {
        if (value.GetBitLength() > MaxDigits * 3.3219280949)
            throw new JinjaError($"an integer of more than {MaxDigits} digits cannot be printed");
        return value.ToString(CultureInfo.InvariantCulture);
    }

    private static void Append(StringBuilder to, object? value, JinjaBudget budget)
    {
        JinjaBudget.EnsureStack();
        budget.Step();
        if (to.Length > JinjaBudget.MaxCharacters)
            throw new JinjaError("the value to print is too large");
        switch (value)
        {
            case null:
                to.Append("None");
                break;
            case bool flag:
                to.Append(flag ? "True" : "False");
                break;
            case long number:
                to.Append(number);
                break;
            case BigInteger big:
                budget.Integer((long)big.GetBitLength());
                to.Append(Integer(big));
                break;
            case double number:
                to.Append(PythonFloat.Repr(number));
                break;
            case string text:
                AppendText(to, text);
                break;
            case JinjaMarkup markup:
                AppendText(to.Append("Markup("), markup.Text);
                to.Append(')');
                break;
            case JinjaUndefined:
                to.Append("Undefined");
                break;
            default:
                AppendObject(to, value, budget);
                break;
        }
    }

    private static void AppendObject(StringBuilder to, object value, JinjaBudget budget)
    {
        switch (value)
        {
            case JinjaList list:
                to.Append(list.IsTuple ? '(' : '[');
                AppendItems(to, list.Items, item => Append(to, item, budget));
                to.Append(list is { IsTuple: true, Items.Count: 1 } ? "," : "").Append(list.IsTuple ? ')' : ']');
                break;
            case JinjaDict dict:
                AppendDict(to, dict, budget);
                break;
            case JinjaView view:
                to.Append(CultureInfo.InvariantCulture, $"dict_{view.Name}([");
                AppendItems(to, view.Items, item => Append(to, item, budget));
                to.Append("])");
                break;
            case JinjaRange { Step: var step } range:
                to.Append(CultureInfo.InvariantCulture,
                    $"range({range.Start}, {range.Stop}{(step == 1 ? "" : $", {step}")})");
                break;
            case JinjaNamespace space:
                AppendDict(to.Append("<Namespace "), space.Items, budget);
                to.Append('>');
                break;
            case JinjaLoop loop:
                to.Append(CultureInfo.InvariantCulture, $"<LoopContext {loop.Index0 + 1}/{loop.Length}>");
                break;
            case JinjaFunction { Macro: { } macro }:
                to.Append("<Macro ");
                Append(to, macro.Name, budget);
                to.Append('>');
                break;
            default: // Python prints an address
                throw new JinjaError($"{PythonOps.KindOf(value)} cannot be printed");
        }
    }

    private static void AppendDict(StringBuilder to, JinjaDict dict, JinjaBudget budget)
    {
        to.Append('{');
        AppendItems(to, dict.Items, item =>
        {
            Append(to, item.Key, budget);
            to.Append(": ");
            Append(to, item.Value, budget);
        });
        to.Append('}');
    }

    private static void AppendItems<T>(StringBuilder to, IEnumerable<T> items, Action<T> append)
    {
        bool first = true;
        foreach (var item in items)
        {
            to.Append(first ? "" : ", ");
            first = false;
            append(item);
        }
    }

    private static void AppendText(StringBuilder to, string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal)
            ? '"' : '\'';
        to.Append(quote);
        foreach (var rune in text.EnumerateRunes())
        {
            int code = rune.Value;
            if (code == quote || code == '\\')
                to.Append('\\').Append((char)code);
            else if (code is '\n' or '\r' or '\t')
                to.Append(code switch { '\n' => "\\n", '\r' => "\\r", _ => "\\t" });
            else if (IsPrintable(rune))
                to.Append(rune.ToString());
            else
                to.Append(code < 0x100 ? $"\\x{code:x2}" : code < 0x10000 ? $"\\u{code:x4}" : $"\\U{code:x8}");
        }
        to.Append(quote);
    }

    /// <summary>repr with every character beyond ASCII escaped.</summary>
    public static string Ascii(object? value, JinjaBudget budget)
    {
        var result = new StringBuilder();
        foreach (var rune in Repr(value, budget).EnumerateRunes())
            result.Append(rune.IsAscii ? rune.ToString() : rune.Value < 0x100 ? $"\\x{rune.Value:x2}"
                : rune.IsBmp ? $"\\u{rune.Value:x4}" : $"\\U{rune.Value:x8}");
        return result.ToString();
    }

    /// <summary>str.isprintable of one character.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value == ' '
        || Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control
        or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.Surrogate);
}
