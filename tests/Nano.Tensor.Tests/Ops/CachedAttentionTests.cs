namespace Nano.Tests;

/// <summary>Decoding with a cache: fewer queries than keys give the bits of the last rows of the full pass.</summary>
public class CachedAttentionTests
{
    private const int Times = 131, Heads = 4, KeyHeads = 2;

    public static TheoryData<SimdWidth> Widths => TestTensors.Widths;

    [Theory, MemberData(nameof(Widths))]
    public void A_step_has_the_bits_of_the_full_pass(SimdWidth width)
    {
        foreach (int headDim in new[] { 5, 16, 33 })
            CompareSteps(width, headDim, 0);
    }

    [Theory, MemberData(nameof(Widths))]
    public void A_step_with_a_window_has_the_bits_of_the_full_pass(SimdWidth width)
    {
        foreach (int window in new[] { 1, 3, 20, 31, 96, 100 })
            CompareSteps(width, 10, window);
    }

    private static void CompareSteps(SimdWidth width, int headDim, int window)
    {
        using var compute = new Compute(2, width);
        var random = new Random(headDim);
        var (q, k, v) = (random.Normal(1, Times, Heads * headDim), random.Normal(1, Times, KeyHeads * headDim),
            random.Normal(1, Times, KeyHeads * headDim));
        int[] full = compute.CausalAttention(q, k, v, Heads, KeyHeads, window: window).Bits();
        foreach (int queries in new[] { 1, 2, 7, 8, 9, 64 })
            for (int end = queries; end <= Times; end += queries == 1 ? 1 : 13)
            {
                var step = compute.CausalAttention(Rows(q, end - queries, queries), Rows(k, 0, end), Rows(v, 0, end),
                    Heads, KeyHeads, window: window);
                Assert.True(full.AsSpan((end - queries) * Heads * headDim, queries * Heads * headDim)
                    .SequenceEqual(step.Bits()), $"{queries} queries, {end} keys");
            }
    }

    [Fact]
    public void Later_keys_change_nothing()
    {
        using var compute = new Compute(1);
        var random = new Random(1);
        var (q, k, v) = (random.Normal(1, Times, 12), random.Normal(1, Times, 12), random.Normal(1, Times, 12));
        int[] before = compute.CausalAttention(q, k, v, 2, 2).Bits();
        k.Data[(100 * 12)..].Fill(1e30f);
        v.Data[(100 * 12)..].Fill(-1e30f);
        int[] after = compute.CausalAttention(q, k, v, 2, 2).Bits();
        Assert.True(before.AsSpan(0, 100 * 12).SequenceEqual(after.AsSpan(0, 100 * 12)));
    }

    [Fact]
    public void A_query_with_one_key_returns_its_value_and_gives_no_gradient_to_scores()
    {
        foreach (var width in SimdWidths.All)
        {
            using var compute = new Compute(1, width) { Tape = new Tape() };
            var random = new Random(2);
            var (q, k, v) = (random.Normal(2, 1, 4 * 33), random.Normal(2, 1, 2 * 33), random.Normal(2, 1, 2 * 33));
            var y = compute.CausalAttention(q, k, v, 4, 2);
            Assert.Equal(v.Data[..33], y.Data[..33]);
            compute.Tape.Backward(compute, y, random.Normal(2, 1, 4 * 33));
            Assert.All(q.Gradient.Data.ToArray(), value => Assert.Equal(0, value));
            Assert.All(k.Gradient.Data.ToArray(), value => Assert.Equal(0, value));
        }
    }

    [Fact]
    public void A_cached_step_has_no_backward_pass()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var random = new Random(3);
        var y = compute.CausalAttention(random.Normal(1, 1, 4), random.Normal(1, 3, 4), random.Normal(1, 3, 4), 1, 1);
        var e = Assert.Throws<InvalidOperationException>(() => compute.Tape.Backward(compute, y));
        Assert.StartsWith("attention:", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Entries of the time dimension of [1, T, C], without a copy.</summary>
    private static Tensor Rows(Tensor x, int first, int count) =>
        x.Reshape(new Shape(x.Shape[1], x.Shape[2])).SliceRows(first, count).Reshape(new Shape(1, count, x.Shape[2]));
}
