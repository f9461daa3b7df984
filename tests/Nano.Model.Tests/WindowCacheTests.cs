namespace Nano.Tests;

/// <summary>Caches of layers with a window, which hold no more than it needs; texts whose keys become others.</summary>
public class WindowCacheTests
{
    // Several times as long as what a layer with a window holds.
    private const int T = 700;

    private static readonly DecoderConfig Alternating = new()
    {
        VocabSize = 19,
        ContextLength = T,
        Layers = 3,
        Heads = 4,
        KvHeads = 2,
        HeadDim = 32,
        Channels = 24,
        Intermediate = 32,
        Window = 33,
        FullEvery = 3,
        LocalRopeTheta = 100,
    };

    private static readonly Dictionary<string, DecoderConfig> Configs = new()
    {
        ["alternating"] = Alternating,
        ["all windows, longer than a block of keys"] = Alternating with { FullEvery = 0, Window = 130 },
        ["attention and mixers"] = Alternating with
        {
            FullEvery = 0,
            Hybrid = new(new(20, 5, 4, 1e-5f) { StepRank = 3, NormsInputs = true }, 3, 1),
        },
        ["slopes"] = Alternating with { Positions = PositionKind.Slopes, FullEvery = 0, Window = 7 },
    };

    public static TheoryData<string, SimdWidth> Cases()
    {
        var cases = new TheoryData<string, SimdWidth>();
        foreach (string name in Configs.Keys)
            foreach (var width in SimdWidths.All)
                cases.Add(name, width);
        return cases;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Cached_steps_have_the_bits_of_the_whole_text(string name, SimdWidth width)
    {
        using var model = Models.Random(Configs[name]);
        using var compute = new Compute(2, width);
        int[] ids = Models.RandomIds(T, model.Config.VocabSize);
        int[] whole = Models.Bits(Models.Logits(model, compute, ids));
        foreach (int[] pieces in new int[][] { [.. Enumerable.Repeat(1, T)], [T], [250, 1, 9, T - 260],
            [96, 96, T - 192], [.. Enumerable.Repeat(35, T / 35)] })
        {
            using var cache = model.Config.NewCache(1, T);
            Assert.Equal(whole, InPieces(model, compute, ids, pieces, cache));
        }
    }

    [Theory]
    [InlineData(WeightType.F32)]
    [InlineData(WeightType.F16)]
    [InlineData(WeightType.Q8_0)]
    [InlineData(WeightType.Q4_0)]
    public void It_gives_the_bits_of_a_cache_that_holds_everything(WeightType type)
    {
        using var model = Models.Random(Alternating);
        using var compute = new Compute(1);
        int[] ids = Models.RandomIds(T, 19), pieces = [300, .. Enumerable.Repeat(1, 100), 200, 100];
        using var all = new KvCache(3, T, 64, type: type);
        using var window = model.Config.NewCache(1, T, type);
        Assert.Equal(InPieces(model, compute, ids, pieces, all), InPieces(model, compute, ids, pieces, window));
    }

    [Fact]
    public void What_it_holds_does_not_grow_with_the_text()
    {
        var mistral = Alternating with { FullEvery = 0, Window = 4096, ContextLength = 1 << 20 };
        // the window, part of a block of 96 keys and 512 positions that are written at once
        Assert.Equal(3L * 4 * (4096 + 95 + 512) * (64 + 64), mistral.CacheBytes(1 << 20));
        Assert.Equal(mistral.CacheBytes(10_000), mistral.CacheBytes(1 << 20));
        Assert.Equal(3L * 4 * 100 * (64 + 64), mistral.CacheBytes(100));
        using var cache = mistral.NewCache(1, 1 << 20); // 6 GB if it held everything
    }

    [Fact]
    public void A_copied_row_continues_with_the_bits_of_its_own_run()
    {
        using var model = Models.Random(Alternating);
        using var compute = new Compute(1);
        int[] ids = Models.RandomIds(T, 19), other = [.. ids[..100], .. Models.RandomIds(T - 100, 19, 2)];
        using var cache = model.Config.NewCache(3, T);
        Run(0, ids.AsSpan(0, 400));
        Run(1, other.AsSpan(0, 650));
        cache.CopyRow(0, 2, 0);
        cache.CopyRow(0, 1, 100); // a beam whose prompt is the same, and which was longer
        int[] copied = [.. Run(2, ids.AsSpan(400, 250)), .. Run(1, ids.AsSpan(400, 250))];
        using var alone = model.Config.NewCache(1, T);
        InPieces(model, compute, ids, [400], alone);
        int[] expected = InPieces(model, compute, ids[400..], [250], alone);
        Assert.Equal([.. expected, .. expected], copied);

        int[] Run(int row, ReadOnlySpan<int> text)
        {
            cache.Select(row);
            return InPieces(model, compute, text.ToArray(), [text.Length], cache);
        }
    }

    private static int[] InPieces(LanguageModel model, Compute compute, int[] ids, IEnumerable<int> pieces,
        KvCache cache)
    {
        var bits = new List<int>();
        int at = 0;
        foreach (int length in pieces)
        {
            compute.NextStep();
            var piece = Tensor.FromIds(new Shape(1, length), ids.AsSpan(at, length));
            bits.AddRange(Models.Bits(model.Forward(compute, piece, new() { Cache = cache }).Data));
            at += length;
        }
        return [.. bits];
    }

    // The golden phi3 has short factors up to 24 tokens, others beyond; the other crosses within a long prompt.
    [Theory]
    [InlineData("golden", 4, 60)]
    [InlineData("golden", 23, 4)]
    [InlineData("golden", 24, 4)]
    [InlineData("golden", 30, 4)]
    [InlineData("long", 590, 20)]
    [InlineData("long", 1250, 4)]
    public void A_text_grows_beyond_the_length_at_which_its_keys_become_others(string name, int prompt, int count)
    {
        using var model = name == "golden" ? ModelLoader.LoadModel(Goldens.Path("zoo/phi3"))
            : Models.Random(Alternating with
            {
                ContextLength = 1300,
                Window = 0,
                RopeScaling = new RopeScaling.LongRope([.. Enumerable.Repeat(1.0, 16)],
                    [.. Enumerable.Range(1, 16).Select(i => i / 2.0 + 1)], 600, 1300),
            });
        using var compute = new Compute(2);
        int[] ids = Models.RandomIds(prompt, model.Config.VocabSize);
        using var generator = new Generator(model, compute);
        int[] cached = [.. generator.Continue(ids, new SamplerOptions { Temperature = 0 }).Take(count)];
        Assert.Equal(WholeTexts(model, compute, ids, count), cached);
        Assert.Equal(cached, generator.Search(ids, new BeamOptions { Beams = 1, MaxTokens = count })[0].Ids);
    }

    /// <summary>The likeliest continuation, from the whole text for each token.</summary>
    private static int[] WholeTexts(LanguageModel model, Compute compute, int[] ids, int count)
    {
        List<int> text = [.. ids];
        for (int i = 0; i < count; i++)
            text.Add(Sampler.ArgMax(Models.Logits(model, compute, [.. text]).AsSpan()[^model.Config.VocabSize..]));
        return [.. text.Skip(ids.Length)];
    }

    [Fact]
    public void Documents_are_refused_where_a_state_would_go_from_one_into_the_next()
    {
        using var model = Models.Random(Configs["attention and mixers"]);
        using var compute = new Compute(1);
        Assert.Contains("carries its state", Assert.Throws<NanoException>(() => model.Forward(compute,
            new Tensor(new Shape(1, 6), DType.Int32), new() { Segments = new Segments(compute, 2, 4) })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Beams_are_read_again_where_their_keys_become_others()
    {
        using var model = ModelLoader.LoadModel(Goldens.Path("zoo/phi3"));
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        int[] prompt = Models.RandomIds(20, model.Config.VocabSize);
        var beams = generator.Search(prompt, new BeamOptions { Beams = 3, MaxTokens = 8 });
        Assert.Equal(3, beams.Count);
        foreach (var beam in beams)
        {
            double sum = 0;
            for (int i = 0; i < beam.Ids.Count; i++)
            {
                float[] logits = Models.Logits(model, compute, [.. prompt, .. beam.Ids.Take(i)]);
                double[] last = [.. logits[^model.Config.VocabSize..].Select(logit => (double)logit)];
                sum += last[beam.Ids[i]] - Math.Log(last.Sum(Math.Exp));
            }
            Assert.Equal(sum, beam.LogProbability, 1e-3);
        }
    }
}
