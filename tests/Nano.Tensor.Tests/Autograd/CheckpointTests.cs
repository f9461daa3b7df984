namespace Nano.Tests;

/// <summary>Computing again instead of keeping: the same bits, less memory.</summary>
public class CheckpointTests
{
    private static Tensor Block(Compute c, Tensor x, Tensor norm, Tensor w)
    {
        var branch = c.Dropout(c.Activation(ActivationKind.GeluTanh, c.Linear(c.RmsNorm(x, norm, 1e-5f), w, null)),
            0.3f, 5, 9);
        x = c.Add(x, branch);
        c.Release(branch);
        return c.Add(x, c.CausalAttention(x, x, x, 2, 2));
    }

    private static (int[][] Bits, long Peak) Run(int threads, SimdWidth width, int depth,
        Func<Compute, Tensor, Func<Compute, Tensor, Tensor>, Tensor> around)
    {
        using var compute = new Compute(threads, width) { Tape = new Tape() };
        var random = new Random(3);
        Tensor[] inputs = [random.Normal(2, 35, 12), random.AroundOne(12), random.Normal(12, 12)];
        var x = inputs[0];
        for (int i = 0; i < depth; i++)
            x = around(compute, x, (c, t) => Block(c, t, inputs[1], inputs[2]));
        int[] output = x.Bits();
        compute.Tape.Backward(compute, x, random.Normal(2, 35, 12));
        return ([output, .. inputs.Select(input => input.Gradient.Bits())], compute.StepArena.PeakBytes);
    }

    [Fact]
    public void Outputs_and_gradients_have_the_same_bits()
    {
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 3 })
            {
                var plain = Run(threads, width, 4, (c, x, body) => body(c, x));
                var checkpointed = Run(threads, width, 4, (c, x, body) => c.Checkpoint(x, body));
                var nested = Run(threads, width, 2,
                    (c, x, body) => c.Checkpoint(x, (c, x) => body(c, c.Checkpoint(x, body))));
                for (int i = 0; i < plain.Bits.Length; i++)
                {
                    Assert.True(plain.Bits[i].AsSpan().SequenceEqual(checkpointed.Bits[i]),
                        $"{width}, {threads} threads, tensor {i}");
                    Assert.True(plain.Bits[i].AsSpan().SequenceEqual(nested.Bits[i]),
                        $"nested, {width}, {threads} threads, tensor {i}");
                }
            }
    }

    [Fact]
    public void A_deep_stack_needs_a_fraction_of_the_memory()
    {
        var plain = Run(1, SimdWidths.Best(), 30, (c, x, body) => body(c, x));
        var checkpointed = Run(1, SimdWidths.Best(), 30, (c, x, body) => c.Checkpoint(x, body));
        Assert.InRange(checkpointed.Peak, 1, plain.Peak * 0.4);
    }

    [Fact]
    public void Without_a_tape_only_the_result_stays()
    {
        using var compute = new Compute(1);
        var x = new Random(1).Normal(8, 16);
        Tensor? inner = null;
        var y = x;
        for (int i = 0; i < 100; i++)
        {
            var before = y;
            y = compute.Checkpoint(y, (c, t) => c.Scale(inner = c.Scale(t, 0.5f), 2));
            compute.Release(before);
        }
        Assert.Equal(x.Data.ToArray(), y.Data.ToArray());
        Assert.Throws<InvalidOperationException>(() => inner!.Data.Length);
        Assert.InRange(compute.StepArena.PeakBytes, 1, 4 * 4 * 8 * 16);
    }

    [Fact]
    public void The_result_of_a_checkpoint_in_a_checkpoint_goes_with_the_outer_one()
    {
        using var compute = new Compute(1);
        var x = new Random(1).Normal(8, 16);
        Tensor? inner = null;
        compute.Checkpoint(x, (c, t) => c.Scale(inner = c.Checkpoint(t, (c, t) => c.Scale(t, 2)), 2));
        Assert.Throws<InvalidOperationException>(() => inner!.Data.Length);
    }

    [Fact]
    public void What_throws_on_the_way_leaves_the_tape_and_no_memory()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var tape = compute.Tape;
        var x = new Random(1).Normal(8, 16);
        Assert.Throws<ArgumentException>(() =>
            compute.Checkpoint(x, (c, t) => c.Add(c.Scale(t, 2), new Tensor(new Shape(5)))));
        Assert.Same(tape, compute.Tape);
        Assert.Empty(tape.Ops);
        compute.New(new Shape(8, 16));
        Assert.Equal(4 * 8 * 16, compute.StepArena.PeakBytes);
    }

    [Fact]
    public void A_body_that_does_nothing_records_nothing_and_a_view_is_refused()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var x = new Random(1).Normal(8, 16);
        Assert.Same(x, compute.Checkpoint(x, (_, t) => t));
        Assert.Empty(compute.Tape.Ops);
        var e = Assert.Throws<ArgumentException>(() => compute.Checkpoint(x, (c, t) => c.Scale(t, 2).SliceRows(0, 3)));
        Assert.StartsWith("checkpoint:", e.Message, StringComparison.Ordinal);
        Assert.Contains("[3, 16]", e.Message, StringComparison.Ordinal);
        Assert.Contains("[8, 16]", e.Message, StringComparison.Ordinal);
    }
}
