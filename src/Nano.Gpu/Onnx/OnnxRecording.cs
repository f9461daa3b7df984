namespace Nano;

/// <summary>
/// A model on its way into a graph: its own forward code runs once, on a <see cref="Compute"/> that
/// computes nothing, and the recorded ops become nodes. Batch and sequence stay open.
/// </summary>
internal sealed class OnnxRecording : IDisposable
{
    /// <summary>Names of inputs, those of the models on the Hugging Face hub.</summary>
    public const string Ids = "input_ids", KeyMask = "attention_mask", PositionIds = "position_ids",
        Targets = "targets";

    /// <summary>Names of dimensions that stay open.</summary>
    public const string Batch = "batch_size", Sequence = "sequence_length", Past = "past_sequence_length",
        Total = "total_sequence_length";

    // Distinct from each other and from every other size, so that a shape that was fixed by mistake does not
    // fit at run time.
    private const int RecordedBatch = 3, RecordedTime = 5;

    private readonly LanguageModel model;
    private readonly Compute compute = new(1)
    {
        OnlyPlans = true,
        Tape = new Tape { RetainsAll = true, RecordsAll = true }
    };
    private readonly OnnxOps ops;
    private readonly Tensor ids;
    private Tensor? loss;

    /// <summary>Begins a graph: ids, positions, weights.</summary>
    /// <param name="model">The model to record.</param>
    /// <param name="options">The options of the graph.</param>
    /// <param name="weightsAreInputs">Whether each run is given the weights, or the graph has them.</param>
    /// <param name="denominator">See <see cref="OnnxOps.Denominator"/>.</param>
    /// <param name="lossBlocks">See <see cref="OnnxOps.LossBlocks"/>.</param>
    public OnnxRecording(LanguageModel model, OnnxExportOptions options, bool weightsAreInputs = false,
        string? denominator = null, int lossBlocks = 1)
    {
        (this.model, Options, Graph) = (model, options, new OnnxGraph(model.Config.ModelType));
        string input = IntegerInput(Ids, Batch, Sequence), ones = Ones(input), positions = Counted(ones);
        ops = new OnnxOps(Graph)
        {
            Positions = options.Cache ? IntegerInput(PositionIds, Batch, Sequence)
                : Graph.Cast(positions, OnnxType.Int32),
            FloatPositions = positions,
            ContextLength = model.Config.ContextLength,
            Cache = options.Cache ? DeclarePast(model.Config, ones, positions) : null,
            Gradients = options.Gradients,
            Denominator = denominator,
            LossBlocks = lossBlocks,
            HalfProducts = options.HalfProducts || options.Float16,
        };
        foreach (var parameter in model.Parameters.All)
        {
            if (weightsAreInputs)
                Graph.Input(parameter.Name!, options.Type, OnnxGraph.Dimensions(parameter));
            else
                Graph.Weight(OnnxWeight.Of(parameter.Name!, parameter, options.Type));
            if (options.Float16)
                ops.DefineHalf(parameter, parameter.Name!);
            else
                ops.Define(parameter, parameter.Name!);
        }
        ids = new Tensor(new Shape(RecordedBatch, Math.Min(RecordedTime, model.Config.ContextLength)), DType.Int32);
        ops.Define(ids, input);
    }

    /// <summary>The graph so far.</summary>
    public OnnxGraph Graph { get; }

    private OnnxExportOptions Options { get; }

    /// <summary>Records the forward pass.</summary>
    /// <returns>The logits [B, T, V], or [B, 1, V] where only the last are wanted.</returns>
    public string Logits()
    {
        var logits = model.Forward(compute, ids);
        var last = compute.Tape!.Ops.OfType<LinearOp>().Last(); // scales and caps of logits follow it
        foreach (var op in compute.Tape.Ops)
        {
            if (Options.LastLogits && op is LinearOp head && head == last)
                // the last position
                ops.Define(head.X, Graph.Node("Slice",
                    [ops.Value(head.X), Graph.Integers(-1L), Graph.Integers(long.MaxValue), Graph.Integers(1L)]));
            ops.Forward(op);
        }
        if (ops.Cache is { } cache)
            DeclarePresent(model.Config, cache);
        return ops.Value(logits);
    }

