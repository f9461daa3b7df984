using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

public class KvCacheTests
{
    // Longer than two of attention's key blocks (64), and an MLP wider than a block of the product's inner
    // dimension (512).
    const int T = 131;
    static readonly Gpt2Config Config = new()
    {
        VocabSize = 19,
        ContextLength = T,
        Layers = 2,
        Heads = 3,
        Channels = 144
    };

    // Grouped heads, angles that differ from position to position in their base, normed queries, a window
    // shorter than the text in one layer of two.
    static readonly DecoderConfig Grouped = new()
    {
        VocabSize = 19,
        ContextLength = T,
        Layers = 2,
        Heads = 6,
        KvHeads = 2,
        HeadDim = 20,
        Channels = 72,
        Intermediate = 100,
        TiedHead = false,
        RopeScaling = new RopeScaling.Dynamic(2, 50),
        QkNorm = true,
        QkvBias = true,
        Window = 33,
        FirstWindowLayer = 1,
    };

    // One key head, pairs beside each other, a window of a single block of keys and a half.
    static readonly DecoderConfig Shared = new()
    {
        VocabSize = 19,
        ContextLength = T,
        Layers = 2,
        Heads = 4,
        KvHeads = 1,
        Channels = 64,
        Intermediate = 96,
        Pairing = RopePairing.Interleaved,
        Window = 100,
    };

    public static TheoryData<SimdWidth, string> Widths()
    {
        var data = new TheoryData<SimdWidth, string>();
        foreach (var width in SimdWidths.All)
            foreach (string model in (string[])["gpt2", "grouped", "shared"])
                data.Add(width, model);
        return data;
    }

    static ModelConfig Named(string model) => model == "gpt2" ? Config : model == "grouped" ? Grouped : Shared;

    [Theory]
    [MemberData(nameof(Widths))]
    public void Cached_steps_have_the_bits_of_the_whole_text(SimdWidth width, string name)
    {
        using var model = Models.Random(Named(name));
        using var compute = new Compute(2, width);
        int[] ids = Models.RandomIds(T, Config.VocabSize);
        int[] whole = Models.Bits(Models.Logits(model, compute, ids));
        foreach (int[] pieces in new int[][] { [.. Enumerable.Repeat(1, T)], [5, T - 5], [T], [64, 1, T - 65],
            [63, 2, T - 65], [T - 1, 1] })
            Assert.Equal(whole, InPieces(model, compute, ids, pieces));
    }

    [Fact]
    public void All_widths_and_team_sizes_give_the_same_bits()
    {
        using var model = Models.Random(Config);
        int[] ids = Models.RandomIds(T, Config.VocabSize);
        using var first = new Compute(1, SimdWidth.Scalar);
        int[] expected = Models.Bits(Models.Logits(model, first, ids));
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
            {
                using var compute = new Compute(threads, width);
                Assert.Equal(expected, Models.Bits(Models.Logits(model, compute, ids)));
            }
    }

