using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

/// <summary>
/// The sampler against a plain one that writes each definition down as its paper has it, on whole
/// distributions, sorting everything at every step.
/// </summary>
public class SamplerOrderTests
{
    static readonly SamplerOptions Plain = new() { Temperature = 1, TopK = 0 };

    static readonly Gen<SamplerOptions> Options =
        from temperature in Gen.Elements(0, 0.3, 0.8, 1, 1.7)
        from topK in Gen.Frequency((2, Gen.Constant(0)), (1, Gen.Choose(1, 12)), (1, Gen.Choose(100, 900)))
        from topP in Gen.Frequency((2, Gen.Constant(100)), (1, Gen.Choose(1, 99)))
        from minP in Gen.Frequency((2, Gen.Constant(0)), (1, Gen.Choose(1, 100)))
        from typical in Gen.Frequency((2, Gen.Constant(100)), (1, Gen.Choose(1, 99)))
        from penalties in Gen.Frequency((1, Gen.Constant((1.0, 0.0, 0.0))),
            (1, Gen.Elements((1.3, 0.0, 0.0), (0.8, 0.5, 0.0), (1.0, -0.6, 0.25), (1.1, 0.7, -0.4))))
        from bias in Gen.Elements(double.NegativeInfinity, -3, 2.5).Two().Zip(Gen.Choose(0, 2))
        from seed in Gen.Choose(0, 1000)
        select new SamplerOptions
        {
            Temperature = temperature,
            TopK = topK,
            TopP = topP / 100.0,
            MinP = minP / 100.0,
            Typical = typical / 100.0,
            RepetitionPenalty = penalties.Item1,
            PresencePenalty = penalties.Item2,
            FrequencyPenalty = penalties.Item3,
            LogitBias = new[] { (0, bias.Item1.Item1), (2, bias.Item1.Item2) }.Take(bias.Item2).ToDictionary(),
            Seed = (ulong)seed,
        };

    // Small vocabularies with ties, and one so large that only a part of it is ever put in order.
    static readonly Gen<float[]> Logits = Gen.Frequency(
        (3, Gen.Frequency((3, Gen.Choose(-600, 600).Select(i => i / 100f)),
            (1, Gen.Choose(-3, 3).Select(i => (float)i)), (1, Gen.Constant(float.NegativeInfinity))).ListOf()
            .Select(list => list.Append(0.5f).Append(-0.25f).Append(1).ToArray())),
        (1, from seed in Gen.Choose(0, 10_000)
            from spread in Gen.Elements(0.2, 1.5, 5)
            select Normal(4_001, seed, spread)));

