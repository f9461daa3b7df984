using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

public class SamplerTests
{
    const int Draws = 40_000;

    static readonly SamplerOptions Plain = new() { Temperature = 1, TopK = 0, TopP = 1 };

    // Logits of the probabilities 0.15, 0.5, 0.05, 0.3: ids in falling order 1, 3, 0, 2.
    static readonly float[] Four = [.. new[] { 0.15, 0.5, 0.05, 0.3 }.Select(p => (float)Math.Log(p))];

    [Fact]
    public void Temperature_zero_takes_the_largest_and_of_equals_the_first()
    {
        var sampler = new Sampler(new SamplerOptions { Temperature = 0, TopK = 3, TopP = 0.5 });
        Assert.Equal(1, sampler.Next(Four, 0));
        Assert.Equal(0, sampler.Next([2, 2, 2], 0));
        Assert.Equal(1, sampler.Next([-3, -1, -2, -1], 0));
        Assert.Equal(2, sampler.Next([float.NegativeInfinity, float.NegativeInfinity, -1e38f], 0));
        Assert.Equal(0, Sampler.ArgMax([-0f, 0f]));
    }

    // Worked by hand: what is kept, renormalised.
    [Theory]
    [InlineData(1, 0, 1, new[] { 0.15, 0.5, 0.05, 0.3 })]
    [InlineData(1, 2, 1, new[] { 0, 0.625, 0, 0.375 })]
    [InlineData(1, 1, 1, new[] { 0, 1.0, 0, 0 })]
    [InlineData(1, 100, 1, new[] { 0.15, 0.5, 0.05, 0.3 })]
    [InlineData(1, 0, 0.49, new[] { 0, 1.0, 0, 0 })] // 0.5 reaches it
    [InlineData(1, 0, 0.51, new[] { 0, 0.625, 0, 0.375 })] // 0.5 does not, 0.8 does
    [InlineData(1, 0, 0.79, new[] { 0, 0.625, 0, 0.375 })]
    [InlineData(1, 0, 0.81, new[] { 15 / 95.0, 50 / 95.0, 0, 30 / 95.0 })]
    [InlineData(1, 0, 0.96, new[] { 0.15, 0.5, 0.05, 0.3 })]
    [InlineData(1, 2, 0.6, new[] { 0, 1.0, 0, 0 })] // among the top two the first has 0.625
    [InlineData(0.5, 0, 1, new[] { 0.0225 / 0.365, 0.25 / 0.365, 0.0025 / 0.365, 0.09 / 0.365 })] // squares
    [InlineData(0.5, 0, 0.6, new[] { 0, 1.0, 0, 0 })] // the nucleus is taken after the temperature: 0.25 / 0.365 = 0.68
    public void Frequencies_are_those_of_the_kept_probabilities(double temperature, int topK, double topP,
        double[] expected) =>
        AssertFrequencies(Four, new SamplerOptions
        {
            Temperature = temperature,
            TopK = topK,
            TopP = topP,
            Seed = 3
        }, expected);

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.7)]
    [InlineData(2.5)]
    public void Frequencies_match_softmax(double temperature)
    {
        var random = new Random(5);
        float[] logits = [.. Enumerable.Range(0, 30).Select(_ => (float)(random.NextDouble() * 6 - 3))];
        double[] weights = [.. logits.Select(logit => Math.Exp(logit / temperature))];
        AssertFrequencies(logits, Plain with { Temperature = temperature, Seed = 11 },
            [.. weights.Select(weight => weight / weights.Sum())]);
    }

    [Fact]
    public void Equal_logits_are_equally_likely_and_rank_by_id()
    {
        AssertFrequencies([4, 4, 4, 4, 4], Plain, [0.2, 0.2, 0.2, 0.2, 0.2]);
        AssertFrequencies([4, 4, 4, 4, 4], Plain with { TopK = 2 }, [0.5, 0.5, 0, 0, 0]);
        AssertFrequencies([0, 4, -1, 4, 4], Plain with { TopK = 2 }, [0, 0.5, 0, 0.5, 0]);
        AssertFrequencies([4, 4, 4, 4, 4], Plain with { TopP = 0.5 }, [1 / 3.0, 1 / 3.0, 1 / 3.0, 0, 0]);
        AssertFrequencies([-0f, 0f, -0f], Plain with { TopK = 1 }, [1, 0, 0]); // zeros of both signs are equal
    }

    [Theory]
    [InlineData(1e-300)]
    [InlineData(5e-324)]
    [InlineData(1)]
    [InlineData(1e300)]
    public void Extreme_logits_and_temperatures_are_drawn_by_their_limits(double temperature)
    {
        var options = Plain with { Temperature = temperature };
        double[] top = temperature < 1e300 ? [0, 1, 0] : [0.5, 0.5, 0];
        AssertFrequencies([-float.MaxValue, float.MaxValue, float.NegativeInfinity], options, top);
        AssertFrequencies([1e-45f, 1e-45f, float.NegativeInfinity], options, [0.5, 0.5, 0]);
        AssertFrequencies([float.NegativeInfinity, -7, float.NegativeInfinity], options with { TopP = 0.5 }, [0, 1, 0]);
    }

    [Theory]
    [InlineData(0x7fc00000u)] // NaN of either sign
    [InlineData(0xffc00000u)]
    [InlineData(0x7f800000u)] // infinity
    public void Logits_that_are_no_numbers_are_refused_at_any_temperature(uint bits)
    {
        float bad = BitConverter.UInt32BitsToSingle(bits);
        foreach (double temperature in new[] { 0, 0.8 })
            for (int at = 0; at < 3; at++)
            {
                float[] logits = [1, 2, 3];
                logits[at] = bad;
                var e = Assert.Throws<NanoException>(() =>
                    new Sampler(Plain with { Temperature = temperature }).Next(logits, 0));
                Assert.Contains($"token {at}", e.Message, StringComparison.Ordinal);
            }
    }

    [Fact]
    public void A_draw_is_a_function_of_logits_options_and_position()
    {
        var (a, b) = (new Sampler(Plain), new Sampler(Plain));
        b.Next(Enumerable.Repeat(1f, 100).ToArray(), 8); // another vocabulary before: no state stays
        int[] first = [.. Enumerable.Range(0, 50).Select(i => a.Next(Four, i))];
        Assert.Equal(first, Enumerable.Range(0, 50).Reverse().Select(i => b.Next(Four, i)).Reverse());
        Assert.NotEqual(first, Enumerable.Range(0, 50).Select(i => new Sampler(Plain with { Seed = 2 }).Next(Four, i)));
    }

    static readonly Gen<float> Logit = Gen.OneOf(
        Gen.Choose(-5, 5).Select(i => (float)i), Gen.Choose(-1_000_000, 1_000_000).Select(i => i / 1e5f),
        Gen.Elements(-0f, 0f, float.NegativeInfinity, 1e30f, -1e30f));

    [Fact]
    public void The_id_is_always_among_the_most_likely() => Prop.ForAll(
        (from logits in Logit.NonEmptyListOf()
         from k in Gen.Choose(1, 12)
         from p in Gen.Choose(1, 100)
         from temperature in Gen.Choose(0, 30)
         from position in Gen.Choose(0, 1000)
         select (Logits: logits.Append(0.5f).ToArray(), k, p, temperature, position)).ToArbitrary(),
        example =>
        {
            var (logits, k, p, temperature, position) = example;
            int id = new Sampler(new SamplerOptions { Temperature = temperature / 10.0, TopK = k, TopP = p / 100.0 })
                .Next(logits, position);
            // Better ones, and equal ones with a lower id, come first.
            int rank = logits.Where((logit, i) => logit > logits[id] || (logit == logits[id] && i < id)).Count();
            return rank < (temperature == 0 ? 1 : k) && !float.IsNegativeInfinity(logits[id]);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));

    public static TheoryData<SamplerOptions, string> OutOfRange => new()
    {
        { Plain with { Temperature = -0.1 }, "-0.1" },
        { Plain with { Temperature = double.NaN }, "NaN" },
        { Plain with { Temperature = double.PositiveInfinity }, "temperature" },
        { Plain with { TopK = -1 }, "-1" },
        { Plain with { TopP = 0 }, "top-p" },
        { Plain with { TopP = 1.01 }, "1.01" },
        { Plain with { TopP = double.NaN }, "NaN" },
    };

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public void Options_out_of_range_are_refused(SamplerOptions options, string expected) =>
        Assert.Contains(expected, Assert.Throws<NanoException>(options.Validate).Message, StringComparison.Ordinal);

    /// <summary>Each id's share within five standard errors; what has probability zero or one never deviates.</summary>
    static void AssertFrequencies(float[] logits, SamplerOptions options, double[] expected)
    {
        var sampler = new Sampler(options);
        var counts = new int[logits.Length];
        for (int i = 0; i < Draws; i++)
            counts[sampler.Next(logits, i)]++;
        for (int id = 0; id < counts.Length; id++)
            Assert.Equal(expected[id], counts[id] / (double)Draws,
                5 * Math.Sqrt(expected[id] * (1 - expected[id]) / Draws));
    }
}
