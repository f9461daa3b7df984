namespace Nano;

/// <summary>
/// A model as an ONNX graph: its own forward code runs once, on a <see cref="Compute"/> that computes nothing, and the recorded ops become nodes. Batch and sequence stay open.
/// </summary>
public static class OnnxExporter
{
    private const string Ids = "input_ids", Targets = "targets", Logits = "logits", Loss = "loss", Gradient = "grad.", Batch = "batch", Sequence = "sequence";

    /// <summary>Above this the weights go to a second file: a protobuf message ends at 2 GB.</summary>
    private const long LargestModel = 1 << 30;

    // Distinct from each other and from every other size, so that a shape that was fixed by mistake does not fit at run time.
    private const int RecordedBatch = 3, RecordedTime = 5;

    /// <summary>
    /// Writes a model: input_ids int64 [batch, sequence] to logits float32 [batch, sequence, V]; or its loss and gradients: input_ids and targets (-100 leaves one out)
    /// to loss, the mean over the kept targets, and "grad." + name of every parameter.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The .onnx file; weights of more than 1 GB go to a file beside it, named path + ".data".</param>
    /// <param name="gradients">Which of the two.</param>
    /// <returns>How many nodes the graph has, and how large its weights are.</returns>
    /// <exception cref="NanoException">It cannot be written.</exception>
    public static (int Nodes, long WeightBytes) Export(LanguageModel model, string path, bool gradients)
    {
        var graph = gradients ? BuildGradients(model) : Build(model);
        string? external = graph.WeightBytes > LargestModel ? Path.GetFileName(path) + ".data" : null;
        if (external is not null)
            AtomicFile.Write(path + ".data", graph.WriteWeights);
        AtomicFile.Write(path, stream => stream.Write(graph.ToModel(external).Span));
        return (graph.NodeCount, graph.WeightBytes);
    }

    /// <summary>The graph of a model's forward pass.</summary>
    /// <param name="model">The model.</param>
    /// <param name="integers">Type of input_ids: Int64 is what others expect of a file, Int32 what every device has arithmetic for.</param>
    internal static OnnxGraph Build(LanguageModel model, OnnxType integers = OnnxType.Int64)
    {
        var (graph, ops, compute, ids) = Begin(model, integers);
        using (compute)
        {
            var logits = model.Forward(compute, ids);
            foreach (var op in compute.Tape!.Ops)
                ops.Forward(op);
            graph.Node("Identity", [ops.Value(logits)], [Logits]);
            graph.Output(Logits, OnnxType.Float32, Batch, Sequence, model.Config.VocabSize);
            return graph;
        }
    }

    /// <summary>The graph of loss and gradients.</summary>
    /// <param name="model">The model.</param>
    /// <param name="integers">Type of input_ids and targets, as for <see cref="Build"/>.</param>
    internal static OnnxGraph BuildGradients(LanguageModel model, OnnxType integers = OnnxType.Int64)
    {
        var (graph, ops, compute, ids) = Begin(model, integers);
        using (compute)
        {
            var targets = new Tensor(ids.Shape, DType.Int32);
            ops.Define(targets, Integers(graph, Targets, integers));
            var loss = model.Loss(compute, ids, targets).Loss;
            foreach (var op in compute.Tape!.Ops)
                ops.Forward(op);
            graph.Node("Identity", [ops.Value(loss)], [Loss]);
            graph.Output(Loss, OnnxType.Float32);
            ops.Give(loss, graph.Constant(1f));
            foreach (var op in compute.Tape.Ops.Reverse())
                ops.Backward(op);
            foreach (var parameter in model.Parameters.All)
            {
                graph.Node("Identity", [ops.Gradient(parameter)], [Gradient + parameter.Name]);
                graph.Output(Gradient + parameter.Name, OnnxType.Float32, [.. Enumerable.Range(0, parameter.Shape.Rank).Select(i => (object)parameter.Shape[i])]);
            }
            return graph;
        }
    }

    /// <summary>A graph with ids, positions and parameters, and what records a model into it.</summary>
    private static (OnnxGraph Graph, OnnxOps Ops, Compute Compute, Tensor Ids) Begin(LanguageModel model, OnnxType integers)
    {
        var graph = new OnnxGraph(model.Config.ModelType);
        string ids = Integers(graph, Ids, integers);
        string floats = graph.Node("Cast", [ids], ("to", (int)OnnxType.Float32)), ones = graph.Node("Cast", [graph.Node("Equal", [floats, floats])], ("to", (int)OnnxType.Float32));
        string positions = graph.Node("Sub", [graph.Node("CumSum", [ones, graph.Scalar(1)]), graph.Constant(1f)]); // 0, 1, 2 ... in every row
        var ops = new OnnxOps(graph)
        {
            Positions = graph.Node("Cast", [positions], ("to", (int)OnnxType.Int32)),
            FloatPositions = positions,
            ContextLength = model.Config.ContextLength,
        };
        foreach (var parameter in model.Parameters.All)
        {
            graph.Weight(OnnxWeight.Of(parameter.Name!, parameter));
            ops.Define(parameter, parameter.Name!);
        }
        var recorded = new Tensor(new Shape(RecordedBatch, Math.Min(RecordedTime, model.Config.ContextLength)), DType.Int32);
        ops.Define(recorded, ids);
        return (graph, ops, new Compute(1) { OnlyPlans = true, Tape = new Tape { KeepsAll = true } }, recorded);
    }

    /// <summary>An input [batch, sequence] of integers, as int32.</summary>
    private static string Integers(OnnxGraph graph, string name, OnnxType type)
    {
        graph.Input(name, type, Batch, Sequence);
        return type == OnnxType.Int32 ? name : graph.Node("Cast", [name], ("to", (int)OnnxType.Int32));
    }
}
