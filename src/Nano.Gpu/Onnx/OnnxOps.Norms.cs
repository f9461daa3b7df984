namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>The lengths of rows, from which y was made.</summary>
    private readonly Dictionary<IOp, string> lengths = [];

    private string Forward(L2NormalizeOp op)
    {
        string x = Value(op.X);
        lengths[op] = Node("Max", Node("Sqrt", RowSum(Squared(x))), graph.Constant(L2NormalizeOp.Smallest));
        return Node("Div", x, lengths[op]);
    }

    private void Backward(L2NormalizeOp op, string dy)
    {
        string y = Value(op.Y);
        AddGradient(op.X, Node("Div", Node("Sub", dy, Node("Mul", y, RowSum(Node("Mul", y, dy)))), lengths[op]));
    }

    /// <summary>
    /// [B, groups, channels of a group times places]; for a batch, [B, C, places].
    /// </summary>
    private string Grouped(ChannelNormOp op, string x) => Reshaped(x, 0, op.Groups == 0 ? op.Channels : op.Groups, -1);

    private string MeanOfGroups(ChannelNormOp op, string x) => graph.Node("ReduceMean", [x],
        ("axes", op.Groups == 0 ? new[] { 0, 2 } : new[] { 2 }), ("keepdims", 1));

    private string ByChannel(Tensor weight) => Reshaped(Value(weight), -1, 1);

    private string Forward(ChannelNormOp op)
    {
        string x = Grouped(op, Value(op.X)), mean = op.IsGiven ? ByChannel(op.Mean) : MeanOfGroups(op, x),
            centred = Node("Sub", x, mean),
            variance = op.IsGiven ? ByChannel(op.Variance) : MeanOfGroups(op, Squared(centred)),
            r = Node("Reciprocal", Node("Sqrt", Plus(variance, op.Epsilon))), h = Node("Mul", centred, r);
        normed[op] = (h, r);
        string y = Node("Add", Node("Mul", Reshaped(h, 0, op.Channels, -1), ByChannel(op.Weight)), ByChannel(op.Bias));
        return Reshaped(y, op.X.Shape);
    }

    private void Backward(ChannelNormOp op, string dy)
    {
        var (h, r) = normed[op];
        string rows = Reshaped(dy, 0, op.Channels, -1);
        AddGradient(op.Weight, SumByChannel(Node("Mul", rows, Reshaped(h, 0, op.Channels, -1))));
        AddGradient(op.Bias, SumByChannel(rows));
        string g = Grouped(op, Node("Mul", rows, ByChannel(op.Weight)));
        if (!op.IsGiven)
            g = Node("Sub", Node("Sub", g, MeanOfGroups(op, g)),
                Node("Mul", h, MeanOfGroups(op, Node("Mul", g, h))));
        AddGradient(op.X, Reshaped(Node("Mul", r, g), op.X.Shape));
    }

    private string SumByChannel(string rows) =>
        graph.Node("ReduceSum", [rows, graph.Integers(0L, 2L)], ("keepdims", 0));
}
