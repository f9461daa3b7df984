namespace Nano.Tests;

/// <summary>Random combinations of attention's options against double precision, and their bits.</summary>
public class AttentionOptionTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 60)];

    /// <summary>A random problem; every third one is longer than two blocks of keys.</summary>
    private static NaiveAttention Problem(int seed, bool isCausal, bool isSquare)
    {
        var r = new Random(seed);
        int keyHeads = r.Next(1, 3), heads = keyHeads * r.Next(1, 4), keys = seed % 3 == 0 ? r.Next(180, 300)
                : r.Next(1, 60), batch = r.Next(1, 4), headDim = r.Next(1, 20);
        int queries = isSquare ? keys : isCausal ? r.Next(1, keys + 1) : r.Next(1, 130);
        bool Chance() => r.Next(2) == 0;
        bool isBidirectional = Chance();
        var options = new AttentionOptions(heads, keyHeads)
        {
            IsCausal = isCausal,
            Scale = Chance() ? 0 : 0.7f,
            Window = isCausal && Chance() ? r.Next(1, keys + 2) : 0,
            Sinks = isCausal && Chance() ? r.Next(0, keys + 2) : 0,
            SoftCap = Chance() ? 1.5f : 0,
            Slopes = Chance() ? Tensor.From(new Shape(heads), Alibi.Slopes(heads)) : null,
            RelativeBias = Chance() ? new RelativeBias(r.Normal(8, heads), isBidirectional, 20) : null,
            LearnedSink = Chance() ? r.Normal(heads) : null,
            Lengths = Chance() ? Tensor.FromIds(new Shape(batch), r.Ids(batch, keys + 1)) : null,
        };
        return new NaiveAttention(batch, queries, keys, headDim, Chance() ? headDim : r.Next(1, 40), options,
            isBidirectional);
    }

    private static Tensor[] Results(Compute compute, NaiveAttention problem, Tensor[] x, Tensor dy)
    {
        compute.NextStep();
        compute.Tape = new Tape();
        var y = problem.Run(compute, x);
        compute.Tape.Backward(compute, y, dy);
        return [y.Copy(), .. x.Select(input => input.Gradient.Copy())];
    }

    [Theory, MemberData(nameof(Seeds))]
    public void Random_options_agree_with_double_precision_in_the_same_bits_everywhere(int seed)
    {
        bool isCausal = seed % 2 == 0;
        var problem = Problem(seed, isCausal, isCausal);
        var r = new Random(seed);
        Tensor[] x = problem.Inputs(r);
        var dy = r.Normal(problem.Batch, problem.Queries, problem.Options.Heads * problem.ValueDim);
        var (y, gradients) = problem.Compute([.. x.Select(input => input.Doubles())], dy.Doubles());
        int[][]? first = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
            {
                using var compute = TestTensors.Dirty(threads, width);
                var results = Results(compute, problem, x, dy);
                if (first is null)
                    for (int i = 0; i < results.Length; i++)
                        AssertClose($"{problem}, result {i}", results[i], i == 0 ? y : gradients[i - 1],
                            Roundings(problem, i));
                int[][] bits = [.. results.Select(result => result.Bits())];
                first ??= bits;
                for (int i = 0; i < bits.Length; i++)
                    Assert.True(bits[i].AsSpan().SequenceEqual(first[i]), $"{problem}, {width}, {threads}: result {i}");
            }
    }

    /// <summary>
    /// Roundings of a chain of n operations add up to sqrt(n) of them: a table of biases has one for
    /// each pair of a query and a key, the rest for each query of each head. A score of m is off by m
    /// roundings, and so is its exponential.
    /// </summary>
    private static double Roundings(NaiveAttention problem, int result)
    {
        var options = problem.Options;
        double terms = result == 4 && options.RelativeBias is not null ? problem.Batch * problem.Queries * problem.Keys
            : problem.Queries * options.Heads;
        float slope = options.Slopes is { } slopes ? slopes.Data.ToArray().Max() : 0;
        return 8 + (2 * Math.Sqrt(terms)) + (slope * Math.Max(problem.Keys, problem.Queries));
    }

    private static void AssertClose(string what, Tensor actual, double[] expected, double roundings)
    {
        double error = TestTensors.Error(actual.Data, expected)
            / Math.Max(1, expected.Select(Math.Abs).DefaultIfEmpty().Max()) / GradCase.Rounding;
        Assert.True(error <= roundings, $"{what}: off by {error:F1} roundings of {roundings:F1}");
    }

    /// <summary>The last queries alone, by the kernel of decoding steps and by the other one.</summary>
    [Theory, MemberData(nameof(Seeds))]
    public void The_last_queries_alone_have_the_bits_of_the_whole_pass(int seed)
    {
        var problem = Problem(seed, isCausal: true, isSquare: true);
        Tensor[] x = problem.Inputs(new Random(seed));
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(2, width);
            var whole = problem.Run(compute, x).Copy();
            foreach (int count in new[] { 1, 2, AttentionSizes.StepQueries, AttentionSizes.StepQueries + 1, 120 })
            {
                if (count > problem.Queries)
                    continue;
                for (int b = 0; b < problem.Batch; b++)
                {
                    var lengths = problem.Options.Lengths is { } all ? Tensor.FromIds(new Shape(1), [all.Ids[b]]) : null;
                    var one = problem with { Batch = 1, Options = problem.Options with { Lengths = lengths } };
                    Tensor[] part = [Last(x[0], b, count), x[1].SliceRows(b, 1), x[2].SliceRows(b, 1), .. x[3..]];
                    Assert.True(Last(whole, b, count).Bits().AsSpan().SequenceEqual(one.Run(compute, part).Bits()),
                        $"{problem}, {width}, {count} queries of entry {b}");
                }
            }
        }

        static Tensor Last(Tensor of, int b, int count)
        {
            int times = of.Shape[1], columns = of.Shape[2];
            return Tensor.From(new Shape(1, count, columns),
                of.Data.Slice(((b * times) + times - count) * columns, count * columns).ToArray());
        }
    }

    /// <summary>Output and gradients of q, k and v of documents side by side, and of each alone.</summary>
    [Theory, MemberData(nameof(Seeds))]
    public void A_segment_has_the_bits_of_a_batch_that_holds_it_alone(int seed)
    {
        var options = Problem(seed, isCausal: seed % 4 != 0, isSquare: true).Options with
        {
            RelativeBias = null,
            Lengths = null,
        };
        const int headDim = 5, valueDim = 7;
        var r = new Random(seed);
        int[] lengths = [r.Next(1, 20), r.Next(90, 200), r.Next(1, 100)];
        int rows = lengths.Sum(), queries = options.Heads * headDim, keys = options.KeyHeads * headDim,
            values = options.KeyHeads * valueDim, outputs = options.Heads * valueDim;
        Tensor[] all = [r.Normal(1, rows, queries), r.Normal(1, rows, keys), r.Normal(1, rows, values),
            r.Normal(1, rows, outputs)];
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(3, width);
            Tensor[] together = Differentiated(compute, all, new Segments(compute, lengths));
            for (int i = 0, first = 0; i < lengths.Length; first += lengths[i++])
            {
                Tensor[] alone = Differentiated(compute, [.. all.Select(x => Part(x, first, lengths[i]))], null);
                for (int result = 0; result < alone.Length; result++)
                    Assert.True(Part(together[result], first, lengths[i]).Bits().AsSpan()
                        .SequenceEqual(alone[result].Bits()), $"{options}, {width}, document {i}, result {result}");
            }
        }

        static Tensor Part(Tensor x, int first, int count) => Tensor.From(new Shape(1, count, x.Shape[2]),
            x.Data.Slice(first * x.Shape[2], count * x.Shape[2]).ToArray());

        Tensor[] Differentiated(Compute compute, Tensor[] x, Segments? segments)
        {
            compute.Tape = new Tape();
            var y = compute.Attention(x[0], x[1], x[2], options with { Segments = segments });
            compute.Tape.Backward(compute, y, x[3]);
            Tensor[] results = [y.Copy(), .. x[..3].Select(input => input.Gradient.Copy())];
            compute.NextStep();
            return results;
        }
    }

    /// <summary>The gradient of a sink is a sum over all documents.</summary>
    [Fact]
    public void The_gradient_of_sinks_adds_up_over_segments()
    {
        using var compute = TestTensors.Dirty(2, SimdWidths.Best());
        compute.Tape = new Tape();
        var r = new Random(3);
        int[] lengths = [4, 100, 1];
        Tensor q = r.Normal(1, 105, 10), k = r.Normal(1, 105, 5), v = r.Normal(1, 105, 7), dy = r.Normal(1, 105, 14),
            sink = r.Normal(2);
        var options = new AttentionOptions(2, 1) { LearnedSink = sink, SoftCap = 2 };
        var y = compute.Attention(q, k, v, options with { Segments = new Segments(compute, lengths) });
        compute.Tape.Backward(compute, y, dy);
        var expected = new double[2];
        for (int i = 0, first = 0; i < lengths.Length; first += lengths[i++])
        {
            double[] Rows(Tensor x) => x.Doubles()[(first * x.Shape[2])..((first + lengths[i]) * x.Shape[2])];
            var naive = new NaiveAttention(1, lengths[i], lengths[i], 5, 7, options);
            double[] one = naive.Compute([Rows(q), Rows(k), Rows(v), sink.Doubles()], Rows(dy)).Gradients[3];
            expected = [expected[0] + one[0], expected[1] + one[1]];
        }
        AssertClose("d sink", sink.Gradient, expected, 20);
    }

    [Fact]
    public void A_query_that_sees_no_key_gives_zeros_and_no_gradient()
    {
        foreach (var width in SimdWidths.All)
            foreach (int queries in new[] { 3, 100 })
                foreach (var (isCausal, window) in new[] { (false, 0), (true, 0), (true, 2) })
                {
                    using var compute = TestTensors.Dirty(2, width);
                    compute.Tape = new Tape();
                    var r = new Random(1);
                    Tensor[] x = [r.Normal(2, queries, 8), r.Normal(2, queries, 8), r.Normal(2, queries, 8)];
                    var y = compute.Attention(x[0], x[1], x[2], new AttentionOptions(2, 2)
                    {
                        IsCausal = isCausal,
                        Window = window,
                        Lengths = Tensor.FromIds(new Shape(2), [1, 0]),
                    });
                    compute.Tape.Backward(compute, y, r.Normal(2, queries, 8));
                    foreach (var result in (Tensor[])[y, .. x.Select(input => input.Gradient)])
                    {
                        Assert.All(result.SliceRows(1, 1).Copy().Data.ToArray(), value => Assert.Equal(0, value));
                        Assert.All(result.Data.ToArray(), value => Assert.True(float.IsFinite(value)));
                    }
                    if (window == 2)
                        Assert.All(y.SliceRows(0, 1).Copy().Data[16..].ToArray(), value => Assert.Equal(0, value));
                }
    }

    [Fact]
    public void What_lies_beyond_a_length_changes_no_bit()
    {
        foreach (var width in SimdWidths.All)
            foreach (int times in new[] { 7, 130 })
                foreach (float bad in new[] { float.NaN, float.PositiveInfinity })
                {
                    using var compute = TestTensors.Dirty(3, width);
                    var options = new AttentionOptions(2, 1)
                    {
                        IsCausal = false,
                        SoftCap = 2,
                        Lengths = Tensor.FromIds(new Shape(1), [5]),
                    };
                    var r = new Random(2);
                    Tensor[] x = [r.Normal(1, times, 12), r.Normal(1, times, 6), r.Normal(1, times, 6)];
                    int[] before = Bits();
                    foreach (var input in x[1..])
                        input.Data[(5 * 6)..].Fill(bad);
                    Assert.Equal(before, Bits());

                    int[] Bits()
                    {
                        compute.NextStep();
                        compute.Tape = new Tape();
                        var y = compute.Attention(x[0], x[1], x[2], options);
                        compute.Tape.Backward(compute, y, new Random(3).Normal(1, times, 12));
                        return [.. y.Bits(), .. x.SelectMany(input => input.Gradient.Bits())];
                    }
                }
    }
}
