namespace Nano;

/// <summary>
/// The accuracy of an op: the largest errors of its output and of each input's gradient, with the
/// magnitude of the values.
/// </summary>
/// <param name="Name">"output" or "gradient of input i".</param>
/// <param name="Error">The largest absolute difference; infinite if a value is not finite.</param>
/// <param name="Scale">The largest absolute true value.</param>
public readonly record struct GradCheckResult(string Name, double Error, double Scale)
{
    /// <summary>Error relative to the largest value, where that is above one.</summary>
    public double RelativeError => Error / Math.Max(1, Scale);
}

/// <summary>
/// Checks an op against a double-precision reference written without any of its code: the output
/// directly, the gradients against central differences of the reference, df/dx ~ (f(x + h) - f(x -
/// h)) / 2h. In double precision with h = 1e-5 max(1, |x|) the differences themselves are good to
/// about 1e-9, so what remains is the op's own float32 rounding, or a mistake.
/// </summary>
public static class GradCheck
{
    /// <summary>Runs the op forward and backward and compares.</summary>
    /// <param name="compute">The context to run in; its tape is replaced.</param>
    /// <param name="op">The op under test, from inputs to one output.</param>
    /// <param name="reference">The function in double precision, from flattened inputs to the
    /// flattened output.</param>
    /// <param name="inputs">Float inputs, all of which get a gradient.</param>
    /// <param name="upstream">Gradient fed in at the output.</param>
    public static IReadOnlyList<GradCheckResult> Run(Compute compute, Func<Compute, Tensor[], Tensor> op,
        Func<double[][], double[]> reference,
        Tensor[] inputs, Func<Shape, Tensor> upstream)
    {
        var tape = compute.Tape = new Tape();
        var output = op(compute, inputs);
        var dy = upstream(output.Shape);
        var points = Array.ConvertAll(inputs, input => ToDoubles(input.Data));
        var results = new List<GradCheckResult> { Compare("output", output.Data, reference(points)) };
        tape.Backward(compute, output, dy);
        var weights = ToDoubles(dy.Data);
        for (int i = 0; i < inputs.Length; i++)
        {
            var differences = new double[points[i].Length];
            for (int j = 0; j < differences.Length; j++)
                differences[j] = CentralDifference(reference, points, i, j, weights);
            results.Add(Compare($"gradient of input {i}", inputs[i].Gradient.Data, differences));
        }
        compute.Tape = null;
        GC.KeepAlive(dy); // its elements were read through a span, which does not hold it
        return results;
    }

    private static double CentralDifference(Func<double[][], double[]> f, double[][] points, int input, int element,
        double[] weights)
    {
        double x = points[input][element], h = 1e-5 * Math.Max(1, Math.Abs(x));
        points[input][element] = x + h;
        double up = Dot(f(points), weights);
        points[input][element] = x - h;
        double down = Dot(f(points), weights);
        points[input][element] = x;
        return (up - down) / (2 * h);
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    private static GradCheckResult Compare(string name, ReadOnlySpan<float> actual, double[] expected)
    {
        if (actual.Length != expected.Length)
            throw new ArgumentException(
                $"gradcheck: {name} has {actual.Length} elements, the reference {expected.Length}");
        double error = 0, scale = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs(actual[i] - expected[i]);
            error = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(error, difference);
            scale = Math.Max(scale, Math.Abs(expected[i]));
        }
        return new GradCheckResult(name, error, scale);
    }

    private static double[] ToDoubles(ReadOnlySpan<float> values)
    {
        var result = new double[values.Length];
        for (int i = 0; i < result.Length; i++)
            result[i] = values[i];
        return result;
    }
}
