using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// exp, log, tanh, erf and the logistic function, written once over <see cref="ISimd{V}"/>: every
/// step is a correctly rounded or exact operation, so a value has the same bits at every width.
/// Coefficients are minimax fits by bench/fit_simdmath.py. An ulp is the spacing of float32 at the
/// true value (2^-149 below 2^-126). The errors given are the largest over every float32 input,
/// against double precision; the bounds, rounded up from them, are asserted by SimdMathTests.
/// Instruction counts are those of AVX-512, where CopySign is one ternary logic operation;
/// constants are not counted.
/// </summary>
public static class SimdMath
{
    private const float Log2E = 1.44269502f;

    // ln 2 = Ln2 + Ln2Low. By luck float32 holds ln 2 to 2.75e-9 of itself, so Ln2 alone serves wherever the
    // argument is not large.
    private const float Ln2 = 0.693147182f;
    private const float Ln2Low = -1.90465421e-9f;

    // exp(-87) is 1.4 times the smallest normal number.
    private const float ExpLowestNormal = -87f;

    // exp(-104) is below half the smallest subnormal, exp(89) above the largest float.
    private const float ExpLowest = -104f, ExpHighest = 89f;

    // tanh(10) and erf(3.925) are the first to round to 1, with some room; exp(2 * 10) is far from overflow.
    private const float TanhHighest = 10f, ErfHighest = 3.925f;

    private const float SmallestNormal = 1.17549435e-38f;
    private const float TwoTo24 = 16777216f, TwoToMinus24 = 1f / TwoTo24;

