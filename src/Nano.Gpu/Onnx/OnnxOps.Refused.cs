namespace Nano;

internal sealed partial class OnnxOps
{
    private const string AScan = "its steps would be a subgraph of Scan, and its gradient another one that walks back",
        ByNumbers = "the rows of each expert depend on numbers, and a graph is recorded before there are any",
        OnlyForward = "ONNX has a node for its forward pass and none for its gradient, which is a loop of its own";

    /// <summary>Every kind of op that has no form here, with the reason.</summary>
    public static IReadOnlyDictionary<Type, string> WithoutForm { get; } = new Dictionary<Type, string>
    {
        [typeof(CheckpointOp)] = "it is a way to keep less, and a graph keeps what it wants",
        [typeof(BFloat16StorageOp)] = "it is a way to keep less, and a graph keeps what it wants",
        [typeof(DropoutOp)] = "no device draws our random numbers",
        [typeof(SelectiveScanOp)] = AScan,
        [typeof(SsdOp)] = AScan,
        [typeof(RetentionOp)] = AScan,
        [typeof(Wkv7Op)] = AScan,
        [typeof(GatedDeltaRuleOp)] = AScan,
        [typeof(DepthwiseCausalConvOp)] = "only models with scans have it, and those have no form",
        [typeof(RouterOp)] = ByNumbers,
        [typeof(BalanceLossOp)] = ByNumbers,
        [typeof(SequenceBalanceLossOp)] = ByNumbers,
        [typeof(RouterZLossOp)] = ByNumbers,
    };

    /// <summary>The error of a model that cannot be a graph, which names the model and the reason.</summary>
    private NanoException Refused(string reason) => Refused(graph.Name, reason);

    /// <summary>The error of a model that cannot be a graph.</summary>
    /// <param name="model">Its kind.</param>
    /// <param name="reason">The reason.</param>
    internal static NanoException Refused(string model, string reason) =>
        new($"a model of the kind '{model}' cannot be an ONNX graph: {reason}",
            "it runs on the processor, without one");

    private NanoException Refused(IOp op) => Refused($"{NameOf(op)} has no ONNX form: "
        + (WithoutForm.TryGetValue(op.GetType(), out string? reason) ? reason : OnlyForward));
}
