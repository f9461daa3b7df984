namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>What the loss has left behind for the backward pass.</summary>
    private readonly record struct LossParts(string Softmax, string OneHot, string Kept, string LogSum, string Denominator);

    private readonly Dictionary<Op, LossParts> losses = [];
    private readonly Dictionary<Op, string> logits = [];

    private string Forward(LinearCrossEntropyOp op)
    {
        logits[op] = Node("MatMul", Value(op.X), Transposed(Value(op.Weight), 1, 0));
        return Forward(op, logits[op], op.Targets, op.Options);
    }

    /// <summary>The loss of logits z [B, T, V] against targets [B, T].</summary>
    private string Forward(Op op, string z, Tensor targets, LossOptions options)
    {
        int V = op is CrossEntropyOp plain ? plain.Logits.Shape.Columns : ((LinearCrossEntropyOp)op).Weight.Shape[0];
        string ids = Value(targets), kept = graph.Node("Cast", [Node("GreaterOrEqual", graph.Node("Cast", [ids], ("to", (int)OnnxType.Float32)), graph.Constant(0))], ("to", (int)OnnxType.Float32));
        string max = graph.Node("ReduceMax", [z], ("axes", new[] { -1 }), ("keepdims", 1)), e = Node("Exp", Node("Sub", z, max)), sum = RowSum(e);
        string logSum = Node("Add", Node("Log", sum), max); // L, [B, T, 1]
        string oneHot = graph.Node("Cast", [Node("Equal", graph.Node("Unsqueeze", [ids, graph.Integers(-1L)]), Range(V))], ("to", (int)OnnxType.Float32));
        string keptRows = graph.Node("Unsqueeze", [kept, graph.Integers(-1L)]);
        string denominator = graph.Node("ReduceSum", [kept], ("keepdims", 0));
        losses[op] = new(Node("Div", e, sum), oneHot, keptRows, logSum, denominator);
        float s = (float)options.LabelSmoothing, c = (float)options.ZLoss;
        string row = Node("Sub", logSum, Times(RowSum(Node("Mul", z, oneHot)), 1 - s)); // L - (1 - s) z_target - s mean(z) + c L^2
        if (s > 0)
            row = Node("Sub", row, Times(RowMean(z), s));
        if (c > 0)
            row = Node("Add", row, Times(Node("Mul", logSum, logSum), c));
        return Node("Div", graph.Node("ReduceSum", [Node("Mul", row, keptRows)], ("keepdims", 0)), denominator);
    }

    /// <summary>0, 1 ... below a number, int32.</summary>
    private string Range(int below) => graph.Node("Range", [graph.Scalar(0, OnnxType.Int32), graph.Scalar(below, OnnxType.Int32), graph.Scalar(1, OnnxType.Int32)]);

    private string LossGradient(CrossEntropyOp op) => LossGradient(op, op.Options, op.Logits.Shape.Columns);

    /// <summary>dz = (softmax (1 + 2 c L) - (1 - s) onehot - s / V) / denominator in rows that are kept.</summary>
    private string LossGradient(Op op, LossOptions options, int V)
    {
        var parts = losses[op];
        float s = (float)options.LabelSmoothing, c = (float)options.ZLoss;
        string p = c > 0 ? Node("Mul", parts.Softmax, Plus(Times(parts.LogSum, 2 * c), 1)) : parts.Softmax;
        string dz = Node("Sub", p, s > 0 ? Times(parts.OneHot, 1 - s) : parts.OneHot);
        if (s > 0)
            dz = Plus(dz, -s / V);
        return Node("Mul", dz, Node("Div", parts.Kept, parts.Denominator));
    }

    private void Backward(LinearCrossEntropyOp op, string dy)
    {
        int V = op.Weight.Shape[0], C = op.Weight.Shape[1];
        string dz = Node("Mul", LossGradient(op, op.Options, V), dy);
        Give(op.X, Node("MatMul", dz, Value(op.Weight)));
        Give(op.Weight, graph.Node("Gemm", [Reshaped(dz, -1, V), Reshaped(Value(op.X), -1, C)], ("transA", 1)));
    }
}
