using System.Numerics;

namespace Nano;

/// <summary>
/// Arithmetic with Python's meaning. Integers have as many digits as they need, up to the budget's
/// limit.
/// </summary>
internal static class PythonNumbers
{
    public static bool IsNumber(object? value) => value is long or double or bool or BigInteger;

    public static bool IsInteger(object? value) => value is long or bool or BigInteger;

    /// <summary>An integer in its smallest form.</summary>
    public static object Of(BigInteger value) => value >= long.MinValue && value <= long.MaxValue
        ? (object)(long)value : value;

    /// <summary>The value of an integer or a boolean.</summary>
    public static BigInteger Whole(object value) => value switch
    {
        long number => number,
        bool flag => flag ? 1 : 0,
        _ => (BigInteger)value,
    };

    /// <summary>A number as a float.</summary>
    /// <exception cref="JinjaError">It is beyond what a float holds.</exception>
    public static double Float(object value)
    {
        if (value is double number)
            return number;
        if (value is long or bool)
            return (double)Whole(value);
        double nearest = Nearest((BigInteger)value);
        return double.IsFinite(nearest) ? nearest : throw new JinjaError("an integer is too large for a float");
    }

    /// <summary>
    /// Less than zero, zero or more than zero; null if one is not a number. Exact, also between int
    /// and float.
    /// </summary>
    public static int? Compare(object a, object b)
    {
        if (a is long x && b is long y)
            return x.CompareTo(y);
        if (a is double && b is double)
            return CompareFloats((double)a, (double)b);
        if (a is double f)
            return CompareFloat(f, Whole(b));
        return b is double g ? -CompareFloat(g, Whole(a)) : Whole(a).CompareTo(Whole(b));
    }

    private static int? CompareFloats(double a, double b) =>
        double.IsNaN(a) || double.IsNaN(b) ? null : a.CompareTo(b) switch
        {
            _ when a == b => 0,
            var order => order,
        };

    private static int? CompareFloat(double a, BigInteger b)
    {
        if (double.IsNaN(a))
            return null;
        if (double.IsInfinity(a))
            return a > 0 ? 1 : -1;
        int order = new BigInteger(Math.Truncate(a)).CompareTo(b);
        return order != 0 ? order : (a - Math.Truncate(a)).CompareTo(0);
    }

    /// <summary>a OP b for two numbers, where the operator is one of + - * / // % and **.</summary>
    /// <exception cref="JinjaError">Division by zero, or a result that is too large or not real.</exception>
    public static object Arithmetic(string op, object a, object b, JinjaBudget budget)
    {
        if (op == "**")
            return Power(a, b, budget);
        if (a is double || b is double)
            return Floats(op, Float(a), Float(b));
        if (a is long x && b is long y && Longs(op, x, y) is { } small)
            return small;
        BigInteger left = Whole(a), right = Whole(b);
        budget.Integer(left, right);
        if (op is "/" or "//" or "%" && right.IsZero)
            throw new JinjaError("division by zero");
        return op switch
        {
            "+" => Of(left + right),
            "-" => Of(left - right),
            "*" => Of(left * right),
            "/" => Quotient(left, right),
            "//" => Of(FloorDivide(left, right)),
            _ => Of(left - (right * FloorDivide(left, right))),
        };
    }

    /// <summary>The result where nothing leaves 64 bits; null otherwise.</summary>
    private static object? Longs(string op, long a, long b)
    {
        Int128 result;
        switch (op)
        {
            case "+":
                result = (Int128)a + b;
                break;
            case "-":
                result = (Int128)a - b;
                break;
            case "*":
                result = (Int128)a * b;
                break;
            case "//" or "%" when b is not (0 or -1):
                long floor = a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
                return op == "//" ? floor : a - (b * floor);
            default:
                return null;
        }
        return result >= long.MinValue && result <= long.MaxValue ? (long)result : null;
    }

