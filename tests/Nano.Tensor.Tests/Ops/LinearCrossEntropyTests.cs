namespace Nano.Tests;

/// <summary>
/// The fused head and loss against the two ops that it is made of, bit for bit; their own tests are
/// the independent source.
/// </summary>
public class LinearCrossEntropyTests
{
    private const int Rows = 137, K = 19, V = 67;

    private sealed record Result(int[] Loss, int[] Nll, int[] DX, int[] DW)
    {
        public void AssertSame(Result other, string where)
        {
            Assert.True(Loss.AsSpan().SequenceEqual(other.Loss), $"loss, {where}");
            Assert.True(Nll.AsSpan().SequenceEqual(other.Nll), $"nll, {where}");
            Assert.True(DX.AsSpan().SequenceEqual(other.DX), $"dx, {where}");
            Assert.True(DW.AsSpan().SequenceEqual(other.DW), $"dw, {where}");
        }
    }

    /// <summary>
    /// Runs forward and backward; the weight's gradient continues from numbers that are there
    /// already if wanted.
    /// </summary>
    private static Result Run(Compute compute, bool continues,
        Func<Compute, Tensor, Tensor, (Tensor Loss, Tensor Nll)> op)
    {
        var random = new Random(4);
        Tensor x = random.Normal(Rows, K), w = random.Normal(V, K), before = random.Normal(V, K), dw = new(w.Shape);
        dw.Data.Fill(float.NaN);
        w.SetGradient(dw);
        if (continues)
            dw.CopyFrom(before);
        else
            w.ForgetGradient();
        compute.Tape = new Tape();
        var input = compute.Scale(x, 1); // as in a model, a tensor of the step
        var (loss, nll) = op(compute, input, w);
        int[] lossBits = loss.Bits(), nllBits = nll.Bits();
        compute.Tape.Backward(compute, loss);
        Assert.Equal(lossBits, loss.Bits());
        var result = new Result(lossBits, nllBits, x.Gradient.Bits(), w.Gradient.Bits());
        compute.NextStep();
        return result;
    }

