namespace Nano;

/// <summary>A case of the benchmarks as ONNX graphs, what they are given and what they must make.</summary>
/// <param name="Whole">Makes the graph of the whole case.</param>
/// <param name="Besides">Makes the graph of what <paramref name="Whole"/> computes that the case
/// does not time; null for nothing.</param>
/// <param name="Inputs">Operands by name; a graph takes those that it has inputs for.</param>
/// <param name="Outputs">Results by name, and Nano's results for the same operands.</param>
internal sealed record OnnxCase(Func<OnnxGraph> Whole, Func<OnnxGraph>? Besides,
    IReadOnlyList<(string Name, Tensor Values)> Inputs, IReadOnlyList<OnnxResult> Outputs)
{
    /// <summary>An update by AdamW, lowered as in a training step.</summary>
    public static OnnxCase Of(AdamWStart start, BenchWork work, Compute compute)
    {
        var (parameter, gradient, mean, square, numbers) = start;
        var options = new OptimizerOptions(Beta1: numbers.Beta1, Beta2: numbers.Beta2, Epsilon: numbers.Epsilon,
            WeightDecay: numbers.WeightDecay);
        var named = new Tensor(parameter.Shape) { Name = "parameter" };
        Tensor Scalar(double value) => Tensor.From(new Shape(), [(float)value]);
        work.Twin!(compute); // from the start
        var made = work.Outputs().ToDictionary(output => output.Name, output => output.Values);
        return new(() => OnnxTraining.Update([named], options), null,
        [
            (named.Name, parameter), (OnnxTraining.Gradient + named.Name, gradient),
            (named.Name + OnnxTraining.Mean, mean), (named.Name + OnnxTraining.Square, square),
            (OnnxTraining.LearningRate, Scalar(numbers.LearningRate)),
            (OnnxTraining.MeanCorrection, Scalar(numbers.MeanCorrection)),
            (OnnxTraining.RootCorrection, Scalar(numbers.RootCorrection)),
            (OnnxTraining.GradientScale, Scalar(numbers.GradientScale)),
        ],
        [Result("", "parameter"), Result(OnnxTraining.Mean, "mean"), Result(OnnxTraining.Square, "square")]);

        OnnxResult Result(string part, string output) =>
            new(OnnxTraining.Next + named.Name + part, parameter.Shape.ToArray(), made[output].Data.ToArray());
    }
}

/// <summary>A result of a graph, and Nano's.</summary>
internal sealed record OnnxResult(string Name, long[] Shape, float[] Own);
