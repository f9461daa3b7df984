using System.Globalization;
using System.Numerics;

namespace Nano;

/// <summary>Floats as text: repr's shortest digits, and exact decimals correctly rounded (ties to even).</summary>
internal static class PythonFloat
{
    /// <summary>repr of a float: the shortest digits that give the same number again.</summary>
    public static string Repr(double value)
    {
        if (double.IsNaN(value))
            return "nan";
        if (double.IsInfinity(value))
            return value > 0 ? "inf" : "-inf";
        var (digits, exponent) = Parts(Math.Abs(value).ToString("R", CultureInfo.InvariantCulture));
        string sign = double.IsNegative(value) ? "-" : "";
        if (exponent is >= -4 and < 16)
            return sign + Plain(digits, exponent, alwaysPoint: true);
        return $"{sign}{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}{Exponent(exponent)}";
    }

    /// <summary>The digits of a decimal number without zeros at either end, and the exponent of the first.</summary>
    private static (string Digits, int Exponent) Parts(string text)
    {
        int e = text.IndexOf('E', StringComparison.Ordinal);
        int exponent = e < 0 ? 0
            : int.Parse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? text : text[..e];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        exponent += (point < 0 ? digits.Length : point) - 1;
        string significant = digits.TrimStart('0');
        exponent -= digits.Length - significant.Length;
        significant = significant.TrimEnd('0');
        return significant.Length == 0 ? ("0", 0) : (significant, exponent);
    }

    /// <summary>Digits with the point where it belongs.</summary>
    private static string Plain(string digits, int exponent, bool alwaysPoint)
    {
        if (exponent < 0)
            return "0." + new string('0', -exponent - 1) + digits;
        if (digits.Length <= exponent + 1)
            return digits + new string('0', exponent + 1 - digits.Length) + (alwaysPoint ? ".0" : "");
        return digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
    }

    private static string Exponent(int exponent) => string.Create(CultureInfo.InvariantCulture,
        $"e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):D2}");

    /// <summary>float(text): the number that a text says.</summary>
    /// <exception cref="JinjaError">It says none.</exception>
    public static double Parse(string text) =>
        TryParse(text) ?? throw new JinjaError($"{Quoted.Of(text)} is not a number");

    /// <summary>
    /// The number that a text says as Python reads it, with white space around and underscores
    /// between digits.
    /// </summary>
    public static double? TryParse(string text)
    {
        string trimmed = PythonText.Strip(text, null, start: true, end: true);
        string word = trimmed.TrimStart('+', '-').ToLowerInvariant();
        double sign = trimmed.StartsWith('-') ? -1 : 1;
        if (word is "inf" or "infinity" or "nan")
            return trimmed.Length - word.Length > 1 ? null : word == "nan" ? double.NaN
                : sign * double.PositiveInfinity;
        for (int i = 0; i < trimmed.Length; i++)
            if (trimmed[i] == '_' ? i == 0 || i + 1 == trimmed.Length || !char.IsAsciiDigit(trimmed[i - 1])
                || !char.IsAsciiDigit(trimmed[i + 1])
                : !(char.IsAsciiDigit(trimmed[i]) || trimmed[i] is '+' or '-' or '.' or 'e' or 'E'))
                return null;
        return double.TryParse(trimmed.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float,
            CultureInfo.InvariantCulture,
            out double number) ? number : null;
    }

    /// <summary>A quotient rounded to the nearest integer, ties to even; the divisor is positive.</summary>
    public static BigInteger RoundedQuotient(BigInteger a, BigInteger b)
    {
        var quotient = BigInteger.DivRem(BigInteger.Abs(a), b, out var rest);
        int order = (rest << 1).CompareTo(b);
        if (order > 0 || (order == 0 && !quotient.IsEven))
            quotient += 1;
        return a.Sign < 0 ? -quotient : quotient;
    }

    /// <summary>|value| * 10^digits as the nearest integer.</summary>
    private static BigInteger Scaled(double value, int digits)
    {
        long bits = BitConverter.DoubleToInt64Bits(Math.Abs(value));
        int exponent = (int)(bits >> 52);
        long mantissa = (bits & ((1L << 52) - 1)) | (exponent > 0 ? 1L << 52 : 0);
        exponent = Math.Max(exponent, 1) - 1075;
        BigInteger top = mantissa, bottom = BigInteger.One;
        if (digits >= 0)
            top *= BigInteger.Pow(10, digits);
        else
            bottom *= BigInteger.Pow(10, -digits);
        if (exponent >= 0)
            top <<= exponent;
        else
            bottom <<= -exponent;
        return RoundedQuotient(top, bottom);
    }

    /// <summary>
    /// A finite float rounded to a number of decimals, which may be negative, as text that Parse
    /// reads.
    /// </summary>
    public static string Rounded(double value, int digits) => string.Create(CultureInfo.InvariantCulture,
        $"{(double.IsNegative(value) ? "-" : "")}{Scaled(value, digits)}e{-digits}");

    /// <summary>|value| with a fixed number of decimals (format 'f').</summary>
    public static string Fixed(double value, int decimals)
    {
        string digits = Scaled(value, decimals).ToString(CultureInfo.InvariantCulture).PadLeft(decimals + 1, '0');
        return decimals == 0 ? digits : digits[..^decimals] + "." + digits[^decimals..];
    }

    /// <summary>|value| rounded to a number of significant digits, and the exponent of the first.</summary>
    private static (string Digits, int Exponent) Significant(double value, int count)
    {
        if (value == 0)
            return (new string('0', count), 0);
        int exponent = (int)Math.Floor(Math.Log10(Math.Abs(value)));
        while (true)
        {
            string digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
            if (digits.Length == count)
                return (digits, exponent);
            exponent += digits.Length > count ? 1 : -1;
        }
    }

    /// <summary>|value| with one digit before the point and an exponent (format 'e').</summary>
    public static string Scientific(double value, int decimals, bool keepPoint = false)
    {
        var (digits, exponent) = Significant(value, decimals + 1);
        return digits[..1] + (decimals > 0 || keepPoint ? "." : "") + digits[1..] + Exponent(exponent);
    }

    /// <summary>
    /// |value| with a number of significant digits, plain or with an exponent, whichever suits
    /// (format 'g').
    /// </summary>
    /// <param name="value">The number.</param>
    /// <param name="precision">The number of significant digits.</param>
    /// <param name="keepZeros">Keeps zeros at the end (the alternate form).</param>
    /// <param name="shortest">Plain up to 16 digits, with ".0" where it is whole: how a float
    /// without a type is written.</param>
    public static string General(double value, int precision, bool keepZeros, bool shortest = false)
    {
        precision = Math.Max(1, precision);
        var (digits, exponent) = Significant(value, precision);
        if (!keepZeros)
            digits = digits.TrimEnd('0') is { Length: > 0 } trimmed ? trimmed : "0";
        if (exponent >= -4 && exponent < (shortest ? precision - 1 : precision))
        {
            string plain = Plain(digits, exponent, alwaysPoint: shortest);
            return keepZeros && !plain.Contains('.', StringComparison.Ordinal) ? plain + "." : plain;
        }
        return digits[..1] + (digits.Length > 1 || keepZeros ? "." : "") + digits[1..] + Exponent(exponent);
    }
}
