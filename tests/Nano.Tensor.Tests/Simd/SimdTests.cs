using System.Runtime.Intrinsics;

namespace Nano.Tests;

/// <summary>Generic code that a test runs at one SIMD width.</summary>
public interface IAtWidth
{
    void Run<S, V>() where S : ISimd<V> where V : unmanaged;
}

public static class AtWidth
{
    public static void Run<A>(SimdWidth width, A action) where A : IAtWidth
    {
        if (width == SimdWidth.W512) action.Run<Simd512, Vector512<float>>();
        else if (width == SimdWidth.W256) action.Run<Simd256, Vector256<float>>();
        else if (width == SimdWidth.W128) action.Run<Simd128, Vector128<float>>();
        else action.Run<SimdScalar, float>();
    }
}

/// <summary>Every member of ISimd at every width, lane by lane, against plain C# or against its definition.</summary>
public unsafe class SimdTests
{
    static readonly float[] Values =
    [
        0f, -0f, 1f, -1f, 0.5f, -0.5f, 1.5f, -1.5f, 2.5f, 0.49999997f, 0.1f, -3.3f, 8388607.5f, 8388609f, -1e10f, 3e38f,
        float.MaxValue, float.MinValue, float.Epsilon, -float.Epsilon, 1e-39f, 1.17549435e-38f,
        float.NaN, float.PositiveInfinity, float.NegativeInfinity,
    ];

    /// <summary>The members of three or fewer operands and what they mean for one lane.</summary>
    static readonly Dictionary<string, Func<float, float, float, float>> Meaning = new()
    {
        ["Add"] = (a, b, _) => a + b,
        ["Subtract"] = (a, b, _) => a - b,
        ["Multiply"] = (a, b, _) => a * b,
        ["Divide"] = (a, b, _) => a / b,
        ["Fma"] = MathF.FusedMultiplyAdd,
        ["Sqrt"] = (a, _, _) => MathF.Sqrt(a),
        ["Abs"] = (a, _, _) => float.IsNegative(a) ? -a : a,
        ["Max"] = (a, b, _) => a > b ? a : b,
        ["IfGreater"] = (a, b, c) => a > b ? c : 7f,
        ["CopySign"] = (a, b, _) => float.IsNegative(a) == float.IsNegative(b) ? a : -a,
        ["FirstBFloat16"] = (a, _, _) => BFloat16Tests.Expected(a),
        ["SecondBFloat16"] = (_, b, _) => BFloat16Tests.Expected(b),
        ["Round"] = (a, _, _) => (float)Math.Round((double)a, MidpointRounding.ToEven),
    };

    public static TheoryData<SimdWidth> Widths => [.. SimdWidths.All];

