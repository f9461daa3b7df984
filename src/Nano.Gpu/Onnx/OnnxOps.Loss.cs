namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>
    /// Some rows of logits z [.., V] and what became of them, everything but e [.., 1]: e = exp(z -
    /// max) and its sum, so that softmax is e / sum; L = log sum_k exp(z_k); the id of the target,
    /// 0 where none is counted; 1 or 0 for counted; nll = L - z_target; what the row adds to the
    /// loss.
    /// </summary>
    private readonly record struct LossRows(string Exp, string Sum, string LogSum, string Target, string Counted,
        string Nll, string Loss);

    /// <summary>
    /// The values of a loss that the backward pass needs: the denominator of all gradients, and the
    /// gradients of x and of the weight if they have been computed already.
    /// </summary>
    private readonly record struct LossParts(LossRows Rows, string Denominator, string Nll, string? DX, string? DW);

    private readonly Dictionary<IOp, LossParts> losses = [];
    private string? rowNumbers;

    /// <summary>
    /// The value that the sum over counted rows is divided by, a float without dimensions; null for
    /// their number.
    /// </summary>
    public string? Denominator { get; init; }

    /// <summary>
    /// Into how many blocks the rows of a head with its loss are divided, one after the other, so
    /// that no [B T, V] exists; B T must be a multiple of it at run time.
    /// </summary>
    public int LossBlocks { get; init; } = 1;

    /// <summary>
    /// True if a backward pass follows. A head with its loss then computes its gradients at once,
    /// while the rows of logits exist.
    /// </summary>
    public bool Gradients { get; init; } = true;

    /// <summary>
    /// -log p of each target [B, T], in nats, 0 where left out, whatever is added to the loss
    /// besides.
    /// </summary>
    /// <param name="op">A loss whose nodes have been added.</param>
    public string NegativeLogLikelihoods(IOp op) => op is LinearCrossEntropyOp
        ? Node("Gather", Reshaped(losses[op].Nll, -1), RowNumbers()) : Reshaped(losses[op].Nll, 0, -1);

    /// <summary>The loss of logits z [.., V] row by row, for targets [..].</summary>
    private LossRows Rows(string z, string targets, LossOptions options)
    {
        string ids = graph.Node("Unsqueeze", [Cast(targets, OnnxType.Float32), graph.Integers(-1L)]),
            counted = Cast(Node("GreaterOrEqual", ids, graph.Constant(0)), OnnxType.Float32);
        string target = Cast(Node("Mul", ids, counted), OnnxType.Int32);
        string max = graph.Node("ReduceMax", [z], ("axes", new[] { -1 }), ("keepdims", 1)),
            atTarget = AtTarget(z, target);
        float s = (float)options.LabelSmoothing, c = (float)options.ZLoss;
        string? mean = s > 0 ? RowMean(z) : null;
        max = After(max, mean is null ? atTarget : Node("Add", atTarget, mean)); // z - max is the last that needs z
        string e = Node("Exp", Node("Sub", z, max)), sum = RowSum(e), log = Node("Log", sum),
            logSum = Node("Add", log, max);
        string nll = Node("Sub", log, Node("Sub", atTarget, max)), loss = nll;
        if (mean is not null) // (1 - s) nll + s mean_j (L - z_j)
            loss = Node("Add", Times(nll, 1 - s), Times(Node("Sub", logSum, mean), s));
        if (c > 0)
            loss = Node("Add", loss, Times(Node("Mul", logSum, logSum), c));
        return new(e, sum, logSum, target, counted, Node("Mul", nll, counted),
            loss == nll ? Node("Mul", nll, counted) : Node("Mul", loss, counted));
    }

    /// <summary>
    /// softmax (1 + 2 c L) - s / V, less 1 - s at the target: dz of rows that are counted, but for
    /// the denominator.
    /// </summary>
    private string LogitGradient(LossRows rows, LossOptions options, int V)
    {
        float s = (float)options.LabelSmoothing, c = (float)options.ZLoss;
        string p = Node("Div", rows.Exp, rows.Sum);
        if (c > 0)
            p = Node("Mul", p, Plus(Times(rows.LogSum, 2 * c), 1));
        if (s > 0)
            p = Plus(p, -s / V);
        return graph.Node("ScatterElements", [p, rows.Target, Plus(AtTarget(p, rows.Target), -(1 - s))], ("axis", -1));
    }

    private string AtTarget(string rows, string target) => graph.Node("GatherElements", [rows, target], ("axis", -1));

    private string Forward(CrossEntropyOp op)
    {
        var rows = Rows(Value(op.Logits), Value(op.Targets), op.Options);
        string denominator = Denominator ?? Total(rows.Counted);
        losses[op] = new(rows, denominator, rows.Nll, null, null);
        return Node("Div", Total(rows.Loss), denominator);
    }

    private void Backward(CrossEntropyOp op, string dy)
    {
        var parts = losses[op];
        AddGradient(op.Logits, Node("Mul", LogitGradient(parts.Rows, op.Options, op.Logits.Shape.Columns),
            Node("Mul", parts.Rows.Counted, Node("Div", dy, parts.Denominator))));
    }

    /// <summary>
    /// Block by block z = x W^T, the loss, dz, dx = dz W and dW += dz^T x. Each block waits for the
    /// one before, or ONNX Runtime might compute all blocks' logits first.
    /// </summary>
    private string Forward(LinearCrossEntropyOp op)
    {
        int V = op.Weight.Shape[0], C = op.Weight.Shape[1];
        string w = Operand(op.Weight), blocks = Reshaped(Value(op.X), LossBlocks, -1, C),
            targets = Reshaped(Value(op.Targets), LossBlocks, -1);
        string? dW = null, wait = null;
        List<LossRows> done = [];
        List<string> dX = [];
        for (int i = 0; i < LossBlocks; i++)
        {
            string x = Node("Gather", blocks, graph.Scalar(i, OnnxType.Int32));
            if (wait is not null)
                x = After(x, wait);
            var rows = Rows(ProductByRows(Operand(x), w), Node("Gather", targets, graph.Scalar(i, OnnxType.Int32)),
                op.Options);
            done.Add(rows);
            if (Gradients)
            {
                string dz = Operand(LogitGradient(rows, op.Options, V)),
                    counted = Operand(Node("Mul", x, rows.Counted));
                dX.Add(Node("Mul", Product(dz, w), rows.Counted));
                dW = ProductOverRows(dz, counted, dW);
            }
            if (i < LossBlocks - 1)
                wait = Gradients ? Node("Add", FirstRow(dX[i]), FirstRow(dW!)) : FirstRow(rows.Nll);
        }
        string denominator = Denominator ?? Sum([.. done.Select(rows => Total(rows.Counted))]);
        losses[op] = new(done[0], denominator, graph.Joined([.. done.Select(rows => rows.Nll)]),
            Gradients ? graph.Joined(dX) : null, dW);
        return Node("Div", Sum([.. done.Select(rows => Total(rows.Loss))]), denominator);
    }

    private void Backward(LinearCrossEntropyOp op, string dy)
    {
        if (losses[op] is not { DX: { } dX, DW: { } dW } parts)
            throw new InvalidOperationException("onnx: this graph was begun without gradients");
        string factor = Node("Div", dy, parts.Denominator);
        AddGradient(op.X, Node("Gather", Node("Mul", dX, factor), RowNumbers()));
        AddGradient(op.Weight, Node("Mul", dW, factor));
    }

    /// <summary>
    /// The row b T + t of each token, int32 [B, T]: gathering by it turns [B T, C] into [B, T, C],
    /// which no reshape does that knows neither B nor T.
    /// </summary>
    private string RowNumbers()
    {
        if (rowNumbers is not null)
            return rowNumbers;
        string length = Plus(graph.Node("ReduceMax", [FloatPositions], ("keepdims", 0)), 1),
            ones = Plus(Times(FloatPositions, 0), 1);
        string row = Plus(graph.Node("CumSum", [ones, graph.Scalar(0)]), -1);
        return rowNumbers = Cast(Node("Add", Node("Mul", row, length), FloatPositions), OnnxType.Int32);
    }

    private string FirstRow(string value) => Node("Gather", value, graph.Scalar(0, OnnxType.Int32));

    /// <summary>
    /// A value, but not before another, of a shape that may be added to it, is there: plus a zero
    /// made of that, be it not finite. ONNX Runtime orders nodes as it likes.
    /// </summary>
    private string After(string value, string other) =>
        Node("Add", value, Cast(Node("Less", other, graph.Constant(float.NegativeInfinity)), OnnxType.Float32));

    private string Total(string value) => graph.Node("ReduceSum", [value], ("keepdims", 0));
}
