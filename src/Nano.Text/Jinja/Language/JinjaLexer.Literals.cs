using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.RegularExpressions;

namespace Nano;

/// <summary>Numbers and strings within tags, written as in Python.</summary>
internal sealed partial class JinjaLexer
{
    private const int MaxDigits = 4300;

    [GeneratedRegex(@"\G(?:[0-9]+_)*[0-9]+(?:(?:\.(?:[0-9]+_)*[0-9]+)?[eE][+-]?(?:[0-9]+_)*[0-9]+"
        + @"|\.(?:[0-9]+_)*[0-9]+)")]
    private static partial Regex Float();

    [GeneratedRegex(@"\G(?:0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?[0-9])*|0(?:_?0)*)")]
    private static partial Regex Integer();

    private void Number()
    {
        int start = at;
        // Behind a point stands the number of an element: x.0.1 is x[0][1].
        var match = start > 0 && text[start - 1] == '.' ? Match.Empty : Float().Match(text, start);
        bool isFloat = match.Success;
        if (!isFloat)
            match = Integer().Match(text, start);
        at = start + match.Length;
        string digits = match.Value.Replace("_", "", StringComparison.Ordinal);
        Add(isFloat ? JinjaTokenKind.Float : JinjaTokenKind.Integer, match.Value, start,
            isFloat ? double.Parse(digits, CultureInfo.InvariantCulture) : PythonNumbers.Of(Whole(digits, start)));
    }

    private BigInteger Whole(string digits, int start)
    {
        if (digits.Length > MaxDigits)
            throw source.Error(start, $"an integer of more than {MaxDigits} digits");
        return digits.Length < 2 ? BigInteger.Parse(digits, CultureInfo.InvariantCulture) : digits[1] switch
        {
            'x' or 'X' => BigInteger.Parse("0" + digits[2..], NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture),
            'b' or 'B' => BigInteger.Parse("0" + digits[2..], NumberStyles.AllowBinarySpecifier,
                CultureInfo.InvariantCulture),
            'o' or 'O' => digits[2..].Aggregate(BigInteger.Zero, (value, digit) => (value * 8) + (digit - '0')),
            _ => BigInteger.Parse(digits, CultureInfo.InvariantCulture),
        };
    }

    private string String(char quote)
    {
        int start = at++;
        var value = new StringBuilder();
        for (; at < text.Length && text[at] != quote; at++)
            if (text[at] == '\\')
                Escape(value, start);
            else
                value.Append(text[at]);
        if (at++ >= text.Length)
            throw source.Error(start, "this string does not end");
        return value.ToString();
    }

    /// <summary>
    /// Decodes one escape sequence; stops at its last character. A backslash before anything else
    /// stands for itself.
    /// </summary>
    private void Escape(StringBuilder value, int start)
    {
        char c = ++at < text.Length ? text[at] : throw source.Error(start, "this string does not end");
        int digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0)
        {
            if (at + digits >= text.Length || text.AsSpan(at + 1, digits).ContainsAnyExcept(HexDigits)
                || uint.Parse(text.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier,
                    CultureInfo.InvariantCulture) is var code
                && code > 0x10FFFF)
                throw source.Error(at - 1, $"\\{c} needs {digits} hexadecimal digits");
            Append(value, (int)code);
            at += digits;
        }
        else if (c is >= '0' and <= '7')
        {
            int octal = 0;
            for (int i = 0; i < 3 && at < text.Length && text[at] is >= '0' and <= '7'; i++, at++)
                octal = (octal * 8) + text[at] - '0';
            at--;
            Append(value, octal);
        }
        else if (c == 'N')
            throw source.Error(at - 1, "characters by name are not supported");
        else if ("\n\\'\"abfnrtv".IndexOf(c, StringComparison.Ordinal) is >= 0 and var known)
            value.Append(known > 0 ? "\n\\'\"\a\b\f\n\r\t\v"[known].ToString() : "");
        else if (c < 0x80)
            value.Append('\\').Append(c);
        else // as in Jinja, which encodes the character as an escape sequence first
            value.Append('\\').Append(PythonRepr.Ascii(Character(), new JinjaBudget())[2..^1]);
    }

    private static readonly System.Buffers.SearchValues<char> HexDigits =
        System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");

    private string Character() => char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? text.Substring(at++, 2)
        : text[at].ToString();

    /// <summary>Half of a surrogate pair, which no text in UTF-8 can have, becomes U+FFFD.</summary>
    private static void Append(StringBuilder value, int code) =>
        value.Append(Rune.IsValid(code) ? new Rune(code).ToString() : "\uFFFD");
}
