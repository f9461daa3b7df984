namespace Nano.Tests;

/// <summary>
/// SimdMath against double precision over a dense sweep of all floats (every 1021st: about 4.2
/// million, all mantissa endings), plus the neighbourhood of every point where a formula changes.
/// </summary>
public unsafe class SimdMathTests
{
    const int Stride = 1021, Block = 4096;

    public enum Function { Exp, ExpNonPositive, ExpNormalOrZero, Log, Sigmoid, Tanh, Erf }

    /// <summary>The bounds that the docstrings state, in ulp.</summary>
    static double Bound(Function f) => f switch
    {
        Function.Exp or Function.ExpNonPositive or Function.ExpNormalOrZero => 1.0,
        Function.Log => 1.5,
        Function.Tanh => 2.6,
        _ => 2.5,
    };

    static double Reference(Function f, double x) => f switch
    {
        Function.Exp or Function.ExpNonPositive => Math.Exp(x),
        Function.ExpNormalOrZero => x < -87 ? 0 : Math.Exp(x),
        Function.Log => Math.Log(x),
        Function.Sigmoid => x < 0 ? Math.Exp(x) / (1 + Math.Exp(x)) : 1 / (1 + Math.Exp(-x)),
        Function.Tanh => Math.Tanh(x),
        _ => Erf(x),
    };

    public static TheoryData<Function> Functions => [.. Enum.GetValues<Function>()];

