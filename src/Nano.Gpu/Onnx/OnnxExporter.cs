namespace Nano;

/// <summary>
/// A model as an ONNX graph: its own forward code runs once, on a <see cref="Compute"/> that computes nothing, and the recorded ops become nodes. Batch and sequence stay open.
/// </summary>
public static class OnnxExporter
{
    private const string Targets = "targets", Loss = "loss", Gradient = "grad.", Batch = "batch_size", Sequence = "sequence_length", Past = "past_sequence_length", Total = "total_sequence_length";

    /// <summary>Names of inputs and outputs, those of the models on the Hugging Face hub.</summary>
    internal const string Ids = "input_ids", KeyMask = "attention_mask", PositionIds = "position_ids", Logits = "logits";

    /// <summary>Above this the weights go to a second file: a protobuf message ends at 2 GB.</summary>
    internal const long LargestModel = 1 << 30;

    // Distinct from each other and from every other size, so that a shape that was fixed by mistake does not fit at run time.
    private const int RecordedBatch = 3, RecordedTime = 5;

    /// <summary>
    /// Writes a model: input_ids [batch_size, sequence_length] to logits [batch_size, sequence_length, V], and what <see cref="OnnxExportOptions"/> adds.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The .onnx file; weights of more than 1 GB go to a file beside it, named path + ".data".</param>
    /// <param name="options">What of it, and how.</param>
    /// <returns>How many nodes the graph has, and how large its weights are.</returns>
    /// <exception cref="NanoException">It cannot be written, or the options contradict each other.</exception>
    public static (int Nodes, long WeightBytes) Export(LanguageModel model, string path, OnnxExportOptions options)
    {
        options.Validate();
        var graph = options.Gradients ? BuildGradients(model, options) : Build(model, options);
        Write(graph, path, alone: graph.WeightBytes <= LargestModel);
        return (graph.NodeCount, graph.WeightBytes);
    }

    /// <summary>Writes a graph.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="path">The .onnx file.</param>
    /// <param name="alone">Whether it holds the weights, or a file beside it.</param>
    internal static void Write(OnnxGraph graph, string path, bool alone)
    {
        string data = path + ".data";
        if (!alone)
            AtomicFile.Write(data, graph.WriteWeights);
        AtomicFile.Write(path, stream => stream.Write(graph.ToModel(alone ? null : Path.GetFileName(data)).Span));
    }

    /// <summary>The graph of a model's forward pass.</summary>
    internal static OnnxGraph Build(LanguageModel model, OnnxExportOptions? options = null)
    {
        options ??= new();
        var (graph, ops, compute, ids) = Begin(model, options);
        using (compute)
        {
            var logits = model.Forward(compute, ids);
            foreach (var op in compute.Tape!.Ops)
            {
                if (options.LastLogits && op is LinearOp head && op.Output == logits)
                    ops.Define(head.X, graph.Node("Slice", [ops.Value(head.X), graph.Integers(-1L), graph.Integers(long.MaxValue), graph.Integers(1L)])); // the last position
                ops.Forward(op);
            }
            graph.Node("Identity", [ops.Value(logits)], [Logits]);
            graph.Output(Logits, OnnxType.Float32, Batch, options.LastLogits ? 1 : Sequence, model.Config.VocabSize);
            if (ops.Cache is { } cache)
                DeclarePresent(graph, model.Config, cache);
            return graph;
        }
    }

    /// <summary>The graph of loss and gradients.</summary>
    internal static OnnxGraph BuildGradients(LanguageModel model, OnnxExportOptions? options = null)
    {
        options ??= new();
        var (graph, ops, compute, ids) = Begin(model, options);
        using (compute)
        {
            var targets = new Tensor(ids.Shape, DType.Int32);
            ops.Define(targets, IntegerInput(graph, options, Targets, Batch, Sequence));
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
    private static (OnnxGraph Graph, OnnxOps Ops, Compute Compute, Tensor Ids) Begin(LanguageModel model, OnnxExportOptions options)
    {
        var graph = new OnnxGraph(model.Config.ModelType);
        string ids = IntegerInput(graph, options, Ids, Batch, Sequence), ones = Ones(graph, ids), positions = Counted(graph, ones);
        var ops = new OnnxOps(graph)
        {
            Positions = options.Cache ? IntegerInput(graph, options, PositionIds, Batch, Sequence) : graph.Node("Cast", [positions], ("to", (int)OnnxType.Int32)),
            FloatPositions = positions,
            ContextLength = model.Config.ContextLength,
            Cache = options.Cache ? DeclarePast(graph, model.Config, options, ones, positions) : null,
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

    /// <summary>
    /// The inputs of a cache: which keys are to be seen, and keys and values of earlier positions. Where queries and keys stand is counted from the lengths of the inputs, and not from the
    /// positions: behind padding these begin at 0 again.
    /// </summary>
    private static OnnxCache DeclarePast(OnnxGraph graph, ModelConfig config, OnnxExportOptions options, string ones, string places)
    {
        string mask = graph.Node("Cast", [IntegerInput(graph, options, KeyMask, Batch, Total)], ("to", (int)OnnxType.Float32)), keys = Ones(graph, mask);
        string earlier = graph.Node("Sub", [Count(keys), Count(ones)]); // S, [B, 1]
        for (int i = 0; i < config.Layers; i++)
            foreach (string name in OnnxCache.PastNames(i))
                graph.Input(name, OnnxType.Float32, Batch, config.KvHeads, Past, config.HeadDim);
        return new(graph.Node("Add", [places, earlier]), Counted(graph, keys), mask);

        string Count(string ones) => graph.Node("ReduceSum", [ones, graph.Integers(1L)], ("keepdims", 1));
    }

    private static void DeclarePresent(OnnxGraph graph, ModelConfig config, OnnxCache cache)
    {
        if (cache.Layers != config.Layers)
            throw new NotSupportedException($"onnx: {cache.Layers} attentions were recorded of a model of {config.Layers} layers");
        for (int i = 0; i < config.Layers; i++)
            foreach (string name in OnnxCache.PresentNames(i))
                graph.Output(name, OnnxType.Float32, Batch, config.KvHeads, Total, config.HeadDim);
    }

    /// <summary>An input of integers, and as int32.</summary>
    private static string IntegerInput(OnnxGraph graph, OnnxExportOptions options, string name, params ReadOnlySpan<object> shape)
    {
        graph.Input(name, options.Int32 ? OnnxType.Int32 : OnnxType.Int64, shape);
        return options.Int32 ? name : graph.Node("Cast", [name], ("to", (int)OnnxType.Int32));
    }

    /// <summary>A float 1 for each element.</summary>
    private static string Ones(OnnxGraph graph, string like)
    {
        string floats = graph.Node("Cast", [like], ("to", (int)OnnxType.Float32));
        return graph.Node("Cast", [graph.Node("Equal", [floats, floats])], ("to", (int)OnnxType.Float32));
    }

    /// <summary>0, 1, 2 ... in every row.</summary>
    private static string Counted(OnnxGraph graph, string ones) => graph.Node("Sub", [graph.Node("CumSum", [ones, graph.Scalar(1)]), graph.Constant(1f)]);
}