    [Fact]
    public void Every_bit_is_that_of_linear_and_cross_entropy_however_the_rows_are_cut()
    {
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 3 })
                foreach (int leaveOut in new[] { 0, 5 })
                    foreach (var options in new[] { default, new LossOptions(1000), new LossOptions(1000, 0.1, 1e-3),
                        new LossOptions(0, 0.2) })
                        foreach (bool continues in new[] { false, true })
                        {
                            using var compute = TestTensors.Dirty(threads, width);
                            var targets = Tensor.FromIds(new Shape(Rows), new Random(3).Ids(Rows, V, leaveOut));
                            var expected = Run(compute, continues,
                                (c, x, w) => c.CrossEntropy(c.Linear(x, w, null), targets, options));
                            Run(compute, continues, (c, x, w) => c.LinearCrossEntropy(x, w, targets, options))
                                .AssertSame(expected, $"{width}");
                            foreach (int chunk in new[] { 1, 32, 64, 100, 136, 137, 500 })
                                Run(compute, continues,
                                    (c, x, w) => c.LinearCrossEntropy(x, w, targets, options, chunk))
                                    .AssertSame(expected,
                                        $"{width}, {threads} threads, {chunk} rows per chunk, leave out {leaveOut}, "
                                        + $"{options}, continues {continues}");
                        }
    }

    [Fact]
    public void Without_a_tape_the_loss_has_the_same_bits_and_no_gradient_is_touched()
    {
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(2, width);
            var random = new Random(4);
            Tensor x = random.Normal(Rows, K), w = random.Normal(V, K),
                targets = Tensor.FromIds(new Shape(Rows), random.Ids(Rows, V, 7));
            var (expected, expectedNll) = compute.CrossEntropy(compute.Linear(x, w, null), targets);
            var (loss, nll) = compute.LinearCrossEntropy(x, w, targets, 0, rowsPerChunk: 32);
            Assert.Equal(expected.Bits(), loss.Bits());
            Assert.Equal(expectedNll.Bits(), nll.Bits());
            Assert.False(x.HasGradient || w.HasGradient);
        }
    }

    [Fact]
    public void Only_a_chunk_of_logits_is_ever_held()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var random = new Random(4);
        Tensor x = random.Normal(1024, 4), w = random.Normal(4096, 4),
            targets = Tensor.FromIds(new Shape(1024), random.Ids(1024, 4096));
        w.SetGradient(new Tensor(w.Shape));
        w.ForgetGradient();
        compute.Tape.Backward(compute, compute.LinearCrossEntropy(x, w, targets, 0, rowsPerChunk: 32).Loss);
        Assert.InRange(compute.StepArena.PeakBytes, 4 * 32 * 4096, 4 * ((32 * 4096) + (1024 * 8)));
        Assert.True(w.HasGradient);
    }

    /// <summary>50,257 is GPT-2's vocabulary: 64 MiB hold 333 rows of its logits.</summary>
    [Theory]
    [InlineData(768, 65, 768)]
    [InlineData(256, 50257, 256)]
    [InlineData(1024, 50257, 256)]
    [InlineData(100, 50257, 128)]
    [InlineData(0, 10, 32)]
    [InlineData(1, 0, 32)]
    [InlineData(65, 1 << 24, 32)]
    public void Chunks_are_about_equal_multiples_of_32_rows(int rows, int vocabulary, int expected) =>
        Assert.Equal(expected, LinearCrossEntropyOp.RowsPerChunk(rows, vocabulary));

    [Fact]
    public void A_backward_pass_from_elsewhere_is_refused()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var random = new Random(4);
        var (loss, _) = compute.LinearCrossEntropy(random.Normal(2, 3), random.Normal(5, 3),
            Tensor.FromIds(new Shape(2), [1, 4]));
        var e = Assert.Throws<InvalidOperationException>(() => compute.Tape.Backward(compute, compute.Scale(loss, 2)));
        Assert.Contains("linear-cross-entropy", e.Message, StringComparison.Ordinal);
        Assert.Contains("got 2", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_rows_give_gradients_of_zero()
    {
        using var compute = TestTensors.Dirty(1, SimdWidths.Best());
        compute.Tape = new Tape();
        Tensor w = new Random(1).Normal(5, 3), dw = new(w.Shape);
        dw.Data.Fill(float.NaN);
        w.SetGradient(dw);
        w.ForgetGradient();
        var (loss, nll) = compute.LinearCrossEntropy(new Tensor(new Shape(0, 3)), w,
            new Tensor(new Shape(0), DType.Int32), 4);
        compute.Tape.Backward(compute, loss);
        Assert.Equal(0, loss.Data[0]);
        Assert.Equal(0, nll.Length);
        Assert.All(w.Gradient.Data.ToArray(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Drawn_targets_are_those_that_the_op_then_has_the_bits_of()
    {
        int[]? drawn = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
                foreach (int chunk in new[] { 32, 500 })
                {
                    using var compute = TestTensors.Dirty(threads, width);
                    var targets = Tensor.FromIds(new Shape(Rows), new int[Rows]);
                    var result = Run(compute, false,
                        (c, x, w) => c.LinearCrossEntropy(x, w, targets, new(Draw: new LabelDraw(7, 9)), chunk));
                    drawn ??= targets.Ids.ToArray();
                    Assert.Equal(drawn, targets.Ids.ToArray());
                    Run(compute, false, (c, x, w) => c.LinearCrossEntropy(x, w, targets))
                        .AssertSame(result, $"{width}, {threads} threads, {chunk} rows per chunk");
                }
        Assert.True(drawn!.Distinct().Count() > 10);
    }

    [Fact]
    public void Targets_are_drawn_as_often_as_the_model_says()
    {
        const int rows = 40_000;
        double[] probabilities = [0.5, 0.001, 0.2, 0.249, 0.05];
        Tensor x = new(new Shape(rows, 1)), weight =
            Tensor.From(new Shape(5, 1), [.. probabilities.Select(p => (float)Math.Log(p) + 3)]),
            targets = new(new Shape(rows), DType.Int32);
        x.Data.Fill(1);
        using var compute = new Compute(2);
        int[] Draw(LabelDraw draw)
        {
            compute.NextStep();
            compute.LinearCrossEntropy(x, weight, targets, new(Draw: draw));
            return targets.Ids.ToArray();
        }
        int[] drawn = Draw(new LabelDraw(1, 2));
        for (int id = 0; id < 5; id++) // five standard deviations of a binomial
            Assert.Equal(rows * probabilities[id], drawn.Count(target => target == id),
                5 * Math.Sqrt(rows * probabilities[id] * (1 - probabilities[id])));
        Assert.Equal(drawn, Draw(new LabelDraw(1, 2)));
        Assert.NotEqual(drawn, Draw(new LabelDraw(1, 3)));
        Assert.NotEqual(drawn, Draw(new LabelDraw(2, 2)));
    }
}
