using System.Globalization;
using System.Numerics;
using System.Text;

namespace Nano;

/// <summary>The operator % of strings: printf's formats.</summary>
internal sealed class PythonPercent
{
    private readonly string format;
    private readonly object? values;
    private readonly bool escapes;
    private readonly JinjaBudget budget;
    private readonly StringBuilder result = new();
    private int at, next;

    private PythonPercent(string format, object? values, bool escapes, JinjaBudget budget) =>
        (this.format, this.values, this.escapes, this.budget) = (format, values, escapes, budget);

    /// <summary>format % values, where values is a tuple of values, a mapping, or one value.</summary>
    /// <exception cref="JinjaError">The format is malformed, or there are more or fewer values than
    /// it needs.</exception>
    public static object Apply(object format, object? values, JinjaBudget budget)
    {
        string text = PythonText.AsText(format)!;
        budget.Make(text.Length);
        var percent = new PythonPercent(text, values, format is JinjaMarkup, budget);
        return PythonText.Like(format, percent.Format());
    }

    private string Format()
    {
        for (; at < format.Length; at++)
            if (format[at] != '%')
                result.Append(format[at]);
            else
            {
                string piece = Directive();
                budget.Make(piece.Length);
                result.Append(piece);
            }
        int given = values is JinjaList { IsTuple: true } tuple ? tuple.Items.Count
            : values is JinjaList or JinjaDict or JinjaRange or JinjaUndefined ? next : 1;
        return next >= given ? result.ToString() : throw new JinjaError("a format has fewer places than values");
    }

    private string Directive()
    {
        at++;
        object? named = Missing;
        if (Peek() == '%')
            return "%";
        if (Peek() == '(')
            named = Named();
        int start = at;
        while (Peek() is '-' or '+' or ' ' or '#' or '0')
            at++;
        string flags = format[start..at];
        int width = Number(named) ?? 0, precision = -1;
        if (width < 0)
            (width, flags) = (-width, flags + "-");
        if (Peek() == '.')
        {
            at++;
            precision = Math.Max(0, Number(named) ?? 0);
        }
        if (Peek() is 'h' or 'l' or 'L')
            at++;
        char type = Peek() ?? throw new JinjaError("a format ends in the middle of a directive");
        budget.Make(width);
        if (precision > 0)
            budget.Integer(Math.Min(precision, int.MaxValue >> 2) * (type is 's' or 'r' or 'a' ? 0 : 4));
        object? value = named == Missing ? Next() : named;
        return Convert(type, value, flags, width, precision);
    }

    private static readonly object Missing = JinjaCallArguments.Missing;

    private char? Peek() => at < format.Length ? format[at] : null;

    private object? Named()
    {
        int start = ++at;
        for (int open = 1; open > 0; at++)
            open += Peek() switch
            {
                '(' => 1,
                ')' => -1,
                null => throw new JinjaError("the name in a format is not closed"),
                _ => 0
            };
        if (values is not JinjaDict dict)
            throw new JinjaError("a format with names needs a mapping");
        string name = format[start..(at - 1)];
        return dict.TryGet(name, out object? value) ? value
            : throw new JinjaError($"a format has no value {Quoted.Of(name)}");
    }

    private int? Number(object? named)
    {
        if (Peek() == '*')
        {
            at++;
            object? value = named == Missing ? Next() : throw new JinjaError("a format with names has no '*'");
            return value is long number && Math.Abs(number) < int.MaxValue ? (int)number
                : throw new JinjaError("'*' in a format needs an integer");
        }
        int start = at;
        while (at < format.Length && char.IsAsciiDigit(format[at]))
            at++;
        return at == start ? null
            : int.TryParse(format.AsSpan(start, at - start), CultureInfo.InvariantCulture, out int digits)
            ? digits : throw new JinjaError("a number in a format is too large");
    }

