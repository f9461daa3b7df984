using System.Text.Json;

namespace Nano.Tests;

public class AdamWTraceTests
{
    static Tensor Parameter(string name, Shape shape, float[] values)
    {
        var parameter = Tensor.From(shape, values);
        parameter.Name = name;
        return parameter;
    }

    static void Give(Tensor parameter, params float[] gradient) =>
        parameter.SetGradient(Tensor.From(parameter.Shape, gradient));

    [Theory]
    [InlineData("adamw_nanogpt")]
    [InlineData("adamw_other")]
    public void The_golden_traces_are_reproduced(string name)
    {
        using var index = JsonDocument.Parse(File.ReadAllBytes(Goldens.Path("ops/index.json")));
        var golden = index.RootElement.GetProperty("cases").EnumerateArray()
            .Single(one => one.GetProperty("case").GetString() == name);
        var (attributes, errors) = (golden.GetProperty("attrs"), golden.GetProperty("f32_err"));
        using var file = SafetensorsReader.Open(Goldens.Path("ops/ops.safetensors"));
        float[] Values(string tensor)
        {
            var values = new float[file.Entries[$"{name}.{tensor}"].Count];
            file.ReadFloat32($"{name}.{tensor}", values);
            return values;
        }
        void AssertClose(string tensor, ReadOnlySpan<float> ours)
        {
            double tolerance = (10 * errors.GetProperty(tensor)[1].GetDouble())
                + (1e-6 * errors.GetProperty(tensor)[0].GetDouble());
            float[] expected = Values(tensor);
            for (int i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs((double)expected[i] - ours[i]) <= tolerance,
                    $"{tensor}[{i}]: {ours[i]}, golden {expected[i]}, tolerance {tolerance}");
        }

        Tensor[] parameters = [.. Enumerable.Range(0, 3).Select(i =>
            Parameter($"p{i}", new Shape([.. file.Entries[$"{name}.p{i}"].Shape.Select(size => (int)size)]),
                Values($"p{i}")))];
        using var compute = new Compute(2);
        using var optimizer = new AdamW(parameters,
            new OptimizerOptions("adamw", attributes.GetProperty("betas")[0].GetDouble(),
                attributes.GetProperty("betas")[1].GetDouble(),
            attributes.GetProperty("eps").GetDouble(), attributes.GetProperty("weight_decay").GetDouble()));
        var gradients = new GradientNorm(parameters);
        var norms = new List<float>();
        for (int step = 0; step < attributes.GetProperty("steps").GetInt32(); step++)
        {
            for (int i = 0; i < 3; i++)
                Give(parameters[i], Values($"g{i}_{step}"));
            norms.Add((float)gradients.Measure(compute));
            optimizer.Step(compute, attributes.GetProperty("lr").GetDouble(),
                GradientNorm.ClipScale(norms[^1], attributes.GetProperty("grad_clip").GetDouble()));
            for (int i = 0; i < 3; i++)
                AssertClose($"p{i}_after{step + 1}", parameters[i].Data);
        }
        AssertClose("norms", norms.ToArray());
    }

    [Fact]
    public void A_trace_of_the_published_algorithm_in_double_is_followed()
    {
        const double rate = 0.01, b1 = 0.8, b2 = 0.9, epsilon = 1e-3, decay = 0.2;
        var weight = Parameter("w", new Shape(1, 1), [0.5f]);
        using var compute = new Compute(1);
        using var optimizer = new AdamW([weight], new OptimizerOptions("adamw", b1, b2, epsilon, decay));
        double p = 0.5, m = 0, v = 0;
        for (int t = 1; t <= 20; t++)
        {
            double g = (float)Math.Sin(t * 1.3);
            Give(weight, (float)g);
            optimizer.Step(compute, rate, 1);
            // Loshchilov and Hutter, algorithm 2.
            m = (b1 * m) + ((1 - b1) * g);
            v = (b2 * v) + ((1 - b2) * g * g);
            double unbiasedMean = m / (1 - Math.Pow(b1, t)), unbiasedSquare = v / (1 - Math.Pow(b2, t));
            p -= rate * ((unbiasedMean / (Math.Sqrt(unbiasedSquare) + epsilon)) + (decay * p));
            Assert.Equal(p, weight.Data[0], 1e-6);
        }
        Assert.Equal(20, optimizer.StepCount);
        var state = optimizer.State.ToDictionary(slot => slot.Name, slot => slot.Tensor.Data[0]);
        Assert.Equal(["w.mean", "w.square"], state.Keys);
        Assert.Equal(m, state["w.mean"], 1e-6);
        Assert.Equal(v, state["w.square"], 1e-6);
    }