    [Fact]
    public void Every_draw_is_that_of_the_plain_sampler() => Prop.ForAll(
        (from logits in Logits
         from options in Options
         from prompt in Gen.Choose(0, Math.Min(logits.Length, 9) - 1).ArrayOf()
         from text in Gen.Choose(0, Math.Min(logits.Length, 5) - 1).ArrayOf()
         select (logits, options, prompt, text)).ToArbitrary(),
        example =>
        {
            var (logits, options, prompt, text) = example;
            var sampler = new Sampler(options);
            var expected = PlainSampler.Distribution(logits, options, prompt, text);
            for (int position = 0; position < 8; position++)
                if (sampler.Next(logits, position, prompt, text)
                    != PlainSampler.Walk(expected, Philox.Uniform(options.Seed, 0, (ulong)position)))
                    return false;
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    // Worked by hand. p = 0.15, 0.5, 0.05, 0.3: largest 0.5, entropy 1.142 nats, -log p = 1.897, 0.693,
    // 2.996, 1.204, so distance to it 0.755, 0.449, 1.854, 0.062.
    [Theory]
    [InlineData(0.61, 1, new[] { 1.0 }, new[] { 1 })] // min-p: 0.305 is the least
    [InlineData(0.59, 1, new[] { 0.625, 0.375 }, new[] { 1, 3 })]
    [InlineData(0.29, 1, new[] { 0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95 }, new[] { 1, 3, 0 })]
    [InlineData(0.09, 1, new[] { 0.5, 0.3, 0.15, 0.05 }, new[] { 1, 3, 0, 2 })]
    [InlineData(0, 0.2, new[] { 1.0 }, new[] { 3 })] // typical: the likeliest is not the most typical
    [InlineData(0, 0.31, new[] { 0.625, 0.375 }, new[] { 1, 3 })]
    [InlineData(0, 0.81, new[] { 0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95 }, new[] { 1, 3, 0 })]
    [InlineData(0, 0.96, new[] { 0.5, 0.3, 0.15, 0.05 }, new[] { 1, 3, 0, 2 })]
    public void Min_p_and_typical_keep_what_their_papers_say(double minP, double typical, double[] kept, int[] ids)
    {
        float[] logits = [.. new[] { 0.15, 0.5, 0.05, 0.3 }.Select(p => (float)Math.Log(p))];
        var options = Plain with { MinP = minP, Typical = typical };
        var expected = PlainSampler.Distribution(logits, options, [], []);
        Assert.Equal(ids, expected.Select(entry => entry.Id));
        for (int i = 0; i < kept.Length; i++)
            Assert.Equal(kept[i], expected[i].P, 1e-6);
        var sampler = new Sampler(options);
        Assert.Equal(ids.Order(), Enumerable.Range(0, 400).Select(position => sampler.Next(logits, position))
            .Distinct().Order());
    }

    [Fact]
    public void Penalties_and_bias_decide_what_is_likeliest()
    {
        var greedy = new SamplerOptions { Temperature = 0 };
        float[] logits = [2, 1.5f, -1, -1.2f];
        Assert.Equal(0, new Sampler(greedy).Next(logits, 0, [0, 0], [0]));
        // 2 / 1.4 = 1.43, of the prompt too
        Assert.Equal(1, new Sampler(greedy with { RepetitionPenalty = 1.4 }).Next(logits, 0, [0], []));
        // once, however often: 1.54
        Assert.Equal(0, new Sampler(greedy with { RepetitionPenalty = 1.3 }).Next(logits, 0, [0, 0, 0], []));
        // -1 x 1.3: a negative one falls as well
        Assert.Equal(3, new Sampler(greedy with { RepetitionPenalty = 1.3 }).Next([-2, -3, -1, -1.2f], 0, [2], []));
        // the prompt does not count
        Assert.Equal(0, new Sampler(greedy with { PresencePenalty = 0.6 }).Next(logits, 0, [0], []));
        Assert.Equal(1, new Sampler(greedy with { PresencePenalty = 0.6 }).Next(logits, 0, [], [0]));
        Assert.Equal(0, new Sampler(greedy with { FrequencyPenalty = 0.2 }).Next(logits, 0, [], [0, 0])); // 2 - 0.4
        // 2 - 0.6
        Assert.Equal(1, new Sampler(greedy with { FrequencyPenalty = 0.2 }).Next(logits, 0, [], [0, 3, 0, 0]));
        Assert.Equal(3, new Sampler(greedy with { LogitBias = new Dictionary<int, double> { [3] = 3.3 } })
            .Next(logits, 0));
        Assert.Equal(1, new Sampler(
            greedy with { LogitBias = new Dictionary<int, double> { [0] = double.NegativeInfinity } }).Next(logits, 0));
    }

    [Fact]
    public void Penalties_leave_nothing_behind()
    {
        var options = Plain with
        {
            RepetitionPenalty = 1.5,
            FrequencyPenalty = 0.5,
            PresencePenalty = 0.1,
            LogitBias = new Dictionary<int, double> { [1] = 1 }
        };
        float[] logits = Normal(50, 3, 2);
        var sampler = new Sampler(options);
        int[] first = [.. Enumerable.Range(0, 40).Select(i => sampler.Next(logits, i, [1, 2], [3, 3]))];
        sampler.Next(logits, 0, [7, 8, 9], [10, 11, 11, 49]);
        Assert.Equal(first, Enumerable.Range(0, 40).Select(i => sampler.Next(logits, i, [1, 2], [3, 3])));
    }

    [Fact]
    public void Where_nothing_is_possible_that_is_said()
    {
        float[] none = [float.NegativeInfinity, float.NegativeInfinity];
        var forbid = Plain with
        {
            LogitBias = new Dictionary<int, double>
            {
                [0] = double.NegativeInfinity,
                [1] = double.NegativeInfinity
            }
        };
        foreach (double temperature in (double[])[0, 1])
        {
            Assert.Contains("none can come next",
                Assert.Throws<NanoException>(() =>
                    new Sampler(Plain with { Temperature = temperature }).Next(none, 0)).Message,
                    StringComparison.Ordinal);
            Assert.Contains("bias",
                Assert.Throws<NanoException>(() => new Sampler(forbid with { Temperature = temperature })
                    .Next([1, 2], 0)).Message, StringComparison.Ordinal);
        }
        var large = Plain with { FrequencyPenalty = -1e300 };
        Assert.Contains("token 1",
            Assert.Throws<NanoException>(() => new Sampler(large).Next([1, 2], 0, [], [1])).Message,
            StringComparison.Ordinal);
    }

    public static TheoryData<SamplerOptions, string> OutOfRange => new()
    {
        { Plain with { MinP = -0.1 }, "min-p" },
        { Plain with { MinP = double.NaN }, "NaN" },
        { Plain with { Typical = 0 }, "typical" },
        { Plain with { Typical = 1.1 }, "1.1" },
        { Plain with { RepetitionPenalty = 0 }, "repetition penalty" },
        { Plain with { RepetitionPenalty = double.PositiveInfinity }, "repetition penalty" },
        { Plain with { PresencePenalty = double.NaN }, "presence penalty" },
        { Plain with { FrequencyPenalty = double.NegativeInfinity }, "frequency penalty" },
        { Plain with { LogitBias = new Dictionary<int, double> { [-1] = 1 } }, "-1:1" },
        { Plain with { LogitBias = new Dictionary<int, double> { [3] = double.NaN } }, "3:NaN" },
        { Plain with { LogitBias = new Dictionary<int, double> { [11] = 1 } }, "token 11" },
    };

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public void Options_out_of_range_are_refused(SamplerOptions options, string expected) =>
        Assert.Contains(expected, Assert.Throws<NanoException>(() => options.Validate(11)).Message,
            StringComparison.Ordinal);

    /// <summary>Normal numbers from the sums of twelve uniform ones.</summary>
    static float[] Normal(int count, int seed, double deviation)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count)
            .Select(_ => (float)(deviation * (Enumerable.Range(0, 12).Sum(_ => random.NextDouble()) - 6)))];
    }
}