    public static TheoryData<SimdWidth, Function> WidthsAndFunctions
    {
        get
        {
            var data = new TheoryData<SimdWidth, Function>();
            foreach (var width in SimdWidths.All)
                foreach (var f in Enum.GetValues<Function>()) data.Add(width, f);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void Errors_stay_within_the_stated_bound(Function f)
    {
        double worst = 0, worstAt = 0;
        var results = new float[Block];
        foreach (float[] x in Inputs(f))
        {
            AtWidth.Run(SimdWidth.Scalar, new Map(f, x, results));
            for (int i = 0; i < x.Length; i++)
            {
                double error = ErrorInUlps(results[i], Reference(f, x[i]));
                if (!(error <= worst)) (worst, worstAt) = (error, x[i]);
            }
        }
        Assert.True(worst <= Bound(f), $"{f}({worstAt:R}) is {worst} ulp off, the bound is {Bound(f)}");
        Assert.True(worst > 0.5 * Bound(f),
            $"{f} is never more than {worst} ulp off: its bound of {Bound(f)} could be tightened");
    }

    [Theory]
    [MemberData(nameof(WidthsAndFunctions))]
    public void Every_width_gives_the_same_bits(SimdWidth width, Function f)
    {
        float[] scalar = new float[Block], vector = new float[Block];
        foreach (float[] x in Inputs(f))
        {
            AtWidth.Run(SimdWidth.Scalar, new Map(f, x, scalar));
            AtWidth.Run(width, new Map(f, x, vector));
            if (SameBits(scalar, vector, x.Length)) continue;
            for (int i = 0; i < x.Length; i++)
                if (!SameBits(scalar[i], vector[i]))
                    Assert.Fail($"{f}({x[i]:R}): {vector[i]:R} at {width}, {scalar[i]:R} for scalars");
        }
    }

    public static TheoryData<Function, float, float> SpecialValues => new()
    {
        { Function.Exp, 0f, 1f },
        { Function.Exp, -0f, 1f },
        { Function.Exp, float.Epsilon, 1f },
        { Function.Exp, float.PositiveInfinity, float.PositiveInfinity },
        { Function.Exp, float.MaxValue, float.PositiveInfinity },
        { Function.Exp, 88.72284f, float.PositiveInfinity },
        { Function.Exp, 88.72283f, 3.40279851e38f },
        { Function.Exp, -103.97207f, float.Epsilon },
        { Function.Exp, -103.97209f, 0f },
        { Function.Exp, float.MinValue, 0f },
        { Function.Exp, float.NegativeInfinity, 0f },
        { Function.Exp, float.NaN, float.NaN },
        { Function.ExpNonPositive, 0f, 1f },
        { Function.ExpNonPositive, float.NegativeInfinity, 0f },
        { Function.ExpNonPositive, float.NaN, float.NaN },
        { Function.ExpNormalOrZero, 0f, 1f },
        { Function.ExpNormalOrZero, -87.00001f, 0f },
        { Function.ExpNormalOrZero, float.NegativeInfinity, 0f },
        { Function.ExpNormalOrZero, float.NaN, float.NaN },
        { Function.Log, 1f, 0f },
        { Function.Log, 0f, float.NegativeInfinity },
        { Function.Log, -0f, float.NegativeInfinity },
        { Function.Log, -1f, float.NaN },
        { Function.Log, -float.Epsilon, float.NaN },
        { Function.Log, float.NegativeInfinity, float.NaN },
        { Function.Log, float.PositiveInfinity, float.PositiveInfinity },
        { Function.Log, float.NaN, float.NaN },
        { Function.Log, float.Epsilon, -103.278929f },
        { Function.Log, float.MaxValue, 88.7228394f },
        { Function.Sigmoid, 0f, 0.5f },
        { Function.Sigmoid, float.PositiveInfinity, 1f },
        { Function.Sigmoid, float.NegativeInfinity, 0f },
        { Function.Sigmoid, float.MaxValue, 1f },
        { Function.Sigmoid, float.MinValue, 0f },
        { Function.Sigmoid, float.NaN, float.NaN },
        { Function.Tanh, 0f, 0f },
        { Function.Tanh, -0f, -0f },
        { Function.Tanh, -float.Epsilon, -float.Epsilon },
        { Function.Tanh, float.PositiveInfinity, 1f },
        { Function.Tanh, float.NegativeInfinity, -1f },
        { Function.Tanh, float.MaxValue, 1f },
        { Function.Tanh, float.NaN, float.NaN },
        { Function.Erf, 0f, 0f },
        { Function.Erf, -0f, -0f },
        { Function.Erf, -float.Epsilon, -float.Epsilon },
        { Function.Erf, float.PositiveInfinity, 1f },
        { Function.Erf, float.NegativeInfinity, -1f },
        { Function.Erf, float.MaxValue, 1f },
        { Function.Erf, float.NaN, float.NaN },
    };

    [Theory]
    [MemberData(nameof(SpecialValues))]
    public void Special_values_are_exact_at_every_width(Function f, float x, float expected)
    {
        var result = new float[1];
        foreach (var width in SimdWidths.All)
        {
            AtWidth.Run(width, new Map(f, [x], result));
            Assert.True(SameBits(expected, result[0]) || (float.IsNaN(expected) && float.IsNaN(result[0])),
                $"{f}({x:R}) at {width} is {result[0]:R}, should be {expected:R}");
        }
    }

    [Fact]
    public void ExpNonPositive_gives_the_bits_of_Exp()
    {
        float[] exp = new float[Block], nonPositive = new float[Block];
        foreach (float[] x in Inputs(Function.ExpNonPositive))
        {
            AtWidth.Run(SimdWidth.W256, new Map(Function.Exp, x, exp));
            AtWidth.Run(SimdWidth.W256, new Map(Function.ExpNonPositive, x, nonPositive));
            Assert.True(SameBits(exp, nonPositive, x.Length));
        }
    }

    [Fact]
    public void ExpNormalOrZero_gives_the_bits_of_Exp_where_it_is_not_zero()
    {
        float[] exp = new float[Block], normal = new float[Block];
        foreach (float[] x in Inputs(Function.ExpNormalOrZero))
        {
            AtWidth.Run(SimdWidth.W256, new Map(Function.Exp, x, exp));
            AtWidth.Run(SimdWidth.W256, new Map(Function.ExpNormalOrZero, x, normal));
            for (int i = 0; i < x.Length; i++)
                Assert.True(SameBits(x[i] < -87 ? 0 : exp[i], normal[i]), $"{x[i]:R} gives {normal[i]:R}");
        }
    }

    [Theory]
    [InlineData(0.1, 0.1124629160182849)]
    [InlineData(0.5, 0.5204998778130465)]
    [InlineData(1.0, 0.8427007929497149)]
    [InlineData(2.0, 0.9953222650189527)]
    [InlineData(2.9999999999999996, 0.9999779095030014)]
    [InlineData(3.0, 0.9999779095030014)]
    [InlineData(3.5, 0.9999992569016276)]
    [InlineData(-1.0, -0.8427007929497149)]
    public void The_reference_for_erf_agrees_with_published_values(double x, double expected) =>
        Assert.Equal(expected, Erf(x), 2e-15);

    /// <summary>
    /// erf in double precision. |x| &lt; 3: 2/sqrt(pi) e^(-x^2) (x + 2x^3/3 + 4x^5/15 + ...), all
    /// terms of one sign (Abramowitz and Stegun 7.1.6). Above: the continued fraction of erfc
    /// (7.1.14), evaluated from its 60th term upwards.
    /// </summary>
    static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (double.IsNaN(x) || a > 6) return double.IsNaN(x) ? x : Math.Sign(x);
        if (a < 3)
        {
            double term = x, sum = x;
            for (int n = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); n++) sum += term *= 2 * x * x / (2 * n + 1);
            return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
        }
        double fraction = a;
        for (int n = 60; n >= 1; n--) fraction = a + n / 2.0 / fraction;
        return Math.Sign(x) * (1 - Math.Exp(-a * a) / (Math.Sqrt(Math.PI) * fraction));
    }

