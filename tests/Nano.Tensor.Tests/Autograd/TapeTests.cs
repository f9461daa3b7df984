namespace Nano.Tests;

/// <summary>What a tape records, where a backward pass starts, and what it reaches.</summary>
public class TapeTests
{
    private static float[] Values(Tensor tensor) => [.. tensor.Data];

    [Fact]
    public void Without_an_upstream_gradient_every_element_counts_once()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var x = new Random(1).Normal(2, 3);
        compute.Tape.Backward(compute, compute.Scale(x, 3));
        Assert.Equal([3, 3, 3, 3, 3, 3], Values(x.Gradient));
    }

    [Fact]
    public void A_tensor_outside_the_loss_has_no_gradient()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var (x, z) = (new Random(1).Normal(2), new Random(2).Normal(2));
        var y = compute.Scale(x, 2);
        compute.Scale(z, 2);
        compute.Tape.Backward(compute, y);
        Assert.False(z.HasGradient);
        Assert.Contains("[2] has no gradient", Assert.Throws<InvalidOperationException>(() => z.Gradient).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_given_gradient_is_never_replaced_by_another_tensor()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var (a, b) = (new Random(1).Normal(2), new Random(2).Normal(2));
        var memory = new Tensor(a.Shape);
        a.SetGradient(memory);
        a.ForgetGradient();
        compute.Tape.Backward(compute, compute.Add(a, b), Tensor.From(a.Shape, [5f, 6]));
        Assert.Equal([5, 6], Values(memory));
    }

    [Fact]
    public void Without_a_tape_nothing_is_recorded()
    {
        using var compute = new Compute(1);
        var tape = new Tape();
        compute.Scale(new Random(1).Normal(2), 2);
        compute.Tape = tape;
        compute.Scale(new Random(1).Normal(2), 2);
        Assert.Single(tape.Ops);
        compute.NextStep();
        Assert.Empty(tape.Ops);
    }

    [Fact]
    public void What_a_backward_pass_has_used_is_given_back_and_says_so_when_read()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var x = new Random(1).Normal(2, 3);
        var a = compute.Scale(x, 3);
        var view = a.Reshape(new Shape(6));
        var y = compute.Multiply(a, a);
        compute.Tape.Backward(compute, y);
        Assert.Equal(6, y.Data.Length);
        Assert.Equal([1, 1, 1, 1, 1, 1], Values(y.Gradient));
        Assert.Equal(6, x.Gradient.Data.Length);
        Assert.Contains("[2, 3] was released", Assert.Throws<InvalidOperationException>(() => a.Data.Length).Message,
            StringComparison.Ordinal);
        Assert.Contains("[6] was released", Assert.Throws<InvalidOperationException>(() => view.Data.Length).Message,
            StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => a.Gradient);
        Assert.Throws<InvalidOperationException>(() => compute.Scale(a, 2));
        Assert.Empty(compute.Tape.Ops);
        Assert.Contains("has run already",
            Assert.Throws<InvalidOperationException>(() => compute.Tape.Backward(compute, y)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_tape_that_keeps_all_leaves_values_and_gradients_readable()
    {
        using var compute = new Compute(1) { Tape = new Tape { RetainsAll = true } };
        var x = Tensor.From(new Shape(2), [1f, 2]);
        var a = compute.Scale(x, 3);
        compute.Tape.Backward(compute, compute.Multiply(a, a));
        Assert.Equal([3, 6], Values(a));
        Assert.Equal([6, 12], Values(a.Gradient));
        Assert.Equal([18, 36], Values(x.Gradient));
    }

    [Fact]
    public void A_tensor_of_a_step_that_has_ended_cannot_be_read()
    {
        using var compute = new Compute(1);
        Tensor y = compute.New(new Shape(2, 3)), row = y.SliceRows(0, 1), ids = compute.New(new Shape(2), DType.Int32);
        compute.NextStep();
        Assert.Contains("[2, 3] belongs to a step that has ended",
            Assert.Throws<InvalidOperationException>(() => y.Data.Length).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => row.Data.Length);
        Assert.Throws<InvalidOperationException>(() => ids.Ids.Length);
    }

    [Fact]
    public void A_backward_pass_needs_little_more_memory_than_the_forward_pass_left()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var x = new Random(1).Normal(64, 64);
        var y = x;
        for (int i = 0; i < 50; i++)
            y = compute.Activation(ActivationKind.Tanh, y);
        long forward = compute.StepArena.PeakBytes;
        Assert.Equal(50 * 4 * 64 * 64, forward);
        compute.Tape.Backward(compute, y);
        // What is fed in and the output's gradient stay, and an op needs its own and its input's; these take
        // the places of what is dead.
        Assert.Equal(forward + (4 * 4 * 64 * 64), compute.StepArena.PeakBytes);
        Assert.Equal(compute.StepArena.PeakBytes, compute.StepArena.TouchedBytes);
    }
}
