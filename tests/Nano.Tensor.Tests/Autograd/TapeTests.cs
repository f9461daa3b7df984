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
        Assert.Contains("[2] has no gradient", Assert.Throws<InvalidOperationException>(() => z.Gradient).Message, StringComparison.Ordinal);
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
}
