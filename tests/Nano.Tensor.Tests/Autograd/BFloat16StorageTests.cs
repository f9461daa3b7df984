namespace Nano.Tests;

/// <summary>Keeping activations in half the memory: the same outputs, gradients at rounded activations.</summary>
public class BFloat16StorageTests
{
    private static Tensor Block(Compute c, Tensor x, Tensor norm, Tensor w)
    {
        var qkv = c.Linear(c.RmsNorm(x, norm, 1e-5f), w, null); // views of what is stored
        var branch = c.Dropout(c.CausalAttention(qkv.SliceColumns(0, 12), qkv.SliceColumns(12, 12),
            qkv.SliceColumns(24, 12), 2, 2), 0.3f, 5, 9);
        x = c.Add(x, branch);
        c.Release(branch);
        return c.Add(x, c.Activation(ActivationKind.GeluTanh, x));
    }

    private sealed record Result(int[] Output, float[][] Gradients, long Peak);

    private static Result Run(int threads, SimdWidth width, int depth,
        Func<Compute, Tensor, Func<Compute, Tensor, Tensor>, Tensor> around)
    {
        using var compute = new Compute(threads, width) { Tape = new Tape() };
        var random = new Random(3);
        Tensor[] inputs = [random.Normal(2, 35, 12), random.AroundOne(12), random.Normal(36, 12)];
        foreach (ref float value in inputs[2].Data)
            value *= 0.3f; // scores of attention of usual size
        var x = inputs[0];
        for (int i = 0; i < depth; i++)
            x = around(compute, x, (c, t) => Block(c, t, inputs[1], inputs[2]));
        int[] output = x.Bits();
        compute.Tape.Backward(compute, x, random.Normal(2, 35, 12));
        return new Result(output, [.. inputs.Select(input => input.Gradient.Data.ToArray())],
            compute.StepArena.PeakBytes);
    }

    private static double Norm(IEnumerable<double> values) => Math.Sqrt(values.Sum(value => value * value));

    [Fact]
    public void Outputs_have_the_same_bits_and_gradients_are_close()
    {
        var plain = Run(1, SimdWidths.Best(), 3, (c, x, body) => body(c, x));
        foreach (var width in SimdWidths.All)
        {
            var stored = Run(2, width, 3, (c, x, body) => c.StoringBFloat16(x, body));
            Assert.Equal(plain.Output, stored.Output);
            foreach (var (expected, actual) in plain.Gradients.Zip(stored.Gradients))
            {
                double off = Norm(expected.Zip(actual, (e, a) => (double)e - a))
                    / Norm(expected.Select(e => (double)e));
                Assert.InRange(off, 1e-6, 0.02); // 2^-9 per stored number, a few in a row; and not nothing at all
            }
        }
    }

    [Fact]
    public void Every_width_and_team_gives_the_same_gradients_also_nested()
    {
        int[]? expected = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
                // computed again, then stored, then used: the same numbers
                foreach (bool checkpoint in new[] { false, true })
                {
                    var result = Run(threads, width, 2,
                        (c, x, body) => checkpoint ? c.Checkpoint(x, (c, x) => c.StoringBFloat16(x, body))
                            : c.StoringBFloat16(x, body));
                    int[] bits = [.. result.Output,
                        .. result.Gradients.SelectMany(gradient => gradient.Select(BitConverter.SingleToInt32Bits))];
                    expected ??= bits;
                    Assert.True(expected.AsSpan().SequenceEqual(bits),
                        $"{width}, {threads} threads, checkpoint {checkpoint}");
                }
    }

    [Fact]
    public void The_gradient_is_the_one_at_the_rounded_number()
    {
        using var compute = TestTensors.Dirty(1, SimdWidths.Best());
        compute.Tape = new Tape();
        var x = Tensor.From(new Shape(3), [1 + (1f / 512), 0.3f, -2.7f]);
        var y = compute.StoringBFloat16(x, (c, t) => c.Activation(ActivationKind.Tanh, c.Scale(t, 1)));
        compute.Tape.Backward(compute, y);
        // Of 8 digits: 1 + 2^-9 is nearer to 1 than to 1 + 2^-7; 0.3 = 1.2 / 4 and -2.7 = -1.35 x 2 are
        // rounded to multiples of 2^-9 and 2^-6.
        double[] rounded = [1, Math.Round(0.3 * 512) / 512, -Math.Round(2.7 * 64) / 64];
        for (int i = 0; i < 3; i++)
            Assert.Equal(1 - (Math.Tanh(rounded[i]) * Math.Tanh(rounded[i])), x.Gradient.Data[i], 1e-6);
    }