    /// <summary>Records the loss for targets, a further input [B, T].</summary>
    /// <param name="options">The additional terms.</param>
    /// <returns>The loss, without dimensions.</returns>
    public string Loss(LossOptions options)
    {
        var targets = new Tensor(ids.Shape, DType.Int32);
        ops.Define(targets, IntegerInput(Targets, Batch, Sequence));
        loss = model.Loss(compute, ids, targets, options).Loss;
        foreach (var op in compute.Tape!.Ops)
            ops.Forward(op);
        return ops.Value(loss);
    }

    /// <summary>After <see cref="Loss"/>: -log p of every target [B, T], 0 where it is left out.</summary>
    public string TokenLosses() => ops.NegativeLogLikelihoods(compute.Tape!.Ops[^1]);

    /// <summary>After <see cref="Loss"/>: the backward pass, from a gradient of the loss.</summary>
    public void Backward(string gradient)
    {
        ops.AddGradient(loss!, gradient);
        foreach (var op in compute.Tape!.Ops.Reverse())
            ops.Backward(op);
    }

    /// <summary>After <see cref="Backward"/>: the gradient of a parameter.</summary>
    public string Gradient(Tensor parameter) => ops.Gradient(parameter);

    /// <summary>
    /// The inputs of a cache: which keys are to be seen, and keys and values of earlier positions.
    /// Where queries and keys stand is counted from the lengths of the inputs, and not from the
    /// positions: behind padding these begin at 0 again.
    /// </summary>
    private OnnxCache DeclarePast(ModelConfig config, string ones, string places)
    {
        string mask = Graph.Cast(IntegerInput(KeyMask, Batch, Total), OnnxType.Float32), keys = Ones(mask);
        string earlier = Graph.Node("Sub", [Count(keys), Count(ones)]); // S, [B, 1]
        for (int i = 0; i < config.Layers; i++)
            foreach (string name in OnnxCache.PastNames(i))
                Graph.Input(name, Options.Type, Batch, config.KvHeads, Past, config.HeadDim);
        return new(Graph.Node("Add", [places, earlier]), Counted(keys), mask);

        string Count(string ones) => Graph.Node("ReduceSum", [ones, Graph.Integers(1L)], ("keepdims", 1));
    }

    private void DeclarePresent(ModelConfig config, OnnxCache cache)
    {
        if (cache.Layers != config.Layers)
            throw OnnxOps.Refused(config.ModelType,
                $"it has {config.Layers} layers and {cache.Layers} attentions, and caches are of attentions");
        for (int i = 0; i < config.Layers; i++)
            foreach (string name in OnnxCache.PresentNames(i))
                Graph.Output(name, Options.Type, Batch, config.KvHeads, Total, config.HeadDim);
    }

    /// <summary>An input of integers, and as int32.</summary>
    private string IntegerInput(string name, params ReadOnlySpan<object> shape)
    {
        Graph.Input(name, Options.Int32 ? OnnxType.Int32 : OnnxType.Int64, shape);
        return Options.Int32 ? name : Graph.Cast(name, OnnxType.Int32);
    }

    /// <summary>A float 1 for each element.</summary>
    private string Ones(string like)
    {
        string floats = Graph.Cast(like, OnnxType.Float32);
        return Graph.Cast(Graph.Node("Equal", [floats, floats]), OnnxType.Float32);
    }

    /// <summary>0, 1, 2 ... in every row.</summary>
    private string Counted(string ones) =>
        Graph.Node("Sub", [Graph.Node("CumSum", [ones, Graph.Scalar(1)]), Graph.Constant(1f)]);

    public void Dispose() => compute.Dispose();
}
