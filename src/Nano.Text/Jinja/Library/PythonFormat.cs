using System.Globalization;
using System.Numerics;

namespace Nano;

/// <summary>
/// Python's format specification mini-language:
/// [[fill]align][sign][z][#][0][width][grouping][.precision][type].
/// </summary>
internal sealed class PythonFormat
{
    private string fill = " ";
    private char align, sign = '-', grouping, type;
    private bool alternate, zero, noNegativeZero;
    private int width, precision = -1;

    private PythonFormat()
    {
    }

    /// <summary>format(value, spec).</summary>
    /// <exception cref="JinjaError">The specification is malformed or does not fit the value.</exception>
    public static string Apply(object? value, string spec, JinjaBudget budget)
    {
        if (spec.Length == 0)
            return PythonRepr.Str(value, budget);
        var format = Parse(spec);
        budget.Make(format.width);
        switch (value)
        {
            case string or JinjaMarkup:
                return format.Text(PythonText.AsText(value)!);
            case double number:
                return format.Float(number, budget);
            case long or bool or BigInteger:
                return format.type is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%'
                    ? format.Float(PythonNumbers.Float(value), budget)
                    : format.Integer(PythonNumbers.Whole(value), budget);
            default:
                throw new JinjaError($"{PythonOps.KindOf(value)} cannot be formatted with {Quoted.Of(spec)}");
        }
    }

    private static PythonFormat Parse(string spec)
    {
        var format = new PythonFormat();
        int at = 0, first = char.IsHighSurrogate(spec[0]) ? 2 : 1;
        if (spec.Length > first && "<>=^".Contains(spec[first], StringComparison.Ordinal))
        {
            (format.fill, format.align) = (spec[..first], spec[first]);
            at = first + 1;
        }
        else if ("<>=^".Contains(spec[0], StringComparison.Ordinal))
            format.align = spec[at++];
        if (at < spec.Length && spec[at] is '+' or '-' or ' ')
            format.sign = spec[at++];
        format.noNegativeZero = Skip('z');
        format.alternate = Skip('#');
        format.zero = format.align == default && at < spec.Length && spec[at] == '0';
        if (at < spec.Length && spec[at] == '0' && format.align != default && format.fill == " " && at != 0
            && spec[at - 1] == format.align)
            format.fill = "0";
        format.width = Number() ?? 0;
        if (at < spec.Length && spec[at] is ',' or '_')
            format.grouping = spec[at++];
        if (Skip('.'))
            format.precision = Number() ?? throw new JinjaError("a format has a point without a precision");
        if (at < spec.Length)
            format.type = spec[at++];
        return at == spec.Length ? format : throw new JinjaError($"the format {Quoted.Of(spec)} is malformed");

        bool Skip(char c)
        {
            bool there = at < spec.Length && spec[at] == c;
            at += there ? 1 : 0;
            return there;
        }

        int? Number()
        {
            int start = at;
            while (at < spec.Length && char.IsAsciiDigit(spec[at]))
                at++;
            return at == start ? null
                : int.TryParse(spec.AsSpan(start, at - start), CultureInfo.InvariantCulture, out int number)
                ? number : throw new JinjaError("a number in a format is too large");
        }
    }

    private string Text(string text)
    {
        if (type is not (default(char) or 's') || grouping != default || align == '=' || sign != '-' || alternate
            || noNegativeZero)
            throw new JinjaError("a string cannot be formatted like a number");
        if (zero)
            fill = "0";
        int length = PythonText.Length(text);
        if (precision >= 0 && precision < length)
            (text, length) = (PythonText.Slice(text, length, 0, 1, precision), precision);
        return Padded(text, length, '<');
    }

    private string Integer(BigInteger value, JinjaBudget budget)
    {
        if (precision >= 0 || noNegativeZero)
            throw new JinjaError("an integer cannot be formatted with a precision");
        if (type == 'c')
            return sign == '-' && !alternate && grouping == default
                ? Padded(PythonStrings.Character(value), 1, '>') : throw new JinjaError("a character has no sign");
        if (grouping == ',' && type is 'b' or 'o' or 'x' or 'X' or 'n')
            throw new JinjaError("only decimal digits are grouped with commas");
        budget.Integer((long)value.GetBitLength());
        string digits = type switch
        {
            default(char) or 'd' or 'n' => PythonRepr.Integer(BigInteger.Abs(value)),
            'b' or 'o' or 'x' => PythonStrings.InBase(BigInteger.Abs(value), type),
            'X' => PythonStrings.InBase(BigInteger.Abs(value), 'x').ToUpperInvariant(),
            _ => throw new JinjaError($"an integer has no format '{type}'"),
        };
        string prefix = alternate && type is 'b' or 'o' or 'x' or 'X' ? "0" + type : "";
        return Number(value.Sign < 0, prefix, digits, "", type is 'b' or 'o' or 'x' or 'X' ? 4 : 3);
    }

