using System.Reflection;

namespace Nano.Tests;

/// <summary>
/// Tensor objects that serve again in later steps: they carry nothing over, and a tensor of a step that
/// has ended is refused while its object rests.
/// </summary>
public class StepTensorsTests
{
    private static Compute Reusing(bool reuses = true)
    {
        var compute = new Compute(1);
        compute.StepTensors.Reuses = reuses;
        return compute;
    }

    private static void EndSteps(Compute compute, int count)
    {
        for (int i = 0; i < count; i++)
            compute.NextStep();
    }

    private static void AssertEnded(Tensor tensor) => Assert.Contains("belongs to a step that has ended",
        Assert.Throws<InvalidOperationException>(() => tensor.Data.Length).Message, StringComparison.Ordinal);

    [Fact]
    public void An_object_serves_again_once_it_has_rested()
    {
        using var compute = Reusing();
        var first = compute.New(new Shape(3));
        for (int step = 1; step < StepTensors.Rest; step++)
        {
            compute.NextStep();
            Assert.NotSame(first, compute.New(new Shape(3)));
            AssertEnded(first);
        }
        compute.NextStep();
        Assert.Same(first, compute.New(new Shape(2, 5)));
        Assert.Equal(new Shape(2, 5), first.Shape);
        Assert.Equal(10, first.Data.Length);
    }

    [Fact]
    public void Without_reuse_every_tensor_is_a_new_object_and_stays_refused()
    {
        using var compute = Reusing(reuses: false);
        var first = compute.New(new Shape(3));
        for (int step = 0; step < 3 * StepTensors.Rest; step++)
        {
            compute.NextStep();
            Assert.NotSame(first, compute.New(new Shape(3)));
            AssertEnded(first);
        }
    }

    [Fact]
    public void An_object_that_serves_again_carries_nothing_over()
    {
        using var compute = Reusing();
        compute.Tape = new Tape();
        var parameter = new Random(1).Normal(4, 6);
        var output = compute.Scale(parameter, 2);
        output.Name = "output";
        var view = output.Reshape(new Shape(24));
        compute.NewStatistic(new Shape(4)).Name = "statistic";
        compute.Tape.Backward(compute, compute.Scale(view, 3));
        var objects = ObjectsOf(compute);
        Assert.True(objects.Length > 5);
        EndSteps(compute, StepTensors.Rest);
        foreach (var old in objects)
        {
            var again = compute.New(new Shape(7), DType.Int32);
            Assert.Same(old, again);
            using var fresh = Reusing(reuses: false);
            var expected = fresh.New(new Shape(7), DType.Int32);
            foreach (var field in typeof(Tensor).GetFields(BindingFlags.Instance | BindingFlags.NonPublic))
                if (!field.Name.Contains("Generation", StringComparison.OrdinalIgnoreCase)
                    && field.FieldType != typeof(NativeBuffer) && field.FieldType != typeof(Arena)
                    && field.FieldType != typeof(StepTensors) && field.Name != "offset")
                    Assert.Equal(field.GetValue(expected), field.GetValue(again));
        }
    }

    /// <summary>The objects that wait, the oldest first.</summary>
    private static Tensor[] ObjectsOf(Compute compute) => [.. (Queue<Tensor>)typeof(StepTensors)
        .GetField("byAge", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(compute.StepTensors)!];

    [Fact]
    public void A_view_is_refused_even_if_its_root_serves_again()
    {
        using var compute = Reusing();
        var root = compute.New(new Shape(2, 3));
        compute.StepTensors.Reuses = false;
        Tensor view = root.Reshape(new Shape(6)), part = view.Reshape(new Shape(3, 2)).SliceRows(1, 1);
        compute.StepTensors.Reuses = true;
        EndSteps(compute, StepTensors.Rest);
        Assert.Same(root, compute.New(new Shape(2, 3)));
        AssertEnded(view);
        AssertEnded(part);
    }

    [Fact]
    public void A_gradient_of_an_earlier_step_is_not_one_because_its_object_serves_again()
    {
        using var compute = Reusing();
        compute.Tape = new Tape();
        var parameter = new Random(1).Normal(2, 3); // without gradient memory of its own
        compute.Tape.Backward(compute, compute.Scale(parameter, 3));
        var gradient = parameter.Gradient;
        EndSteps(compute, StepTensors.Rest);
        while (compute.New(new Shape(2, 3)) != gradient)
        {
        }
        gradient.Data.Fill(100);
        Assert.False(parameter.HasGradient);
        Assert.Throws<InvalidOperationException>(() => parameter.Gradient);
        compute.Tape.Backward(compute, compute.Scale(parameter, 5));
        Assert.Equal([5, 5, 5, 5, 5, 5], parameter.Gradient.Data.ToArray());
        Assert.Equal([100, 100, 100, 100, 100, 100], gradient.Data.ToArray());
    }

    [Fact]
    public void Rows_in_a_step_are_refused_after_it_and_the_tensor_itself_is_not()
    {
        using var compute = Reusing();
        var whole = TensorTests.Counting(5, 2);
        var rows = whole.RowsInStep(compute.StepTensors, 1, new Shape(1, 3, 2));
        Assert.Equal(whole.SliceRows(1, 3).Data.ToArray(), rows.Data.ToArray());
        rows.Data[0] = -1;
        Assert.Equal(-1, whole.Data[2]);
        compute.NextStep();
        AssertEnded(rows);
        Assert.Equal(10, whole.Data.Length);
    }

    [Fact]
    public void Rows_in_a_step_are_refused_once_the_tensors_own_memory_is_gone()
    {
        using var compute = Reusing();
        using var arena = new Arena();
        var whole = new Tensor(arena, new Shape(5, 2));
        var rows = whole.RowsInStep(compute.StepTensors, 0, new Shape(5, 2));
        arena.Reset();
        Assert.Throws<InvalidOperationException>(() => rows.Data.Length);
    }

    [Theory]
    [InlineData(0, 6, 2)]
    [InlineData(-1, 1, 2)]
    [InlineData(4, 2, 2)]
    [InlineData(0, 2, 1)]
    public void Rows_outside_a_tensor_are_refused(int start, int rows, int columns)
    {
        using var compute = Reusing();
        var whole = new Tensor(new Shape(5, 2));
        Assert.Contains("does not lie in [5, 2]", Assert.Throws<ArgumentException>(() =>
            whole.RowsInStep(compute.StepTensors, start, new Shape(rows, columns))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Steps_on_objects_of_earlier_steps_compute_the_same_bits()
    {
        float[] expected = Gradients(reuses: false), actual = Gradients(reuses: true);
        Assert.Equal(expected, actual);

        // Every third step is another one, of fewer ops: objects and places of the tape change their use.
        static float[] Gradients(bool reuses)
        {
            using var compute = Reusing(reuses);
            compute.Tape = new Tape();
            var random = new Random(5);
            Tensor x = random.Normal(4, 6), weight = random.Normal(6, 6), bias = random.Normal(6);
            List<float> all = [];
            for (int step = 0; step < 4 * StepTensors.Rest; step++)
            {
                compute.NextStep();
                var y = compute.Linear(x, weight, bias);
                if (step % 3 > 0)
                    y = compute.LayerNorm(compute.Add(y, x), bias, null, 1e-5f);
                compute.Tape.Backward(compute, compute.Scale(y.Reshape(new Shape(24)), step + 1));
                all.AddRange([.. x.Gradient.Data, .. weight.Gradient.Data, .. bias.Gradient.Data]);
            }
            return [.. all];
        }
    }
}
