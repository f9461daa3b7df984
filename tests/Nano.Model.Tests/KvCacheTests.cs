using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

public class KvCacheTests
{
    // Longer than two of attention's key blocks (64), and an MLP wider than a block of the product's inner dimension (512).
    const int T = 131;
    static readonly Gpt2Config Config = new() { VocabSize = 19, ContextLength = T, Layers = 2, Heads = 3, Channels = 144 };

    public static TheoryData<SimdWidth> Widths => [.. SimdWidths.All];

    [Theory]
    [MemberData(nameof(Widths))]
    public void Cached_steps_have_the_bits_of_the_whole_text(SimdWidth width)
    {
        using var model = Models.Random(Config);
        using var compute = new Compute(2, width);
        int[] ids = Models.RandomIds(T, Config.VocabSize);
        int[] whole = Models.Bits(Models.Logits(model, compute, ids));
        foreach (int[] pieces in new int[][] { [.. Enumerable.Repeat(1, T)], [5, T - 5], [T], [64, 1, T - 65], [63, 2, T - 65], [T - 1, 1] })
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

    [Fact]
    public void A_cleared_cache_starts_afresh()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        using var cache = new KvCache(2, 12, 8);
        int[] first = Models.RandomIds(9, 11, 1), second = Models.RandomIds(12, 11, 2);
        model.Forward(compute, Tensor.From(new Shape(1, 9), first), cache);
        Assert.Equal((9, 12), (cache.Length, cache.Capacity));
        cache.Clear();
        Assert.Equal(0, cache.Length);
        var logits = model.Forward(compute, Tensor.From(new Shape(1, 12), second), cache);
        Assert.Equal(Models.Bits(logits.Data), Models.Bits(Models.Logits(model, compute, second)));
    }

    [Fact]
    public void Positions_beyond_the_capacity_and_batches_are_refused()
    {
        using var cache = new KvCache(1, 4, 2);
        cache.Extend(0, new Tensor(new Shape(1, 3, 2)), new Tensor(new Shape(1, 3, 2)));
        cache.Advance(3);
        Assert.Throws<ArgumentException>(() => cache.Extend(0, new Tensor(new Shape(1, 2, 2)), new Tensor(new Shape(1, 2, 2))));
        Assert.Throws<ArgumentException>(() => cache.Extend(0, new Tensor(new Shape(2, 1, 2)), new Tensor(new Shape(2, 1, 2))));
        Assert.Equal(3, cache.Length);
    }

    static int[] InPieces(LanguageModel model, Compute compute, int[] ids, IEnumerable<int> pieces)
    {
        using var cache = new KvCache(model.Config.Layers, model.Config.ContextLength, model.Config.Channels);
        var bits = new List<int>();
        int at = 0;
        foreach (int length in pieces)
        {
            compute.NextStep();
            bits.AddRange(Models.Bits(model.Forward(compute, Tensor.From(new Shape(1, length), ids.AsSpan(at, length)), cache).Data));
            Assert.Equal(at += length, cache.Length);
        }
        return [.. bits];
    }
}
