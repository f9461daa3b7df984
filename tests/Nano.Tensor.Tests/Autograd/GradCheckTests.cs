namespace Nano.Tests;

/// <summary>
/// Every op against its double-precision reference: output and all gradients, at every SIMD width,
/// on one thread and on three.
/// </summary>
public class GradCheckTests
{
    public static TheoryData<string> Names => [.. GradCases.All.Select(c => c.Name)];

    [Theory, MemberData(nameof(Names))]
    public void Output_and_gradients_agree_with_the_reference(string name)
    {
        var test = GradCases.All.Single(c => c.Name == name);
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 3 })
            {
                using var compute = TestTensors.Dirty(threads, width);
                var random = test.Seeded();
                foreach (var result in GradCheck.Run(compute, test.Run, test.Reference, test.Inputs(random),
                    shape => UpstreamOf(shape, random)))
                {
                    double allowed = result.Name == "output" ? test.Output : test.Gradient;
                    Assert.True(result.RelativeError <= (allowed * GradCase.Rounding) + GradCase.DifferenceNoise,
                        $"{name}, {width}, {threads} threads: {result.Name} is off by "
                        + $"{result.RelativeError / GradCase.Rounding:F2} roundings (allowed {allowed}), {result}");
                }
            }
    }

    [Theory, MemberData(nameof(Names))]
    public void A_case_uses_the_op_it_is_for(string name)
    {
        var test = GradCases.All.Single(c => c.Name == name);
        using var compute = new Compute(1) { Tape = new Tape() };
        test.Run(compute, test.Inputs(test.Seeded()));
        Assert.Contains(compute.Tape.Ops, op => op.GetType() == test.Op);
    }

    [Fact]
    public void Every_op_has_a_case()
    {
        var ops = typeof(AddOp).Assembly.GetTypes().Where(type => type.IsValueType && type.IsAssignableTo(typeof(IOp)))
            .ToList();
        Assert.NotEmpty(ops);
        var without = ops.Except(GradCases.All.Select(c => c.Op)).Select(type => type.Name);
        Assert.True(!without.Any(), $"without a gradient check: {string.Join(", ", without)}; add a case to GradCases");
    }

    [Fact]
    public void Case_names_are_unique() =>
        Assert.Equal(GradCases.All.Count, GradCases.All.Select(c => c.Name).Distinct().Count());

    [Fact]
    public void A_wrong_gradient_is_noticed()
    {
        using var compute = new Compute(1);
        var x = Tensor.From(new Shape(3), [1f, 2, 3]);
        // The op is 2x, the reference 2x + 0.001 x^2: outputs and slopes differ by more than rounding.
        var results = GradCheck.Run(compute, (c, t) => c.Scale(t[0], 2),
            t => [.. t[0].Select(v => (2 * v) + (0.001 * v * v))], [x], _ => Tensor.From(new Shape(3), [1f, 1, 1]));
        Assert.Equal(0.009, results[0].Error, 1e-6);
        Assert.Equal(0.006, results[1].Error, 1e-6);
        Assert.Equal(2.006, results[1].Scale, 1e-6);
    }

    [Fact]
    public void A_reference_of_another_length_is_refused()
    {
        using var compute = new Compute(1);
        var x = Tensor.From(new Shape(3), [1f, 2, 3]);
        Assert.Throws<ArgumentException>(() => GradCheck.Run(compute, (c, t) => c.Scale(t[0], 2), t => [2 * t[0][0]],
            [x], shape => new Tensor(shape)));
    }

    /// <summary>Normal numbers; 1 for a scalar, so that a loss has its own gradient.</summary>
    private static Tensor UpstreamOf(Shape shape, Random random) =>
        shape.Rank == 0 ? Tensor.From(shape, [1f]) : random.Normal(Dims(shape));

    private static int[] Dims(Shape shape) => [.. Enumerable.Range(0, shape.Rank).Select(i => shape[i])];
}