    /// <summary>
    /// |y - t| in spacings of float32 at t. Where t rounds to infinity or is NaN, y must be just
    /// that: anything else is infinitely wrong.
    /// </summary>
    static double ErrorInUlps(float y, double t)
    {
        if (!float.IsFinite((float)t))
            return SameBits(y, (float)t) || (double.IsNaN(t) && float.IsNaN(y)) ? 0 : double.PositiveInfinity;
        if (!float.IsFinite(y)) return double.PositiveInfinity;
        int exponent = t == 0 ? -126 : Math.Max(Math.ILogB(t), -126);
        return Math.Abs(y - t) / Math.ScaleB(1.0, exponent - 23);
    }

    /// <summary>
    /// Every Stride-th float of all 2^32, then the special points, in blocks; only x &lt;= 0 and
    /// NaN for functions of those.
    /// </summary>
    static IEnumerable<float[]> Inputs(Function f)
    {
        var sweep = new float[Block];
        int count = 0;
        for (long bits = 0; bits <= uint.MaxValue; bits += Stride)
        {
            float x = BitConverter.UInt32BitsToSingle((uint)bits);
            if (IsForNonPositive(f) && x > 0) continue;
            sweep[count++] = x;
            if (count < Block) continue;
            yield return sweep;
            count = 0;
        }
        yield return sweep[..count];
        foreach (float[] block in SpecialPoints().Where(x => !IsForNonPositive(f) || !(x > 0)).Chunk(Block))
            yield return block;
    }

    static bool IsForNonPositive(Function f) => f is Function.ExpNonPositive or Function.ExpNormalOrZero;

    /// <summary>
    /// Four floats to either side of every boundary of a reduction, clamp, overflow or underflow,
    /// and of 0, 1 and the extremes.
    /// </summary>
    static IEnumerable<float> SpecialPoints()
    {
        double ln2 = Math.Log(2);
        IEnumerable<double> points = [0, float.Epsilon, 1.17549435e-38, float.MaxValue, 88.72284, 89, 87.33655,
            103.27893, 103.97208, 104, 10, 9.0109, 3.925, 3.92, 88.37627,
            .. Enumerable.Range(0, 152).SelectMany(n => (double[])[(n + 0.5) * ln2, (n + 0.5) * ln2 / 2, n * ln2]),
            .. Enumerable.Range(-149, 277)
                .SelectMany(e => (double[])[Math.ScaleB(1, e), Math.ScaleB(1.5, e), Math.ScaleB(0.75, e)])];
        foreach (float point in points.Select(p => (float)p))
        {
            for (int step = -4; step <= 4; step++)
            {
                float x = BitConverter.Int32BitsToSingle(Math.Max(0, BitConverter.SingleToInt32Bits(point) + step));
                yield return x;
                yield return -x;
            }
        }
    }

    static bool SameBits(float a, float b) => BitConverter.SingleToInt32Bits(a) == BitConverter.SingleToInt32Bits(b);

    static bool SameBits(float[] a, float[] b, int count)
    {
        for (int i = 0; i < count; i++)
            if (!SameBits(a[i], b[i])) return false;
        return true;
    }

    /// <summary>Applies one function to an array; the last vector is filled up with zeros.</summary>
    sealed record Map(Function Function, float[] X, float[] Results) : IAtWidth
    {
        public void Run<S, V>() where S : ISimd<V> where V : unmanaged
        {
            int whole = X.Length / S.Lanes * S.Lanes;
            fixed (float* x = X, y = Results)
            {
                for (int i = 0; i < whole; i += S.Lanes) S.Store(y + i, Apply<S, V>(S.Load(x + i)));
                float* rest = stackalloc float[S.Lanes];
                for (int i = whole; i < X.Length; i++) rest[i - whole] = x[i];
                S.Store(rest, Apply<S, V>(S.Load(rest)));
                for (int i = whole; i < X.Length; i++) y[i] = rest[i - whole];
            }
        }

        V Apply<S, V>(V x) where S : ISimd<V> where V : unmanaged => Function switch
        {
            Function.Exp => SimdMath.Exp<S, V>(x),
            Function.ExpNonPositive => SimdMath.ExpNonPositive<S, V>(x),
            Function.ExpNormalOrZero => SimdMath.ExpNormalOrZero<S, V>(x),
            Function.Log => SimdMath.Log<S, V>(x),
            Function.Sigmoid => SimdMath.Sigmoid<S, V>(x),
            Function.Tanh => SimdMath.Tanh<S, V>(x),
            _ => SimdMath.Erf<S, V>(x),
        };
    }
}