    private object? Next()
    {
        if (values is JinjaList { IsTuple: true } tuple)
            return next < tuple.Items.Count ? tuple.Items[next++]
                : throw new JinjaError("a format has more places than values");
        return next++ == 0 ? values : throw new JinjaError("a format has more places than values");
    }

    private string Convert(char type, object? value, string flags, int width, int precision)
    {
        bool left = flags.Contains('-', StringComparison.Ordinal);
        if (type is 's' or 'r' or 'a' or 'c')
        {
            string text = type == 'c' ? Character(value) : Text(type, value);
            int length = PythonText.Length(text);
            if (precision >= 0 && precision < length && type != 'c')
                (text, length) = (PythonText.Slice(text, length, 0, 1, precision), precision);
            string padding = new(' ', Math.Max(0, width - length));
            return left ? text + padding : padding + text;
        }
        var (negative, prefix, digits) = type switch
        {
            'd' or 'i' or 'u' or 'o' or 'x' or 'X' =>
                Integer(type, value, precision, flags.Contains('#', StringComparison.Ordinal)),
            'e' or 'E' or 'f' or 'F' or 'g' or 'G' =>
                Float(type, value, precision, flags.Contains('#', StringComparison.Ordinal)),
            _ => throw new JinjaError($"a format has no directive {Quoted.Of("%" + type)}"),
        };
        string lead = (negative ? "-" : flags.Contains('+', StringComparison.Ordinal) ? "+"
            : flags.Contains(' ', StringComparison.Ordinal) ? " " : "") + prefix;
        int missing = Math.Max(0, width - lead.Length - digits.Length);
        if (left)
            return lead + digits + new string(' ', missing);
        return flags.Contains('0', StringComparison.Ordinal)
            ? lead + new string('0', missing) + digits : new string(' ', missing) + lead + digits;
    }

    private string Text(char type, object? value)
    {
        if (type == 's')
            return escapes ? PythonText.Escaped(value, budget) : PythonRepr.Str(value, budget);
        string text = type == 'a' ? PythonRepr.Ascii(value, budget) : PythonRepr.Repr(value, budget);
        return escapes ? PythonText.Escape(text) : text;
    }

    private string Character(object? value)
    {
        if (!escapes && value is long or bool)
            return PythonStrings.Character(PythonNumbers.Whole(value));
        return !escapes && PythonText.AsText(value) is { } text && PythonText.Length(text) == 1
            ? text : throw new JinjaError("%c needs a character or its number");
    }

    private (bool Negative, string Prefix, string Digits) Integer(char type, object? value, int precision,
        bool alternate)
    {
        bool isDecimal = type is 'd' or 'i' or 'u';
        if (!PythonNumbers.IsNumber(value) || (value is double && !isDecimal) || (escapes && !isDecimal))
            throw new JinjaError($"%{type} needs an integer, got {PythonOps.KindOf(value)}");
        var whole = PythonNumbers.Whole(PythonNumbers.Truncate(value!));
        budget.Integer((long)whole.GetBitLength());
        string digits = isDecimal ? PythonRepr.Integer(BigInteger.Abs(whole))
            : PythonStrings.InBase(BigInteger.Abs(whole), char.ToLowerInvariant(type));
        if (type == 'X')
            digits = digits.ToUpperInvariant();
        return (whole.Sign < 0, alternate && !isDecimal ? "0" + type : "", digits.PadLeft(Math.Max(0, precision), '0'));
    }

    private static (bool Negative, string Prefix, string Digits) Float(char type, object? value, int precision,
        bool alternate)
    {
        if (!PythonNumbers.IsNumber(value))
            throw new JinjaError($"%{type} needs a number, got {PythonOps.KindOf(value)}");
        double number = PythonNumbers.Float(value!);
        string digits = PythonFormat.Digits(number, char.ToLowerInvariant(type), precision, alternate);
        return (double.IsNegative(number) && !double.IsNaN(number), "", char.IsAsciiLetterUpper(type)
            ? digits.ToUpperInvariant() : digits);
    }
}
