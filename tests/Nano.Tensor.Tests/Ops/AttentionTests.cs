namespace Nano.Tests;

/// <summary>
/// Attention of every head dimension and awkward lengths against double precision; same bits for
/// any split of the work; memory linear in T.
/// </summary>
public class AttentionTests
{
    public static TheoryData<int> HeadDims => [.. Enumerable.Range(1, 20), 31, 33, 48, 80, 96, 160, 256];

    public static TheoryData<int, int, int> Lengths()
    {
        var data = new TheoryData<int, int, int>();
        foreach (int times in new[] { 1, 2, 5, 12, 32, 33, 63, 95, 96, 97, 191, 192, 193, 250 })
            foreach (var (heads, keyHeads) in new[] { (2, 2), (4, 2), (3, 1) })
                data.Add(times, heads, keyHeads);
        return data;
    }

    private sealed record Inputs(Tensor Q, Tensor K, Tensor V, Tensor DY)
    {
        public static Inputs Of(Random r, int batch, int times, int heads, int keyHeads, int headDim) =>
            new(r.Normal(batch, times, heads * headDim),
            r.Normal(batch, times, keyHeads * headDim), r.Normal(batch, times, keyHeads * headDim),
            r.Normal(batch, times, heads * headDim));
    }

    [Theory, MemberData(nameof(HeadDims))]
    public void Every_head_dimension_agrees_with_double_precision(int headDim)
    {
        foreach (var width in SimdWidths.All)
            Compare(Inputs.Of(new Random(headDim), 1, 101, 2, 1, headDim), 2, 1, width, 1);
    }

    [Theory, MemberData(nameof(Lengths))]
    public void Every_length_and_grouping_agrees_with_double_precision(int times, int heads, int keyHeads)
    {
        foreach (int threads in new[] { 1, 7 })
            foreach (int headDim in new[] { 6, 32 })
                Compare(Inputs.Of(new Random(times), 2, times, heads, keyHeads, headDim), heads, keyHeads,
                    SimdWidths.Best(), threads);
    }

    public static TheoryData<int, int> Windows()
    {
        var data = new TheoryData<int, int>();
        foreach (int times in new[] { 5, 70, 97, 250, 400 })
            foreach (int window in new[] { 1, 2, 11, 12, 13, 64, 95, 96, 97, 150, 249, 250, 1000 })
                data.Add(times, window);
        return data;
    }

    /// <summary>
    /// Seven threads and one key head: gradients come from two passes, whose items may lie outside
    /// the window of every query.
    /// </summary>
    [Theory, MemberData(nameof(Windows))]
    public void Every_window_agrees_with_double_precision(int times, int window)
    {
        foreach (var width in SimdWidths.All)
            Compare(Inputs.Of(new Random(times), 1, times, 2, 1, 6), 2, 1, width, 1, window);
        Compare(Inputs.Of(new Random(times), 2, times, 4, 2, 32), 4, 2, SimdWidths.Best(), 1, window);
        Compare(Inputs.Of(new Random(times), 1, times, 3, 1, 10), 3, 1, SimdWidths.Best(), 7, window);
    }

    [Theory]
    [InlineData(130)]
    [InlineData(131)]
    [InlineData(int.MaxValue)]
    public void A_window_that_hides_nothing_has_the_bits_of_none(int window)
    {
        foreach (var width in SimdWidths.All)
            Assert.Equal(Bits(Inputs.Of(new Random(5), 2, 130, 2, 1, 12), width, 2),
                Bits(Inputs.Of(new Random(5), 2, 130, 2, 1, 12), width, 2, window));
    }

    private static void Compare(Inputs x, int heads, int keyHeads, SimdWidth width, int threads, int window = 0)
    {
        var expected = new AttentionReference(x.Q, x.K, x.V, x.DY, heads, keyHeads, window);
        using var compute = TestTensors.Dirty(threads, width);
        compute.Tape = new Tape();
        var y = compute.CausalAttention(x.Q, x.K, x.V, heads, keyHeads, window: window);
        compute.Tape.Backward(compute, y, x.DY);
        // Roundings of a chain of n operations add up like a random walk, to sqrt(n) of them: scores have D,
        // dk and dv one for each query
        // of each head. Gradients pass through two products and a difference that cancels.
        double score = Math.Sqrt(x.Q.Shape[2] / heads), row = Math.Sqrt(x.Q.Shape[1]),
            column = Math.Sqrt(x.Q.Shape[1] * heads / keyHeads);
        AssertClose("y", y, expected.Y, 4 + ((score + row) / 2));
        AssertClose("dq", x.Q.Gradient, expected.DQ, 8 + score + row);
        AssertClose("dk", x.K.Gradient, expected.DK, 8 + score + column);
        AssertClose("dv", x.V.Gradient, expected.DV, 8 + score + column);

        void AssertClose(string name, Tensor actual, double[] values, double roundings)
        {
            double error = TestTensors.Error(actual.Data, values) / Math.Max(1, values.Max(Math.Abs))
                / GradCase.Rounding;
            Assert.True(error <= roundings,
                $"{name} of {x.Q}, {heads} heads, {keyHeads} key heads, window {window}, {width}, {threads} "
                + $"threads: off by {error:F1} roundings");
        }
    }

