namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>
    /// A whole recurrent layer as one node: LSTM with gates in the order i, o, f, c, GRU with z, r, h and the reset
    /// behind the product, RNN. Time comes first there, [T, B, I].
    /// </summary>
    private string Forward(RecurrentOp op)
    {
        var (node, order) = op.Kind switch // the gates of ONNX by their numbers here
        {
            CellKind.Lstm => ("LSTM", new long[] { 0, 3, 1, 2 }),
            CellKind.Gru => ("GRU", [1, 0, 2]),
            _ => ("RNN", [0]),
        };
        int width = op.Weights.Hidden.Shape[1];
        List<string> from = [Transposed(Value(op.X), 1, 0, 2), Ordered(op.Weights.Input, order),
            Ordered(op.Weights.Hidden, order), Biases(op.Weights, order),
            op.Lengths is null ? "" : Value(op.Lengths), Initial(op.InitialH)];
        if (op.Kind == CellKind.Lstm)
            from.Add(Initial(op.InitialC));
        List<(string, object)> attributes = [("hidden_size", width), ("direction", op.Reverse ? "reverse" : "forward")];
        if (op.Kind == CellKind.Gru)
            attributes.Add(("linear_before_reset", 1));
        string y = graph.NewName("y"), h = graph.NewName("h"), c = graph.NewName("c");
        graph.Node(node, from, op.Kind == CellKind.Lstm ? [y, h, c] : [y, h], [.. attributes]);
        Define(op.FinalH, Reshaped(h, -1, width)); // [1, B, H]
        if (op.Kind == CellKind.Lstm)
            Define(op.FinalC, Reshaped(c, -1, width));
        return Transposed(graph.Node("Squeeze", [y, graph.Integers(1L)]), 1, 0, 2); // [T, 1, B, H]
    }

    private string Initial(Tensor? state) =>
        state is null ? "" : graph.Node("Unsqueeze", [Value(state), graph.Integers(0L)]);

    /// <summary>[gates H, I] as [1, gates H, I], or [gates H] as [1, gates H], with gates in another order.</summary>
    private string Ordered(Tensor weight, long[] order)
    {
        long[] inner = weight.Shape.Rank == 1 ? [] : [weight.Shape[1]];
        string gates = Reshaped(Value(weight), [order.Length, weight.Shape[0] / order.Length, .. inner]);
        return Reshaped(graph.Node("Gather", [gates, graph.Integers(order)], ("axis", 0)),
            [1, weight.Shape[0], .. inner]);
    }

    /// <summary>Both biases one behind the other, [1, 2 gates H]; nothing where there is none.</summary>
    private string Biases(in RecurrentWeights weights, long[] order)
    {
        if (weights.InputBias is null && weights.HiddenBias is null)
            return "";
        string Of(Tensor? bias, Tensor other) => bias is null ? Times(Ordered(other, order), 0) : Ordered(bias, order);
        return graph.Node("Concat", [Of(weights.InputBias, weights.HiddenBias!),
            Of(weights.HiddenBias, weights.InputBias!)], ("axis", 1));
    }
}