    public static TheoryData<SimdWidth, string> WidthsAndMembers
    {
        get
        {
            var data = new TheoryData<SimdWidth, string>();
            foreach (var width in SimdWidths.All)
                foreach (string member in Meaning.Keys) data.Add(width, member);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(WidthsAndMembers))]
    public void A_lane_means_what_one_float_means(SimdWidth width, string member)
    {
        var (a, b, c) = Triples();
        var results = new float[a.Length];
        AtWidth.Run(width, new Member(member, a, b, c, results));
        for (int i = 0; i < a.Length; i++)
            AssertSame(Meaning[member](a[i], b[i], c[i]), results[i], $"{member}({a[i]:R}, {b[i]:R}, {c[i]:R})");
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Max_and_IfGreater_take_the_second_choice_on_NaN_and_Max_the_second_of_two_zeros(SimdWidth width)
    {
        float[] a = [float.NaN, 3f, 0f, -0f, 2f], b = [3f, float.NaN, -0f, 0f, 1f], c = [5f, 5f, 5f, 5f, 5f];
        AssertResults([3f, float.NaN, -0f, 0f, 2f], width, "Max", a, b, c);
        AssertResults([7f, 7f, 7f, 7f, 5f], width, "IfGreater", a, b, c);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Round_takes_ties_to_even_and_keeps_the_sign_of_zero(SimdWidth width)
    {
        float[] a = [0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 0.49999997f, 8388607.5f, -0.3f, 3e9f];
        AssertResults([0f, 2f, 2f, -0f, -2f, -2f, 0f, 8388608f, -0f, 3e9f], width, "Round", a, a, a);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Fma_rounds_once(SimdWidth width)
    {
        // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: the last term would be lost if the product were rounded.
        float[] a = [1f + 1f / 4096], c = [-(1f + 1f / 2048)];
        AssertResults([1f / 16777216], width, "Fma", a, a, c);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void PowerOfTwo_is_exact_over_its_whole_range(SimdWidth width)
    {
        float[] n = [.. Enumerable.Range(-126, 254).Select(i => (float)i)];
        AssertResults([.. n.Select(e => (float)Math.ScaleB(1.0, (int)e))], width, "PowerOfTwo", n, n, n);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Split_gives_back_every_normal_number_with_a_mantissa_around_one(SimdWidth width)
    {
        float[] x = [.. Enumerable.Range(0, 20_000)
            .Select(i => BitConverter.Int32BitsToSingle(0x00800000 + i * 106_497)).Where(float.IsFinite),
            1f, 0.75f, 0.74999994f, 1.5f, 1.4999999f, 1.17549435e-38f, float.MaxValue];
        float[] mantissa = new float[x.Length], exponent = new float[x.Length];
        AtWidth.Run(width, new Member("Mantissa", x, x, x, mantissa));
        AtWidth.Run(width, new Member("Exponent", x, x, x, exponent));
        for (int i = 0; i < x.Length; i++)
        {
            Assert.InRange(mantissa[i], 0.75f, MathF.BitDecrement(1.5f));
            Assert.Equal((double)x[i], Math.ScaleB((double)mantissa[i], (int)exponent[i]));
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Load_Store_and_Splat_touch_exactly_one_vector_at_any_alignment(SimdWidth width) =>
        AtWidth.Run(width, new LoadStore(width));

    static (float[] A, float[] B, float[] C) Triples()
    {
        int n = Values.Length;
        var all = Enumerable.Range(0, n * n * n).ToArray();
        return ([.. all.Select(i => Values[i / n / n])], [.. all.Select(i => Values[i / n % n])],
            [.. all.Select(i => Values[i % n])]);
    }

    static void AssertResults(float[] expected, SimdWidth width, string member, float[] a, float[] b, float[] c)
    {
        var results = new float[a.Length];
        AtWidth.Run(width, new Member(member, a, b, c, results));
        for (int i = 0; i < a.Length; i++) AssertSame(expected[i], results[i], $"{member}, case {i}");
    }

    /// <summary>The same bits, except that any NaN is as good as another.</summary>
    static void AssertSame(float expected, float actual, string what)
    {
        if (float.IsNaN(expected) && float.IsNaN(actual)) return;
        if (BitConverter.SingleToInt32Bits(expected) != BitConverter.SingleToInt32Bits(actual))
            Assert.Fail($"{what}: {actual:R}, should be {expected:R}");
    }

    /// <summary>Applies one member to whole arrays; the last vector is filled up with zeros.</summary>
    sealed record Member(string Name, float[] A, float[] B, float[] C, float[] Results) : IAtWidth
    {
        public void Run<S, V>() where S : ISimd<V> where V : unmanaged
        {
            float* a = stackalloc float[S.Lanes], b = stackalloc float[S.Lanes], c = stackalloc float[S.Lanes],
                y = stackalloc float[S.Lanes];
            for (int start = 0; start < A.Length; start += S.Lanes)
            {
                int count = Math.Min(S.Lanes, A.Length - start);
                for (int i = 0; i < count; i++) (a[i], b[i], c[i]) = (A[start + i], B[start + i], C[start + i]);
                S.Store(y, Apply<S, V>(S.Load(a), S.Load(b), S.Load(c)));
                for (int i = 0; i < count; i++) Results[start + i] = y[i];
            }
        }

        V Apply<S, V>(V a, V b, V c) where S : ISimd<V> where V : unmanaged => Name switch
        {
            "Add" => S.Add(a, b),
            "Subtract" => S.Subtract(a, b),
            "Multiply" => S.Multiply(a, b),
            "Divide" => S.Divide(a, b),
            "Fma" => S.Fma(a, b, c),
            "Sqrt" => S.Sqrt(a),
            "Abs" => S.Abs(a),
            "Max" => S.Max(a, b),
            "IfGreater" => S.IfGreater(a, b, c, S.Splat(7f)),
            "CopySign" => S.CopySign(a, b),
            "Round" => S.Round(a),
            "FirstBFloat16" => S.FirstBFloat16(S.PairBFloat16(a, b)),
            "SecondBFloat16" => S.SecondBFloat16(S.PairBFloat16(a, b)),
            "PowerOfTwo" => S.PowerOfTwo(a),
            "Mantissa" => S.Split(a).Mantissa,
            "Exponent" => S.Split(a).Exponent,
            _ => throw new ArgumentException(Name),
        };
    }

    sealed record LoadStore(SimdWidth Width) : IAtWidth
    {
        public void Run<S, V>() where S : ISimd<V> where V : unmanaged
        {
            Assert.Equal((int)Width, 32 * S.Lanes);
            float* source = stackalloc float[40], target = stackalloc float[40];
            for (int offset = 0; offset < 17; offset++)
            {
                for (int i = 0; i < 40; i++) (source[i], target[i]) = (i, -1f);
                S.Store(target + offset + 1, S.Load(source + offset));
                for (int i = 0; i < 40; i++)
                    Assert.Equal(i > offset && i <= offset + S.Lanes ? i - 1f : -1f, target[i]);
                S.Store(target + offset, S.Splat(2.5f));
                for (int i = 0; i < S.Lanes; i++) Assert.Equal(2.5f, target[offset + i]);
            }
        }
    }
}