    /// <summary>
    /// One key head: with one thread the gradients come from one pass, with more from two passes
    /// whose items are single blocks.
    /// </summary>
    [Theory]
    [InlineData(33, 0)]
    [InlineData(64, 0)]
    [InlineData(33, 70)]
    [InlineData(64, 130)]
    public void One_pass_or_two_and_any_split_give_the_same_bits(int headDim, int window)
    {
        int[]? expected = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
            {
                int[] actual = Bits(Inputs.Of(new Random(1), 1, 300, 3, 1, headDim), width, threads, window);
                expected ??= actual;
                Assert.True(expected.AsSpan().SequenceEqual(actual), $"{width}, {threads} threads");
            }
    }

    private static int[] Bits(Inputs x, SimdWidth width, int threads, int window = 0)
    {
        using var compute = TestTensors.Dirty(threads, width);
        compute.Tape = new Tape();
        var y = compute.CausalAttention(x.Q, x.K, x.V, x.Q.Shape[2] / x.K.Shape[2], 1, window: window);
        compute.Tape.Backward(compute, y, x.DY);
        return [.. y.Bits(), .. x.Q.Gradient.Bits(), .. x.K.Gradient.Bits(), .. x.V.Gradient.Bits()];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_query_of_NaN_spoils_its_own_head_and_row_alone(int threads)
    {
        const int bad = 50, times = 130;
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(threads, width);
            var x = Inputs.Of(new Random(2), 1, times, 2, 2, 8);
            int[] before = compute.CausalAttention(x.Q, x.K, x.V, 2, 2).Bits();
            x.Q.Data[(bad * 16) + 3] = float.NaN;
            var y = compute.CausalAttention(x.Q, x.K, x.V, 2, 2);
            int[] after = y.Bits();
            for (int i = 0; i < after.Length; i++)
                if (i / 8 == bad * 2)
                    Assert.True(float.IsNaN(y.Data[i]));
                else
                    Assert.Equal(before[i], after[i]);
        }
    }

    [Fact]
    public void A_key_of_NaN_spoils_no_earlier_query()
    {
        const int bad = 50, times = 130;
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(1, width);
            var x = Inputs.Of(new Random(3), 1, times, 1, 1, 8);
            int[] before = compute.CausalAttention(x.Q, x.K, x.V, 1, 1).Bits();
            x.K.Data[bad * 8] = float.NaN;
            var y = compute.CausalAttention(x.Q, x.K, x.V, 1, 1);
            Assert.True(before.AsSpan(0, bad * 8).SequenceEqual(y.Bits().AsSpan(0, bad * 8)));
            Assert.All(y.Data[(bad * 8)..].ToArray(), value => Assert.Equal(float.NaN, value));
        }
    }

    [Fact]
    public void Working_memory_grows_linearly_with_the_length()
    {
        static long[] Floats(int times)
        {
            var sizes = AttentionSizes.Of(1, times, times, 2, 1, 64, 64, 1, SimdWidth.W512);
            return [AttentionForward<PlainScores>.ScratchFloats(sizes),
                AttentionBackward<PlainScores>.ScratchFloats(sizes),
                AttentionStep<PlainScores>.ScratchFloats(sizes with { Queries = 1 })];
        }

        long[] one = Floats(10_000), two = Floats(20_000), three = Floats(30_000);
        for (int i = 0; i < one.Length; i++)
        {
            Assert.Equal(three[i] - two[i], two[i] - one[i]);
            Assert.True(two[i] - one[i] <= 4L * 64 * 10_000); // at most k, v, dk and dv of one head
        }
    }

    [Fact]
    public void What_is_kept_for_the_backward_pass_is_one_number_per_query_and_head()
    {
        using var compute = new Compute(2) { Tape = new Tape() };
        var x = Inputs.Of(new Random(4), 2, 150, 4, 2, 8);
        compute.CausalAttention(x.Q, x.K, x.V, 4, 2);
        var op = Assert.IsType<AttentionOp>(compute.Tape.Ops.Single());
        Assert.Equal(new Shape(2, 4, 150), op.LogSumExp.Shape);
        var reference = x.Q.Doubles();
        double score = Reference.Sum(Reference.Multiply(reference[..8], x.K.Doubles()[..8]))[0] / Math.Sqrt(8);
        Assert.Equal(score, op.LogSumExp.Data[0], 1e-6); // the first query sees one key: L is its score
    }
}