    [Fact]
    public void A_deep_stack_needs_about_half_the_memory()
    {
        var plain = Run(1, SimdWidths.Best(), 30, (c, x, body) => body(c, x));
        var stored = Run(1, SimdWidths.Best(), 30, (c, x, body) => c.StoringBFloat16(x, body));
        // A block keeps 7 tensors as large as x besides its result (norm, q, k, v, attention, sum, GELU), so
        // 4.5 of 8 remain, and a block in float32.
        Assert.InRange(stored.Peak, 0.5 * plain.Peak, 0.66 * plain.Peak);
    }

    [Fact]
    public void Statistics_and_ids_are_kept_as_they_are()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var random = new Random(1);
        Tensor x = random.Normal(4, 8), norm = random.AroundOne(8), table = random.Normal(5, 8);
        Tensor? ids = null;
        var y = compute.StoringBFloat16(x, (c, t) =>
        {
            ids = c.New(new Shape(4), DType.Int32);
            new[] { 1, 4, 0, 3 }.CopyTo(ids.Ids);
            return c.Add(c.LayerNorm(t, norm, null, 1e-5f), c.Embedding(table, ids));
        });
        Assert.Equal([1, 4, 0, 3], ids!.Ids.ToArray());
        var op = Assert.IsType<BFloat16StorageOp>(compute.Tape.Ops.Single());
        var layerNorm = op.Inner.Ops.OfType<LayerNormOp>().Single();
        Assert.Equal(4, layerNorm.Mean.Data.Length + layerNorm.InverseStd.Data.Length - 4); // readable
        Assert.Contains("released", Assert.Throws<InvalidOperationException>(() => layerNorm.Y.Data.Length).Message,
            StringComparison.Ordinal);
        compute.Tape.Backward(compute, y);
        Assert.Equal(1, table.Gradient.Data[4 * 8]);
        Assert.Equal(0, table.Gradient.Data[2 * 8]);
    }

    [Fact]
    public void A_tape_that_keeps_all_can_be_walked_again()
    {
        using var compute = new Compute(1) { Tape = new Tape { RetainsAll = true } };
        var x = new Random(1).Normal(3, 5);
        var y = compute.StoringBFloat16(x, (c, t) => c.Activation(ActivationKind.Tanh, c.Scale(t, 3)));
        compute.Tape.Backward(compute, y);
        float[] once = x.Gradient.Data.ToArray();
        x.ForgetGradient();
        foreach (var op in ((BFloat16StorageOp)compute.Tape.Ops.Single()).Inner.Ops)
            op.Output.ForgetGradient();
        compute.Tape.Backward(compute, y);
        Assert.Equal(once, x.Gradient.Data.ToArray());
    }

    [Fact]
    public void What_throws_on_the_way_leaves_the_tape()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var tape = compute.Tape;
        var x = new Random(1).Normal(8, 16);
        Assert.Throws<ArgumentException>(() =>
            compute.StoringBFloat16(x, (c, t) => c.Add(c.Scale(t, 2), new Tensor(new Shape(5)))));
        Assert.Same(tape, compute.Tape);
        Assert.Empty(tape.Ops);
    }

    [Fact]
    public void A_body_that_does_nothing_records_nothing_and_a_view_is_refused()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var x = new Random(1).Normal(8, 16);
        Assert.Same(x, compute.StoringBFloat16(x, (_, t) => t));
        Assert.Empty(compute.Tape.Ops);
        var e = Assert.Throws<ArgumentException>(() =>
            compute.StoringBFloat16(x, (c, t) => c.Scale(t, 2).SliceRows(0, 3)));
        Assert.StartsWith("bfloat16 storage:", e.Message, StringComparison.Ordinal);
        compute.Tape = null;
        Assert.Equal(compute.Scale(x, 2).Bits(), compute.StoringBFloat16(x, (c, t) => c.Scale(t, 2)).Bits());
    }
}
