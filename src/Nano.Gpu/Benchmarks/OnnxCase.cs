namespace Nano;

/// <summary>A case of the benchmarks as ONNX graphs, what they are given and what they must make.</summary>
/// <param name="Whole">Makes the graph of the whole case.</param>
/// <param name="Besides">Makes the graph of what <paramref name="Whole"/> computes that the case does not time; null for nothing.</param>
/// <param name="Inputs">Operands by name; a graph takes those that it has inputs for.</param>
/// <param name="Outputs">Results by name, and what we made of the same operands.</param>
internal sealed record OnnxCase(Func<OnnxGraph> Whole, Func<OnnxGraph>? Besides, IReadOnlyList<(string Name, Tensor Values)> Inputs, IReadOnlyList<OnnxResult> Outputs)
{
    /// <summary>An update by AdamW, lowered as in a training step.</summary>
    public static OnnxCase Of(AdamWStart start, BenchWork work, Compute compute)
    {
        var (parameter, gradient, mean, square, numbers) = start;
        var options = new OptimizerOptions(Beta1: numbers.Beta1, Beta2: numbers.Beta2, Epsilon: numbers.Epsilon, WeightDecay: numbers.WeightDecay);
        var named = new Tensor(parameter.Shape) { Name = "parameter" };
        Tensor Scalar(double value) => Tensor.From(new Shape(), [(float)value]);
        work.Twin!(compute); // from the start
        var made = work.Outputs().ToDictionary(output => output.Name, output => output.Values);
        return new(Graph, null,
        [
            (named.Name, parameter), (OnnxTraining.Gradient, gradient), (named.Name + OnnxTraining.Mean, mean), (named.Name + OnnxTraining.Square, square),
            (OnnxTraining.LearningRate, Scalar(numbers.LearningRate)), (OnnxTraining.MeanCorrection, Scalar(numbers.MeanCorrection)),
            (OnnxTraining.RootCorrection, Scalar(numbers.RootCorrection)), (OnnxTraining.GradientScale, Scalar(numbers.GradientScale)),
        ],
        [Result("value", "parameter"), Result("mean", "mean"), Result("square", "square")]);

        OnnxResult Result(string name, string output) => new(name, OnnxWeight.Dimensions(parameter), made[output].Data.ToArray());

        OnnxGraph Graph()
        {
            var graph = new OnnxGraph("adamw");
            object[] shape = OnnxTraining.Dimensions(parameter);
            foreach (string name in (string[])[named.Name, OnnxTraining.Gradient, named.Name + OnnxTraining.Mean, named.Name + OnnxTraining.Square])
                graph.Input(name, OnnxType.Float32, shape);
            foreach (string name in (string[])[OnnxTraining.LearningRate, OnnxTraining.MeanCorrection, OnnxTraining.RootCorrection, OnnxTraining.GradientScale])
                graph.Input(name, OnnxType.Float32);
            var next = OnnxTraining.AdamW(graph, named, OnnxTraining.Gradient, new OnnxTraining.AdamWScalars(graph, OnnxTraining.GradientScale, options), options);
            graph.Result("value", next.Value, shape);
            graph.Result("mean", next.Mean, shape);
            graph.Result("square", next.Square, shape);
            return graph;
        }
    }
}

/// <summary>A result of a graph, and ours.</summary>
internal sealed record OnnxResult(string Name, long[] Shape, float[] Ours);