    [Fact]
    public void Matrices_decay_and_vectors_do_not()
    {
        Tensor matrix = Parameter("m", new Shape(1, 2), [2, -4]), vector = Parameter("v", new Shape(2), [2, -4]);
        using var compute = new Compute(1);
        using var optimizer = new AdamW([matrix, vector], new OptimizerOptions(WeightDecay: 0.5));
        foreach (var parameter in new[] { matrix, vector })
            Give(parameter, 0, 0);
        optimizer.Step(compute, 0.25, 1);
        Assert.Equal([2 * 0.875f, -4 * 0.875f], matrix.Data.ToArray()); // 1 - 0.25 * 0.5
        Assert.Equal([2, -4], vector.Data.ToArray());
    }

    [Fact]
    public void A_parameter_that_no_gradient_reached_stays_with_its_moments()
    {
        Tensor used = Parameter("used", new Shape(1, 1), [3]), unused = Parameter("unused", new Shape(1, 1), [3]),
            forgotten = Parameter("forgotten", new Shape(1, 1), [3]);
        using var compute = new Compute(1);
        using var optimizer = new AdamW([used, unused, forgotten], new OptimizerOptions());
        Give(used, 0.5f);
        Give(forgotten, 100);
        forgotten.ForgetGradient();
        Assert.Equal(0.5, new GradientNorm([used, unused, forgotten]).Measure(compute), 1e-12);
        optimizer.Step(compute, 0.1, 1);
        Assert.NotEqual(3, used.Data[0]);
        Assert.Equal(3, unused.Data[0]);
        Assert.Equal(3, forgotten.Data[0]);
        Assert.All(optimizer.State.Where(slot => !slot.Name.StartsWith("used", StringComparison.Ordinal)),
            slot => Assert.Equal(0, slot.Tensor.Data[0]));
    }

    [Fact]
    public void Gradients_above_the_limit_are_scaled_down_together()
    {
        Tensor a = Parameter("a", new Shape(2), [0, 0]), b = Parameter("b", new Shape(1), [0]);
        using var compute = new Compute(1);
        using var optimizer = new AdamW([a, b], new OptimizerOptions());
        Give(a, 3, 4);
        Give(b, 12);
        double norm = new GradientNorm([a, b]).Measure(compute);
        Assert.Equal(13, norm, 1e-12);
        optimizer.Step(compute, 0.1, GradientNorm.ClipScale(norm, 2.6));
        // A fifth of the gradient, of which the mean takes a tenth.
        Assert.Equal([0.06f, 0.08f, 0.24f],
            optimizer.State.Where(slot => slot.Name.EndsWith(".mean", StringComparison.Ordinal))
                .SelectMany(slot => slot.Tensor.Data.ToArray()), (x, y) => Math.Abs(x - y) < 1e-6);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void The_norm_is_not_finite_when_a_gradient_is_not(float bad)
    {
        var parameter = Parameter("p", new Shape(3000), new float[3000]);
        using var compute = new Compute(2);
        var norm = new GradientNorm([parameter]);
        Give(parameter, new float[3000]);
        Assert.Equal(0, norm.Measure(compute));
        parameter.Gradient.Data[2345] = bad;
        Assert.False(double.IsFinite(norm.Measure(compute)));
    }
}