    private string Float(double value, JinjaBudget budget)
    {
        char kind = char.ToLowerInvariant(type);
        if (type is not (default(char) or 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or 'n' or '%')
            || (grouping != default && type == 'n'))
            throw new JinjaError($"a number has no format '{type}'");
        if (precision > 0)
            budget.Integer(precision * 4L);
        string digits = Digits(value, kind, precision, alternate);
        if (char.IsAsciiLetterUpper(type))
            digits = digits.ToUpperInvariant();
        bool negative = double.IsNegative(value) && !double.IsNaN(value);
        if (noNegativeZero && digits.AsSpan().IndexOfAnyInRange('1', '9') < 0 && !double.IsInfinity(value))
            negative = false;
        int whole = digits.AsSpan().IndexOfAnyExceptInRange('0', '9');
        whole = whole < 0 ? digits.Length : whole;
        return Number(negative, "", digits[..whole], digits[whole..], 3);
    }

    /// <summary>|value| in the format e, f, g or % (or none), without sign and padding.</summary>
    public static string Digits(double value, char kind, int precision, bool alternate)
    {
        if (!double.IsFinite(value))
            return (double.IsNaN(value) ? "nan" : "inf") + (kind == '%' ? "%" : "");
        switch (kind)
        {
            case 'f':
                return PythonFloat.Fixed(value, precision < 0 ? 6 : precision)
                    + (alternate && precision == 0 ? "." : "");
            case '%':
                double percent = value * 100;
                return double.IsInfinity(percent) ? "inf%" : PythonFloat.Fixed(percent, precision < 0 ? 6 : precision)
                    + (alternate && precision == 0 ? "." : "") + "%";
            case 'e':
                return PythonFloat.Scientific(value, precision < 0 ? 6 : precision, alternate);
            case 'g' or 'n':
                return PythonFloat.General(value, precision < 0 ? 6 : precision, alternate);
            default:
                return precision < 0 ? PythonFloat.Repr(Math.Abs(value))
                    : PythonFloat.General(value, precision, alternate, shortest: true);
        }
    }

    private string Number(bool negative, string prefix, string whole, string rest, int group)
    {
        string lead = (negative ? "-" : sign == '-' ? "" : sign.ToString()) + prefix;
        bool fillsZeros = zero || (align == '=' && fill == "0");
        if (fillsZeros)
            (fill, align) = ("0", '=');
        if (grouping != default)
            whole = Grouped(whole, group, fillsZeros ? width - lead.Length - rest.Length : 0);
        string text = lead + whole + rest;
        if (align == '=' && text.Length < width)
            return lead + string.Concat(Enumerable.Repeat(fill, width - text.Length)) + whole + rest;
        return Padded(text, text.Length, '>');
    }

    /// <summary>Digits in groups, with zeros in front up to a width, a separator never first.</summary>
    private string Grouped(string digits, int group, int least)
    {
        while (digits.Length + ((digits.Length - 1) / group) < least)
            digits = digits.PadLeft(Math.Max(digits.Length + 1, (least * group / (group + 1)) - 1), '0');
        var parts = new List<string>();
        for (int end = digits.Length; end > 0; end -= group)
            parts.Add(digits[Math.Max(0, end - group)..end]);
        parts.Reverse();
        return string.Join(grouping, parts);
    }

    private string Padded(string text, int length, char otherwise)
    {
        int missing = width - length;
        if (missing <= 0)
            return text;
        int before = (align == default ? otherwise : align) switch { '<' => 0, '^' => missing / 2, _ => missing };
        return string.Concat(Enumerable.Repeat(fill, before)) + text
            + string.Concat(Enumerable.Repeat(fill, missing - before));
    }
}
