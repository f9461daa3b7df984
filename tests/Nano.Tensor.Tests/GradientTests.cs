namespace Nano.Tests;

/// <summary>Where a tensor keeps its gradient: the bookkeeping, not the mathematics.</summary>
public sealed unsafe class GradientTests : IDisposable
{
    private readonly Compute compute = new(1) { Tape = new Tape() };

    public void Dispose() => compute.Dispose();

    [Fact]
    public void The_first_contribution_may_overwrite_and_later_ones_add()
    {
        var x = new Tensor(new Shape(2, 3));
        Assert.False(x.HasGradient);
        Assert.Contains("[2, 3]", Assert.Throws<InvalidOperationException>(() => x.Gradient).Message);
        Assert.False(x.GradientFor(compute).Accumulate);
        Assert.True(x.HasGradient);
        var again = x.GradientFor(compute);
        Assert.True(again.Accumulate);
        Assert.Equal((nint)x.Gradient.Pointer, (nint)again.Pointer);
    }

    [Fact]
    public void The_gradient_of_a_view_is_that_part_of_its_parents()
    {
        Tensor x = TensorTests.Counting(3, 8), view = x.SliceRows(1, 2).SliceColumns(2, 4).Reshape(new Shape(2, 1, 4));
        Assert.False(view.HasGradient);
        DirtyArena();
        var target = view.GradientFor(compute);
        Assert.True(target.Accumulate);
        Assert.True(x.HasGradient);
        Assert.Equal(new float[24], x.Gradient.ToArray());
        Assert.Equal((nint)(x.Gradient.Pointer + 8 + 2), (nint)target.Pointer);
        Assert.Equal((nint)target.Pointer, (nint)view.Gradient.Pointer);
        Assert.Equal(view.Shape, view.Gradient.Shape);
        Assert.Equal(8, view.Gradient.RowStride);
        Assert.True(x.GradientFor(compute).Accumulate);
    }

    [Fact]
    public void Backward_can_start_at_a_view()
    {
        DirtyArena();
        Tensor x = TensorTests.Counting(2, 3), weight = TensorTests.Counting(4, 3);
        var y = compute.Linear(x, weight, null);
        var part = y.SliceColumns(1, 2);
        compute.Tape!.Backward(compute, part);
        Assert.Equal([0f, 1f, 1f, 0f, 0f, 1f, 1f, 0f], y.Gradient.ToArray());
        Assert.Equal([11f, 13f, 15f, 11f, 13f, 15f], x.Gradient.ToArray());
    }

    [Fact]
    public void Backward_with_an_upstream_gradient_can_start_at_a_view()
    {
        Tensor x = TensorTests.Counting(2, 3), weight = TensorTests.Counting(4, 3);
        var y = compute.Linear(x, weight, null);
        compute.Tape!.Backward(compute, y.Reshape(new Shape(8)), TensorTests.Counting(8));
        Assert.Equal(Enumerable.Range(1, 8).Select(i => (float)i), y.Gradient.ToArray());
        Assert.True(weight.HasGradient);
    }

    [Fact]
    public void A_gradient_in_the_steps_memory_is_gone_after_the_step()
    {
        Tensor x = TensorTests.Counting(5, 4), weight = TensorTests.Counting(3, 4);
        float[]? first = null;
        for (int step = 0; step < 3; step++)
        {
            Assert.False(weight.HasGradient);
            Assert.True(weight.SliceRows(0, 1) is { HasGradient: false });
            compute.Tape!.Backward(compute, compute.Linear(x, weight, null));
            first ??= weight.Gradient.ToArray();
            Assert.Equal(first, weight.Gradient.ToArray());
            compute.NextStep();
        }
        Assert.Throws<InvalidOperationException>(() => weight.Gradient);
    }

    [Fact]
    public void A_gradient_in_memory_of_its_own_accumulates_over_steps_until_it_is_forgotten()
    {
        Tensor x = TensorTests.Counting(5, 4), weight = TensorTests.Counting(3, 4), gradient = new(weight.Shape);
        weight.SetGradient(gradient);
        Backward();
        var once = gradient.ToArray();
        Backward();
        Assert.Equal(once.Select(g => 2 * g), gradient.ToArray());
        weight.ForgetGradient();
        Assert.False(weight.HasGradient);
        Backward();
        Assert.Equal(once, gradient.ToArray());
        Assert.Equal((nint)gradient.Pointer, (nint)weight.Gradient.Pointer);

        void Backward()
        {
            compute.Tape!.Backward(compute, compute.Linear(x, weight, null));
            compute.NextStep();
        }
    }

    [Fact]
    public void An_adopted_gradient_counts_even_if_an_earlier_one_was_forgotten()
    {
        Tensor x = new(new Shape(3)), dy = TensorTests.Counting(3);
        x.ForgetGradient();
        Assert.True(x.TryAdoptGradient(dy));
        Assert.Same(dy, x.Gradient);
        Assert.False(x.TryAdoptGradient(dy));
        Assert.False(x.SliceRows(0, 3).TryAdoptGradient(dy));
    }

    [Fact]
    public void Gradients_of_another_shape_or_with_gaps_or_for_views_are_refused()
    {
        var x = new Tensor(new Shape(2, 3));
        Assert.Contains("[3, 2]",
            Assert.Throws<ArgumentException>(() => x.SetGradient(new Tensor(new Shape(3, 2)))).Message);
        Assert.Throws<ArgumentException>(() => x.SetGradient(new Tensor(new Shape(2, 5)).SliceColumns(0, 3)));
        Assert.Throws<InvalidOperationException>(() => x.SliceRows(0, 1).SetGradient(new Tensor(new Shape(1, 3))));
    }

    /// <summary>Leaves NaN in the step's memory, so that a gradient nobody cleared is noticed.</summary>
    private void DirtyArena()
    {
        compute.New(new Shape(1000)).Data.Fill(float.NaN);
        compute.NextStep();
    }
}
