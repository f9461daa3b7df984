namespace Nano.Tests;

/// <summary>
/// Tensors that want no gradient: none is computed or held for them, and the others' have the same
/// bits.
/// </summary>
public class FrozenTests
{
    public static TheoryData<string> Names => [.. GradCases.All.Select(c => c.Name)];

    [Theory, MemberData(nameof(Names))]
    public void Every_subset_of_frozen_inputs_leaves_the_gradients_of_the_others_as_they_are(string name)
    {
        var test = GradCases.All.Single(c => c.Name == name);
        foreach (var width in new[] { SimdWidth.Scalar, SimdWidths.Best() })
            foreach (int threads in new[] { 1, 3 })
            {
                var (output, expected) = Run(test, width, threads, frozen: 0);
                for (int frozen = 1; frozen < 1 << expected.Length; frozen++)
                {
                    var (sameOutput, gradients) = Run(test, width, threads, frozen);
                    Assert.Equal(output, sameOutput);
                    for (int i = 0; i < expected.Length; i++)
                        Assert.Equal((frozen >> i & 1) == 1 ? null : expected[i], gradients[i]);
                }
            }
    }

    /// <summary>
    /// The bits of the output and of each input's gradient, or null for a gradient that is not
    /// there.
    /// </summary>
    static (int[] Output, int[]?[] Gradients) Run(GradCase test, SimdWidth width, int threads, int frozen)
    {
        using var compute = TestTensors.Dirty(threads, width);
        var tape = compute.Tape = new Tape();
        var random = test.Seeded();
        var inputs = test.Inputs(random);
        for (int i = 0; i < inputs.Length; i++)
            inputs[i].WantsGradient = (frozen >> i & 1) == 0;
        var output = test.Run(compute, inputs);
        int[] bits = Bits(output);
        bool any = frozen + 1 < 1 << inputs.Length;
        Assert.Equal(any, output.WantsGradient);
        Assert.All(tape.Ops, op => Assert.True(op.Output.WantsGradient));
        if (any)
            tape.Backward(compute, output, output.Shape.Rank == 0 ? null : Upstream(output.Shape));
        else
            Assert.Empty(tape.Ops);
        return (bits, [.. inputs.Select(input => input.HasGradient ? Bits(input.Gradient) : null)]);
    }

    static Tensor Upstream(Shape shape)
    {
        var upstream = new Tensor(shape);
        Philox.Normal(5, 6, 1, upstream.Data);
        return upstream;
    }

    static int[] Bits(Tensor tensor) => [.. tensor.Data.ToArray().Select(BitConverter.SingleToInt32Bits)];

    [Fact]
    public void A_loss_made_from_frozen_tensors_only_is_refused()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var x = new Tensor(new Shape(3)) { WantsGradient = false };
        var loss = compute.Sum(compute.Scale(x, 2));
        Assert.Contains("nothing that wants a gradient",
            Assert.Throws<InvalidOperationException>(() => compute.Tape.Backward(compute, loss)).Message,
            StringComparison.Ordinal);
        Assert.Contains("frozen", Assert.Throws<InvalidOperationException>(() => x.Gradient).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_and_results_without_a_tape_want_no_gradient_and_a_view_asks_its_root()
    {
        using var compute = new Compute(1);
        var ids = new Tensor(new Shape(3), DType.Int32);
        Assert.False(ids.WantsGradient);
        Assert.Throws<InvalidOperationException>(() => ids.WantsGradient = true);
        var x = new Tensor(new Shape(4, 6));
        Assert.True(x.WantsGradient);
        Assert.False(compute.Scale(x, 2).WantsGradient);
        var view = x.SliceColumns(2, 3);
        Assert.Throws<InvalidOperationException>(() => view.WantsGradient = false);
        x.WantsGradient = false;
        Assert.False(view.WantsGradient);
    }

    [Fact]
    public void A_frozen_table_holds_no_rows_back_and_no_memory()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        using var deferred = new DeferredRows();
        compute.DeferredRows = deferred;
        var table = new Tensor(new Shape(5, 64)) { WantsGradient = false };
        var bias = new Tensor(new Shape(64));
        var x = compute.Add(compute.Embedding(table, Tensor.FromIds(new Shape(2), [1, 3])), bias);
        compute.Tape.Backward(compute, compute.Sum(x));
        Assert.Equal(0, deferred.Arena.ReservedBytes);
        Assert.Equal([2f], bias.Gradient.Data.ToArray().Distinct());
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("muon")]
    [InlineData("adafactor")]
    [InlineData("adamw8bit")]
    public void An_optimizer_has_no_state_for_frozen_parameters_and_does_not_move_them(string rule)
    {
        using var compute = new Compute(1);
        Tensor frozen = new(new Shape(4, 4)) { Name = "frozen" }, free = new(new Shape(4, 4)) { Name = "free" };
        frozen.Data.Fill(1);
        frozen.WantsGradient = false;
        free.SetGradient(Upstream(free.Shape));
        using var optimizer = OptimizerKind.Create([frozen, free], OptimizerKind.Get(rule).Defaults);
        Assert.All(optimizer.State, slot => Assert.StartsWith("free.", slot.Name, StringComparison.Ordinal));
        optimizer.Step(compute, 0.1, 1);
        Assert.All(frozen.Data.ToArray(), value => Assert.Equal(1, value));
        Assert.Contains(free.Data.ToArray(), value => value != 0);
        var norm = new GradientNorm([frozen, free]);
        Assert.Equal(["free"], norm.Groups);
        Assert.True(norm.Measure(compute) > 0);
    }

    [Fact]
    public void Intermediates_that_nothing_recorded_are_released_at_once()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        Tensor frozen = new(new Shape(8)) { WantsGradient = false }, free = new(new Shape(8));
        Tensor? inner = null;
        Tensor Twice(Tensor x) => compute.ReleasingUnrecorded(() => compute.Scale(inner = compute.Scale(x, 2), 2));
        var y = Twice(frozen);
        Assert.True(inner!.IsGone);
        Assert.False(y.IsGone);
        y = Twice(free);
        Assert.False(inner.IsGone);
        compute.Tape.Backward(compute, compute.Sum(y));
        Assert.Equal([4f], free.Gradient.Data.ToArray().Distinct());
    }
}