    [Fact]
    public void Wherever_the_text_is_cut_the_bits_are_the_same()
    {
        using var model = Models.Random(Models.Small with { ContextLength = 80 });
        using var compute = new Compute(1);
        int[] ids = Models.RandomIds(80, 11);
        int[] whole = Models.Bits(Models.Logits(model, compute, ids));
        Prop.ForAll(Gen.Choose(1, 40).NonEmptyListOf().ToArbitrary(), wishes =>
        {
            var pieces = new List<int>();
            for (int left = 80, i = 0; left > 0; left -= pieces[^1], i++)
                pieces.Add(Math.Min(left, wishes[i % wishes.Count]));
            return whole.SequenceEqual(InPieces(model, compute, ids, pieces));
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(WeightType.F16)]
    [InlineData(WeightType.Q8_0)]
    [InlineData(WeightType.Q4_0)]
    public void A_cache_of_fewer_bits_gives_the_same_bits_wherever_the_text_is_cut(WeightType type)
    {
        var config = Models.Small with { Channels = 64, ContextLength = 150 };
        using var model = Models.Random(config);
        int[] ids = Models.RandomIds(150, config.VocabSize);
        int[]? first = null;
        foreach (int[] pieces in new int[][] { [150], [.. Enumerable.Repeat(1, 150)], [5, 145], [64, 1, 85], [100, 8, 42] })
            foreach (int threads in new[] { 1, 3 })
            {
                using var compute = new Compute(threads);
                int[] bits = InPieces(model, compute, ids, pieces, type);
                Assert.Equal(first ??= bits, bits);
            }
        using var exact = new Compute(1);
        Assert.NotEqual(Models.Bits(Models.Logits(model, exact, ids)), first);
    }

    [Fact]
    public void A_cache_of_blocks_needs_heads_of_whole_blocks()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        var refused = Assert.Throws<NanoException>(() => new Generator(model, compute, WeightType.Q8_0));
        Assert.Contains($"channels; this model's have {Models.Small.HeadDim}", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cleared_cache_starts_afresh()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        using var cache = new KvCache(2, 12, 8);
        int[] first = Models.RandomIds(9, 11, 1), second = Models.RandomIds(12, 11, 2);
        model.Forward(compute, Tensor.FromIds(new Shape(1, 9), first), new() { Cache = cache });
        Assert.Equal((9, 12), (cache.Length, cache.Capacity));
        cache.Clear();
        Assert.Equal(0, cache.Length);
        var logits = model.Forward(compute, Tensor.FromIds(new Shape(1, 12), second), new() { Cache = cache });
        Assert.Equal(Models.Bits(logits.Data), Models.Bits(Models.Logits(model, compute, second)));
    }

    [Fact]
    public void Positions_beyond_the_capacity_and_other_batches_are_refused()
    {
        using var compute = new Compute(1);
        using var cache = new KvCache(1, 4, 2);
        void Attend(int B, int T)
        {
            var x = new Tensor(new Shape(B, T, 2));
            cache.Attend(compute, 0, x, x, x, new(1, 1));
        }

        Attend(1, 3);
        cache.Advance(3);
        Assert.Throws<ArgumentException>(() => Attend(1, 2));
        Assert.Throws<ArgumentException>(() => Attend(2, 1));
        Assert.Equal(3, cache.Length);
    }

    public static TheoryData<SimdWidth, string> Kinds
    {
        get
        {
            var data = new TheoryData<SimdWidth, string>();
            foreach (var width in SimdWidths.All)
                foreach (string kind in (string[])["cap", "slopes", "sinks", "table", "learned sink", "all"])
                    data.Add(width, kind);
            return data;
        }
    }

    /// <summary>Two rows of different lengths, in pieces that either kernel computes; values wider than keys.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Steps_of_every_kind_of_attention_have_the_bits_of_the_whole_pass(SimdWidth width, string kind)
    {
        const int H = 4, KV = 2, D = 6, valueDim = 8, T = 130;
        bool Has(string what) => kind == what || kind == "all";
        Tensor Random(int seed, params int[] shape)
        {
            var x = new Tensor(new Shape(shape));
            Philox.Normal(5, (ulong)seed, 1, x.Data);
            return x;
        }
        var options = new AttentionOptions(H, KV)
        {
            SoftCap = Has("cap") ? 2 : 0,
            Slopes = Has("slopes") ? Tensor.From(new Shape(H), Alibi.Slopes(H)) : null,
            Window = Has("sinks") ? 20 : 0,
            Sinks = Has("sinks") ? 3 : 0,
            RelativeBias = Has("table") ? new RelativeBias(Random(1, 8, H), false, 50) : null,
            LearnedSink = Has("learned sink") ? Random(2, H) : null,
        };
        using var compute = new Compute(3, width);
        using var cache = new KvCache(1, T, KV * D, 2, valueChannels: KV * valueDim);
        Tensor[] q = [Random(3, 1, T, H * D), Random(4, 1, T, H * D)],
            k = [Random(5, 1, T, KV * D), Random(6, 1, T, KV * D)],
            v = [Random(7, 1, T, KV * valueDim), Random(8, 1, T, KV * valueDim)];
        int[][] whole = [.. q.Select((_, row) => Models.Bits(compute.Attention(q[row], k[row], v[row], options).Data))];
        foreach (var (rows, count) in new[] { (new[] { 0 }, 1), ([0], 97), ([1], 3), ([0, 1], 1), ([1, 0], 12),
            ([0, 1], 8) })
        {
            compute.NextStep();
            cache.Select(rows);
            int[] starts = [.. rows.Select(cache.LengthOf)];
            var y = cache.Attend(compute, 0, Next(q), Next(k), Next(v), options);
            cache.Advance(count);
            for (int b = 0; b < rows.Length; b++)
                Assert.Equal(whole[rows[b]].AsSpan(starts[b] * H * valueDim, count * H * valueDim).ToArray(),
                    Models.Bits(y.SliceRows(b, 1).Data));

            Tensor Next(Tensor[] of) => Tensor.From(new Shape(rows.Length, count, of[0].Shape[2]), rows.SelectMany(
                (row, b) => of[row].Data.Slice(starts[b] * of[0].Shape[2], count * of[0].Shape[2]).ToArray())
                .ToArray());
        }
    }

    [Fact]
    public void Lengths_and_attention_that_is_not_causal_are_refused()
    {
        using var compute = new Compute(1);
        using var cache = new KvCache(1, 4, 2);
        var x = new Tensor(new Shape(1, 2, 2));
        var plain = new AttentionOptions(1, 1);
        foreach (var options in (AttentionOptions[])[plain with { IsCausal = false },
            plain with { Lengths = Tensor.FromIds(new Shape(1), [2]) }, plain with { Segments = new(compute, 2) }])
            Assert.Contains("causal texts", Assert.Throws<ArgumentException>(
                () => cache.Attend(compute, 0, x, x, x, options)).Message, StringComparison.Ordinal);
    }

    // Rows of different lengths in one batch, rows that come and go, in any order; a position is 64 or more
    // for some, beyond a block of keys.
    [Theory]
    [MemberData(nameof(Widths))]
    public void A_row_of_a_ragged_batch_has_the_bits_of_its_solo_run(SimdWidth width, string name)
    {
        using var model = Models.Random(Named(name));
        using var compute = new Compute(2, width);
        int[][] texts = [Models.RandomIds(70, 19, 1), Models.RandomIds(3, 19, 2), Models.RandomIds(40, 19, 3),
            Models.RandomIds(40, 19, 4)];
        int[] prompts = [66, 1, 36, 30];
        int[][] whole = [.. texts.Select(text => Models.Bits(Models.Logits(model, compute, text)))];
        using var cache = Cache(model, 4);
        for (int row = 0; row < 4; row++)
            AssertNext([row], [texts[row][..prompts[row]]]);
        AssertNext([0, 1, 2, 3], At(0, 1, 2, 3));
        AssertNext([3, 1], At(3, 1));
        AssertNext([2, 0, 3], At(2, 0, 3));
        AssertNext([3, 2], [texts[3][33..35], texts[2][38..40]]);

        int[][] At(params int[] rows) => [.. rows.Select(row => new[] { texts[row][cache.LengthOf(row)] })];

        void AssertNext(int[] rows, int[][] news)
        {
            compute.NextStep();
            cache.Select(rows);
            var logits = model.NextLogits(compute,
                Tensor.FromIds(new Shape(rows.Length, news[0].Length), news.SelectMany(ids => ids).ToArray()), cache);
            for (int b = 0; b < rows.Length; b++)
                Assert.Equal(whole[rows[b]][((cache.LengthOf(rows[b]) - 1) * 19)..(cache.LengthOf(rows[b]) * 19)],
                    Models.Bits(logits.SliceRows(b, 1).Data));
        }
    }

    static int[] InPieces(LanguageModel model, Compute compute, int[] ids, IEnumerable<int> pieces,
        WeightType type = WeightType.F32)
    {
        using var cache = Cache(model, 1, type);
        var bits = new List<int>();
        int at = 0;
        foreach (int length in pieces)
        {
            compute.NextStep();
            bits.AddRange(Models.Bits(model.Forward(compute,
                Tensor.FromIds(new Shape(1, length), ids.AsSpan(at, length)),
                new() { Cache = cache }).Data));
            Assert.Equal(at += length, cache.Length);
        }
        return [.. bits];
    }

    static KvCache Cache(LanguageModel model, int rows, WeightType type = WeightType.F32) =>
        new(model.Config.Layers, model.Config.ContextLength, model.Config.KvHeads * model.Config.HeadDim, rows, type);

    // The golden phi3: short factors up to 24 tokens, others beyond.
    [Fact]
    public void A_cached_text_does_not_grow_beyond_the_length_at_which_its_angles_change()
    {
        using var model = ModelLoader.LoadModel(Goldens.Path("zoo/phi3"));
        using var compute = new Compute(1);
        using var cache = model.Config.NewCache(1, 40);
        model.NextLogits(compute, new Tensor(new Shape(1, 24), DType.Int32), cache);
        Assert.Contains("24 tokens cannot grow to 25", Assert.Throws<NanoException>(() =>
            model.NextLogits(compute, new Tensor(new Shape(1, 1), DType.Int32), cache)).Message,
            StringComparison.Ordinal);
    }
}
