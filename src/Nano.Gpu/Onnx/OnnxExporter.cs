namespace Nano;

/// <summary>A model as an ONNX file.</summary>
public static class OnnxExporter
{
    /// <summary>The output.</summary>
    internal const string Logits = "logits";

    /// <summary>Above this the weights go to a second file: a protobuf message ends at 2 GB.</summary>
    internal const long LargestModel = 1 << 30;

    /// <summary>
    /// Writes a model: input_ids [batch_size, sequence_length] to logits [batch_size,
    /// sequence_length, V], and what <see cref="OnnxExportOptions"/> adds.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The .onnx file; weights of more than 1 GB go to a file beside it, named
    /// path + ".data".</param>
    /// <param name="options">The options of the export.</param>
    /// <returns>Number of nodes, and bytes of the weights.</returns>
    /// <exception cref="NanoException">It cannot be written, or the options contradict each other.</exception>
    public static (int Nodes, long WeightBytes) Export(LanguageModel model, string path, OnnxExportOptions options)
    {
        options.Validate();
        var graph = options.Gradients ? BuildGradients(model, options) : Build(model, options);
        Write(graph, path, alone: graph.WeightBytes <= LargestModel);
        return (graph.NodeCount, graph.WeightBytes);
    }

    /// <summary>
    /// Writes a training step (forward, loss, backward, clipping, AdamW) as a graph without
    /// weights, or as two: gradients and update, between which gradients of several processes can
    /// be added up. Weights NAME and moments NAME.mean, NAME.square, zeros at first, are inputs,
    /// and outputs as next.NAME. More inputs: input_ids and targets int64 (-100 leaves a target
    /// out), learning_rate, mean_correction 1 / (1 - beta1^t), root_correction 1 / sqrt(1 -
    /// beta2^t) at step t = 1, 2 ..., and clip_norm; more outputs: loss, gradient_norm. Of two
    /// graphs the first takes denominator, by which the losses of the targets are divided, and
    /// loss_scale, and gives loss, next.grad.NAME times loss_scale and the sum of squares of each;
    /// the second takes grad.NAME and gradient_scale, a factor on them.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The .onnx file; of two, NAME.onnx becomes NAME.gradients.onnx and NAME.update.onnx.</param>
    /// <param name="optimizer">AdamW's constants.</param>
    /// <param name="split">Whether there are two.</param>
    /// <returns>The files and how many nodes they have.</returns>
    /// <exception cref="NanoException">One cannot be written.</exception>
    public static IReadOnlyList<(string File, int Nodes)> ExportTraining(LanguageModel model, string path,
        OptimizerOptions optimizer, bool split)
    {
        List<(string File, OnnxGraph Graph)> graphs = split
            ? [(Named("gradients"), OnnxTraining.Gradients(model, new(), default)),
                (Named("update"), OnnxTraining.Update(model.Parameters.All, optimizer))]
            : [(path, OnnxTraining.Whole(model, new(), default, optimizer))];
        AtomicFile.WriteAll([.. graphs.SelectMany(one => Files(one.Graph, one.File, alone: true))]);
        return [.. graphs.Select(one => (one.File, one.Graph.NodeCount))];

        string Named(string part) => Path.ChangeExtension(path, $"{part}.onnx");
    }

    /// <summary>Writes a graph.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="path">The .onnx file.</param>
    /// <param name="alone">Whether it holds the weights, or a file beside it.</param>
    /// <exception cref="NanoException">It cannot be written; files that were there before stay as they
    /// were.</exception>
    internal static void Write(OnnxGraph graph, string path, bool alone) =>
        AtomicFile.WriteAll([.. Files(graph, path, alone)]);

    /// <summary>The files of a graph with their content.</summary>
    private static IEnumerable<(string Path, Action<Stream> Write)> Files(OnnxGraph graph, string path, bool alone)
    {
        string data = path + ".data";
        if (!alone)
            yield return (data, graph.WriteWeights);
        yield return (path, stream => stream.Write(graph.ToModel(alone ? null : Path.GetFileName(data)).Span));
    }

    /// <summary>The graph of a model's forward pass.</summary>
    internal static OnnxGraph Build(LanguageModel model, OnnxExportOptions? options = null)
    {
        options ??= new();
        using var recording = new OnnxRecording(model, options);
        recording.Graph.Result(Logits, recording.Logits(), OnnxRecording.Batch,
            options.LastLogits ? 1 : OnnxRecording.Sequence, model.Config.VocabSize);
        return recording.Graph;
    }

    /// <summary>The graph of loss and gradients.</summary>
    internal static OnnxGraph BuildGradients(LanguageModel model, OnnxExportOptions? options = null)
    {
        using var recording = new OnnxRecording(model, (options ?? new()) with { Gradients = true });
        recording.Graph.Result(OnnxTraining.Loss, recording.Loss(default));
        recording.Backward(recording.Graph.Constant(1f));
        foreach (var parameter in model.Parameters.All)
            recording.Graph.Result(OnnxTraining.Gradient + parameter.Name, recording.Gradient(parameter),
                OnnxGraph.Dimensions(parameter));
        return recording.Graph;
    }
}
