using System.Globalization;
using System.Numerics;

namespace Nano;

/// <summary>int(text, base).</summary>
internal static class PythonIntegers
{
    private const int MaxDigits = 4300;

    /// <summary>
    /// The integer that a text says, with white space around, a sign and underscores between
    /// digits; null if it says none.
    /// </summary>
    /// <exception cref="JinjaError">The base is not 0 or from 2 to 36.</exception>
    public static object? TryParse(string text, long numberBase, JinjaBudget budget)
    {
        if (numberBase is not 0 and (< 2 or > 36))
            return null;
        string digits = PythonText.Strip(text, null, start: true, end: true);
        bool negative = digits.StartsWith('-');
        if (negative || digits.StartsWith('+'))
            digits = digits[1..];
        digits = digits.ToLowerInvariant();
        int prefix = digits.Length > 2 && digits[0] == '0'
            ? digits[1] switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (prefix != 0 && numberBase is 0 || prefix == numberBase)
        {
            digits = digits[2..];
            numberBase = prefix;
            if (digits.StartsWith('_'))
                digits = digits[1..];
        }
        else if (numberBase == 0)
        {
            if (digits.Length > 1 && digits[0] == '0' && digits.AsSpan().ContainsAnyExcept('0', '_'))
                return null;
            numberBase = 10;
        }
        if (!AreDigits(digits, numberBase))
            return null;
        string plain = digits.Replace("_", "", StringComparison.Ordinal);
        if (plain.Length > MaxDigits)
            return null; // Python refuses such a text with an error that the filter "int" ignores
        budget.Integer(plain.Length * 6L);
        var value = numberBase == 10 && Ascii(plain) ? BigInteger.Parse(plain, CultureInfo.InvariantCulture)
            : plain.Aggregate(BigInteger.Zero, (sum, digit) => (sum * numberBase) + Value(digit));
        return PythonNumbers.Of(negative ? -value : value);
    }

    private static bool Ascii(string digits) => System.Text.Ascii.IsValid(digits);

    private static bool AreDigits(string digits, long numberBase)
    {
        if (digits.Length == 0 || digits[0] == '_' || digits[^1] == '_'
            || digits.Contains("__", StringComparison.Ordinal))
            return false;
        return digits.All(digit => digit == '_' || Value(digit) is var value && value >= 0 && value < numberBase);
    }

    private static int Value(char digit) => digit is >= 'a' and <= 'z' ? digit - 'a' + 10
        : CharUnicodeInfo.GetDecimalDigitValue(digit);
}