    /// <summary>
    /// e^x for every x: NaN stays NaN, +inf and x &gt;= 88.72284 give +inf, -inf and x &lt;
    /// -103.973 give 0, results below 2^-126 are rounded once to a subnormal. Error at most 1 ulp
    /// (measured 0.93; subnormal results 0.86). 23 instructions.
    /// </summary>
    /// <remarks>
    /// x = n ln 2 + r with n = round(x / ln 2), |r| &lt;= ln(2)/2: by fused multiply-add the first
    /// subtraction is exact, the second brings in the low part of ln 2. e^x = 2^n (1 + r + r^2
    /// P(r)), P as in <see cref="ExpTail"/>. n lies in [-150, 128] and one power of two only
    /// reaches [-126, 127], so the last scaling is by 2^(n+24) 2^-24 or 2^(n-1) 2; only its final
    /// product can round.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V highest = S.Splat(ExpHighest), zero = S.Splat(0f);
        x = S.Max(S.Splat(ExpLowest), S.IfGreater(x, highest, highest, x));
        var (n, power) = ExpParts<S, V>(x);
        V shift = S.IfGreater(x, zero, S.Splat(-1f), S.Splat(24f));
        V unshift = S.IfGreater(x, zero, S.Splat(2f), S.Splat(TwoToMinus24));
        return S.Multiply(S.Multiply(power, unshift), S.PowerOfTwo(S.Add(n, shift)));
    }

    /// <summary>
    /// e^x for x &lt;= 0 or NaN (-inf included), as softmax needs it: the bits of <see cref="Exp"/>
    /// in 18 instructions instead of 23. Above 70 the result is garbage.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ExpNonPositive<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        var (n, power) = ExpParts<S, V>(S.Max(S.Splat(ExpLowest), x));
        return S.Multiply(S.Multiply(power, S.Splat(TwoToMinus24)), S.PowerOfTwo(S.Add(n, S.Splat(24f))));
    }

    /// <summary>
    /// e^x for x &lt;= 0 or NaN as <see cref="ExpNonPositive"/>, but 0 for x &lt; -87, where
    /// results become subnormal: processors are slow at those, and attention's masked scores would
    /// all pass through them.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ExpNormalOrZero<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V lowest = S.Splat(ExpLowestNormal);
        var (n, power) = ExpParts<S, V>(S.Max(lowest, x));
        return S.IfGreater(lowest, x, S.Splat(0f), S.Multiply(power, S.PowerOfTwo(n)));
    }

    /// <summary>
    /// The natural logarithm: 0 (of either sign) gives -inf, x &lt; 0 gives NaN, NaN stays NaN,
    /// +inf stays +inf, subnormals are right. Error at most 1.5 ulp (measured 1.26), relative near
    /// 1 too. 27 instructions.
    /// </summary>
    /// <remarks>
    /// x = 2^e (1 + f) with f in [-0.25, 0.5), subnormals multiplied by 2^24 first; log x = e ln 2
    /// + f + f^2 P(f). P, of degree 7, is fitted to (log(1 + f) - f) / f^2 with the relative error
    /// of log(1 + f) as weight: 2.8e-8. The interval keeps e = 0 around x = 1, so nothing cancels
    /// there.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V smallest = S.Splat(SmallestNormal), zero = S.Splat(0f);
        var (mantissa, exponent) = S.Split(S.IfGreater(smallest, x, S.Multiply(x, S.Splat(TwoTo24)), x));
        exponent = S.Subtract(exponent, S.IfGreater(smallest, x, S.Splat(24f), zero));
        V f = S.Subtract(mantissa, S.Splat(1f));
        V f2 = S.Multiply(f, f);
        V p = Degree7<S, V>(f, f2,
            -0.500000596f, 0.333335459f, -0.249934912f, 0.19977206f, -0.168223143f, 0.149823427f, -0.120673448f,
            0.0541505367f);
        V log = S.Fma(exponent, S.Splat(Ln2), S.Fma(f2, p, f));

        // Where x > 0 fails: NaN below zero; 0 - inf and NaN - inf are what 0 and NaN should give.
        V special = S.IfGreater(zero, x, S.Splat(float.NaN), S.Subtract(x, S.Splat(float.PositiveInfinity)));
        return S.IfGreater(x, S.Splat(float.MaxValue), x, S.IfGreater(x, zero, log, special));
    }

    /// <summary>
    /// 1 / (1 + e^-x): 0 at -inf, 1 at +inf, NaN stays NaN, and relative accuracy for negative x
    /// down to subnormal results. Error at most 2.5 ulp (measured 2.41; absolute 9.0e-8). 23
    /// instructions, one of them a division.
    /// </summary>
    /// <remarks>With e = e^-|x|, which cannot overflow: 1 / (1 + e) for x &gt;= 0, e / (1 + e)
    /// below.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V one = S.Splat(1f);
        V e = ExpNonPositive<S, V>(S.CopySign(x, S.Splat(-1f)));
        return S.Divide(S.IfGreater(S.Splat(0f), x, e, one), S.Add(one, e));
    }

    /// <summary>
    /// The hyperbolic tangent: odd, so -0 stays -0; +-1 from about |x| = 9.01 to infinity; NaN
    /// stays NaN. Error at most 2.6 ulp (measured 2.57; absolute 9.0e-8); subnormal x are returned
    /// as they are. 21 instructions, one of them a division.
    /// </summary>
    /// <remarks>
    /// tanh a = m / (m + 2) with m = e^2a - 1 and a = min(|x|, 10). m keeps its relative accuracy
    /// towards 0, so one formula serves everywhere and there is no second polynomial to blend in.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V a = S.Abs(x), highest = S.Splat(TanhHighest);
        a = S.IfGreater(a, highest, highest, a);
        V m = ExpLessOne<S, V>(S.Add(a, a));
        return S.CopySign(S.Divide(m, S.Add(m, S.Splat(2f))), x);
    }

    /// <summary>
    /// The error function 2/sqrt(pi) times the integral of e^-t^2 from 0 to x: odd, +-1 from about
    /// |x| = 3.92 to infinity, NaN stays NaN. Error at most 2.5 ulp (measured 2.49; absolute
    /// 8.4e-8). 27 instructions.
    /// </summary>
    /// <remarks>
    /// With b = -min(|x|, 3.925), erf b = e^t - 1 where t = log(1 + erf b) = b + b P(b), smooth all
    /// the way from 0: one formula serves everywhere. P, of degree 7, is fitted to t / b - 1 on
    /// [-3.925, 0] with the relative error of erf as weight: 3.9e-8. Leaving out 1 from t / b
    /// (which is 2/sqrt(pi) = 1.128... at 0) makes the rounding of P count an eighth.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Erf<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V b = S.Max(S.Splat(-ErfHighest), S.CopySign(x, S.Splat(-1f)));
        V p = Degree7<S, V>(b, S.Multiply(b, b),
            0.128379211f, -0.63661623f, 0.102817245f, 0.0193321779f, 0.000222754243f, -0.00123861129f, -0.000376421609f,
            -4.01482248e-05f);
        return S.CopySign(ExpLessOne<S, V>(S.Fma(b, p, b)), x);
    }

    /// <summary>n and e^r for x = n ln 2 + r. 10 instructions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V N, V Power) ExpParts<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V n = S.Round(S.Multiply(x, S.Splat(Log2E)));
        V r = S.Fma(n, S.Splat(-Ln2), x);
        r = S.Fma(n, S.Splat(-Ln2Low), r);
        return (n, Step<S, V>(Step<S, V>(ExpTail<S, V>(r), r, 1f), r, 1f));
    }

    /// <summary>
    /// e^x - 1 for |x| up to 80, to about 1 ulp in itself and with ln 2 in one part: for results
    /// that do not magnify a relative error of x. 2^n - 1 is exact or as good as, and at n = 0
    /// nothing is added to e^r - 1. 14 instructions.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static V ExpLessOne<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V n = S.Round(S.Multiply(x, S.Splat(Log2E)));
        V r = S.Fma(n, S.Splat(-Ln2), x);
        V lessOne = S.Fma(S.Multiply(r, r), ExpTail<S, V>(r), r);
        V power = S.PowerOfTwo(n);
        return S.Fma(power, lessOne, S.Subtract(power, S.Splat(1f)));
    }

    /// <summary>
    /// P(r) with e^r = 1 + r + r^2 P(r) for |r| &lt;= ln(2)/2: degree 4, fitted with the relative
    /// error of e^r - 1 as weight: 1.4e-8.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V ExpTail<S, V>(V r) where S : ISimd<V> where V : unmanaged
    {
        V p = Step<S, V>(S.Splat(0.00138696795f), r, 0.00836624857f);
        p = Step<S, V>(p, r, 0.0416674465f);
        p = Step<S, V>(p, r, 0.166665465f);
        return Step<S, V>(p, r, 0.49999997f);
    }

    /// <summary>
    /// c0 + c1 x + ... + c7 x^7 by Horner's rule in x^2 on pairs of terms: 7 instructions like
    /// Horner's in x, waiting 4 deep instead of 7.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Degree7<S, V>(V x, V x2, float c0, float c1, float c2, float c3, float c4, float c5, float c6,
        float c7) where S : ISimd<V> where V : unmanaged
    {
        V p = S.Fma(Step<S, V>(S.Splat(c7), x, c6), x2, Step<S, V>(S.Splat(c5), x, c4));
        p = S.Fma(p, x2, Step<S, V>(S.Splat(c3), x, c2));
        return S.Fma(p, x2, Step<S, V>(S.Splat(c1), x, c0));
    }

    /// <summary>One step of Horner's rule, p * x + c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Step<S, V>(V p, V x, float c) where S : ISimd<V> where V : unmanaged => S.Fma(p, x, S.Splat(c));
}