    private static double Floats(string op, double a, double b)
    {
        if (op is "/" or "//" or "%" && b == 0)
            throw new JinjaError("division by zero");
        return op switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            "//" => FloorDivide(a, b).Quotient,
            _ => FloorDivide(a, b).Modulo,
        };
    }

    /// <summary>Floor division of floats, whose remainder has the divisor's sign and is exact.</summary>
    private static (double Quotient, double Modulo) FloorDivide(double a, double b)
    {
        double rest = a % b, quotient = (a - rest) / b;
        if (rest == 0)
            rest = Math.CopySign(0, b);
        else if ((b < 0) != (rest < 0))
        {
            rest += b;
            quotient -= 1;
        }
        if (quotient == 0)
            return (Math.CopySign(0, a / b), rest);
        double floor = Math.Floor(quotient);
        return (quotient - floor > 0.5 ? floor + 1 : floor, rest);
    }

    private static BigInteger FloorDivide(BigInteger a, BigInteger b)
    {
        var quotient = BigInteger.DivRem(a, b, out var rest);
        return !rest.IsZero && (rest.Sign < 0) != (b.Sign < 0) ? quotient - 1 : quotient;
    }

    /// <summary>The float nearest to a / b, ties to even.</summary>
    private static double Quotient(BigInteger a, BigInteger b)
    {
        // Scaled so that the integer quotient has at least 66 bits, the last of which also stands for the remainder.
        int shift = (int)Math.Max(0, 66 + (long)b.GetBitLength() - (long)a.GetBitLength());
        var quotient = BigInteger.DivRem(BigInteger.Abs(a) << shift, BigInteger.Abs(b), out var rest);
        double value = Nearest((quotient << 1) | (rest.IsZero ? 0 : 1), -shift - 1);
        if (double.IsInfinity(value))
            throw new JinjaError("the quotient is too large for a float");
        return (a.Sign < 0) != (b.Sign < 0) ? -value : value;
    }

    /// <summary>The float nearest to value * 2^exponent, ties to even; infinity beyond the largest.</summary>
    public static double Nearest(BigInteger value, int exponent = 0)
    {
        var magnitude = BigInteger.Abs(value);
        // 53 bits are kept, fewer where the float is subnormal.
        long bits = magnitude.GetBitLength(), drop = Math.Max(bits - 53, -1074L - exponent);
        if (drop > 0)
        {
            var kept = magnitude >> (int)Math.Min(drop, bits + 1);
            var rest = magnitude - (kept << (int)Math.Min(drop, bits + 1));
            int order = drop > bits + 1 ? -1 : rest.CompareTo(BigInteger.One << (int)(drop - 1));
            magnitude = order > 0 || (order == 0 && !kept.IsEven) ? kept + 1 : kept;
            exponent += (int)drop;
        }
        double result = exponent + (long)magnitude.GetBitLength() > 1024 ? double.PositiveInfinity
            : Math.ScaleB((double)magnitude, exponent);
        return value.Sign < 0 ? -result : result;
    }

    private static object Power(object a, object b, JinjaBudget budget)
    {
        if (a is not double && b is not double && Whole(b).Sign >= 0)
        {
            BigInteger radix = Whole(a), exponent = Whole(b);
            if (radix.IsZero || radix.IsOne || exponent.IsZero)
                return exponent.IsZero ? 1L : Of(radix);
            if (radix == BigInteger.MinusOne)
                return exponent.IsEven ? 1L : -1L;
            if (exponent > int.MaxValue)
                throw new JinjaError("the result of '**' is too large");
            budget.Integer((long)radix.GetBitLength() * (long)exponent);
            return Of(BigInteger.Pow(radix, (int)exponent));
        }
        double x = Float(a), y = Float(b);
        if (x == 0 && y < 0)
            throw new JinjaError("division by zero: 0 has no negative power");
        if (x < 0 && double.IsFinite(x) && double.IsFinite(y) && y != Math.Floor(y))
            throw new JinjaError("the result of '**' is a complex number");
        double power = Math.Pow(x, y);
        return double.IsInfinity(power) && double.IsFinite(x) && double.IsFinite(y)
            ? throw new JinjaError("the result of '**' is too large") : power;
    }

    /// <summary>-value.</summary>
    public static object Negate(object value) => value is double number ? -number : Of(-Whole(value));

    /// <summary>The integer part of a number.</summary>
    /// <exception cref="JinjaError">It is infinite or not a number.</exception>
    public static object Truncate(object value) => value is double number
        ? double.IsFinite(number) ? Of(new BigInteger(number))
            : throw new JinjaError("a float without a value has no integer part")
        : Of(Whole(value));

    /// <summary>round(value, digits): to even where both neighbours are as near.</summary>
    public static object Round(object value, long digits, JinjaBudget budget)
    {
        if (value is double number)
            return !double.IsFinite(number) || number == 0 || digits > 330 ? number
                : digits < -330 ? Math.CopySign(0, number)
                : PythonFloat.Parse(PythonFloat.Rounded(number, (int)digits)) is var rounded && double.IsFinite(rounded)
                ? rounded
                : throw new JinjaError("the rounded value is too large for a float");
        var whole = Whole(value);
        if (digits >= 0)
            return Of(whole);
        if (-digits > 20_000)
            return 0L;
        budget.Integer(-digits * 4);
        return Of(PythonFloat.RoundedQuotient(whole, BigInteger.Pow(10, (int)-digits))
            * BigInteger.Pow(10, (int)-digits));
    }
}
