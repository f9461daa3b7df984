namespace Nano.Tests;

/// <summary>Kernels over many tensors as a single job do what each does alone.</summary>
public class JoinedKernelsTests
{
    private static readonly int[] Lengths = [5, 0, 20_011, 1, 16, 0, 0, 8192, 333, 1024, 40_000, 7];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public unsafe void Every_element_of_every_range_is_computed_once(int threads)
    {
        using var compute = new Compute(threads);
        Tensor[] ones = [.. Lengths.Select(length => new Tensor(new Shape(length)))];
        Array.ForEach(ones, tensor => tensor.Data.Fill(1));
        var kernels = new JoinedKernels<ElementwiseLoop<Scaled>>(Lengths.Length);
        for (int run = 1; run <= 3; run++)
        {
            Tensor[] counts = [.. Lengths.Select(length => new Tensor(new Shape(length)))];
            int used = run == 2 ? 3 : Lengths.Length; // fewer than last time once
            for (int i = 0; i < used; i++)
                kernels.Add(new(new(ones[i].Pointer, run, new(counts[i].Pointer, true))), Lengths[i]);
            kernels.Run(compute, 100);
            for (int i = 0; i < Lengths.Length; i++)
                Assert.All(counts[i].Data.ToArray(), count => Assert.Equal(i < used ? run : 0, count));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void The_norm_of_all_gradients_is_the_sum_over_parameters_bit_for_bit(int threads)
    {
        using var compute = new Compute(threads);
        var parameters = WithGradients();
        var norm = new GradientNorm(parameters);
        for (int run = 0; run < 2; run++)
        {
            double sum = 0;
            foreach (var parameter in parameters)
                if (parameter.HasGradient)
                    sum += compute.SumOfSquares(parameter.Gradient);
            Assert.Equal(Math.Sqrt(sum), norm.Measure(compute));
            Assert.Equal(Math.Sqrt(compute.SumOfSquares(parameters[2].Gradient)), norm.OfGroup(2));
            parameters[4].ForgetGradient(); // the second time, one is left out
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Adamw_over_all_parameters_gives_the_bits_of_one_after_the_other(int threads)
    {
        using var compute = new Compute(threads);
        Tensor[] joined = WithGradients(), single = WithGradients();
        var means = Array.ConvertAll(single, parameter => new Tensor(parameter.Shape));
        var squares = Array.ConvertAll(single, parameter => new Tensor(parameter.Shape));
        var options = new OptimizerOptions("adamw", WeightDecay: 0.3);
        using var optimizer = new AdamW(joined, options);
        for (int step = 1; step <= 3; step++)
        {
            optimizer.Step(compute, 1e-2, 0.5);
            for (int i = 0; i < single.Length; i++)
                compute.AdamW(single[i], single[i].Gradient, means[i], squares[i], new(1e-2, options.Beta1,
                    options.Beta2, options.Epsilon, single[i].Shape.Rank >= 2 ? 0.3 : 0, 0.5, step));
        }
        for (int i = 0; i < single.Length; i++)
            KernelData.AssertSameBits(single[i].ToArray(), joined[i].ToArray(), $"parameter {i}");
    }

    /// <summary>Vectors and, where a length is even, matrices.</summary>
    private static Tensor[] WithGradients() => [.. Lengths.Select((length, i) =>
    {
        var shape = length % 2 == 0 ? new Shape(2, length / 2) : new Shape(length);
        var parameter = Tensor.From(shape, KernelData.Random(i, length));
        parameter.Name = $"p{i}";
        parameter.SetGradient(Tensor.From(shape, KernelData.Random(50 + i, length)));
        return parameter;
    })];
}
