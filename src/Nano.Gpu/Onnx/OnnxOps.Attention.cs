namespace Nano;

internal sealed partial class OnnxOps
{
    private readonly Dictionary<RopeTable, (string Cos, string Sin)> angles = [];

    /// <summary>The position of every token, int32 [B, T]: row of position tables and angles.</summary>
    public required string Positions { get; init; }

    /// <summary>The positions as floats [B, T].</summary>
    public required string FloatPositions { get; init; }

    /// <summary>Longest sequence that tables of angles must hold.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Keys and values of earlier positions, if the graph takes any.</summary>
    public OnnxCache? Cache { get; init; }

    /// <summary>Heads of x [B, T, H D] side by side: [B, H, T, D].</summary>
    private string Heads(string x, int heads, int headDim) =>
        Transposed(Reshaped(x, 0, -1, heads, headDim), 0, 2, 1, 3);

    /// <summary>[B, H, T, D] as rows [B, T, H D].</summary>
    private string Rows(string heads, int columns) => Reshaped(Transposed(heads, 0, 2, 1, 3), 0, -1, columns);

    /// <summary>Each key head [B, KV, S, D] once for every query head of its group: [B, H, S, D].</summary>
    private string Repeated(string x, AttentionOp op, int headDim)
    {
        int group = op.Options.Heads / op.Options.KeyHeads;
        if (group == 1)
            return x;
        string one = graph.Node("Unsqueeze", [x, graph.Integers(2L)]);
        return Reshaped(graph.Node("Expand", [one, graph.Integers(1, 1, group, 1, 1)]), 0, op.Options.Heads, -1,
            headDim);
    }

    /// <summary>The gradient of <see cref="Repeated"/>: a sum over the group.</summary>
    private string Gathered(string dx, AttentionOp op, int headDim)
    {
        int group = op.Options.Heads / op.Options.KeyHeads;
        return group == 1 ? dx
            : graph.Node("ReduceSum", [Reshaped(dx, 0, op.Options.KeyHeads, group, -1, headDim), graph.Integers(2L)],
                ("keepdims", 0));
    }

    /// <summary>
    /// Queries [B, H, T, D], keys and values [B, KV, T, D] as operands of products; scaled are the
    /// queries, so that float16 holds all scores.
    /// </summary>
    private (string Q, string K, string V) Operands(AttentionOp op) =>
        (Heads(Operand(Times(Value(op.Q), op.Sizes.Scale)), op.Options.Heads, op.Sizes.HeadDim),
            Heads(Operand(op.K), op.Options.KeyHeads, op.Sizes.HeadDim),
            Heads(Operand(op.V), op.Options.KeyHeads, op.Sizes.ValueDim));

    private string Forward(AttentionOp op)
    {
        var (q, k, v) = Operands(op);
        if (Cache is not null)
            (k, v) = Cache.Extend(graph, k, v);
        string p = Scores(op, q, Repeated(k, op, op.Sizes.HeadDim)).P;
        return OfProduct(Rows(Node("MatMul", Operand(p), Repeated(v, op, op.Sizes.ValueDim)),
            op.Options.Heads * op.Sizes.ValueDim));
    }

    /// <summary>
    /// The probabilities are computed again, from queries to which nothing times the output's
    /// gradient is added: so they wait for the backward pass, and no two layers' [B, H, T, T] need
    /// to be there at once.
    /// </summary>
    private void Backward(AttentionOp op, string dy)
    {
        var (options, D, valueDim) = (op.Options, op.Sizes.HeadDim, op.Sizes.ValueDim);
        string dO = Heads(dy, options.Heads, valueDim), o = Heads(Value(op.Y), options.Heads, valueDim);
        var (q, k, v) = Operands(op);
        string wait = valueDim == D ? Operand(Times(dO, 0)) : Operand(Times(RowSum(dO), 0));
        (q, k, v) = (Node("Add", q, wait), Repeated(k, op, D), Repeated(v, op, valueDim));
        var scores = Scores(op, q, k);
        string dP = Product(Operand(dO), Transposed(v, 0, 1, 3, 2)), delta = RowSum(Node("Mul", dO, o));
        string dS = Node("Mul", scores.P, Node("Sub", dP, delta));
        if (options.RelativeBias is { } bias)
            ScatterAdd(bias.Table, scores.Buckets!, Transposed(dS, 0, 2, 3, 1));
        if (options.LearnedSink is { } sink)
            AddGradient(sink, Node("Neg", graph.Node("ReduceSum",
                [Node("Mul", scores.PSink!, delta), graph.Integers(0, 2, 3)], ("keepdims", 0))));
        dS = Operand(scores.Slope is null ? dS : Node("Mul", dS, scores.Slope));
        AddGradient(op.V, Rows(Gathered(Product(Transposed(Operand(scores.P), 0, 1, 3, 2), Operand(dO)), op, valueDim),
            options.KeyHeads * valueDim));
        AddGradient(op.Q, Times(Rows(Product(dS, k), options.Heads * D), op.Sizes.Scale));
        AddGradient(op.K, Rows(Gathered(Product(Transposed(dS, 0, 1, 3, 2), q), op, D), options.KeyHeads * D));
    }

    /// <summary>x with every head rotated by the angles of its position, or back.</summary>
    private string Rotated(RopeOp op, string x, bool back)
    {
        int D = op.Channels.HeadDim, first = op.Channels.First, rotated = op.Table.HeadDim, half = rotated / 2,
            behind = first + rotated;
        var (cos, sin) = Angles(op.Table);
        bool halves = op.Pairing == RopePairing.RotateHalf;
        string heads = Reshaped(x, 0, -1, op.X.Shape.Columns / D, D); // [B, T, H, D]
        string x1 = halves ? Columns(heads, 3, first, half) : EverySecond(first),
            x2 = halves ? Columns(heads, 3, first + half, half) : EverySecond(first + 1);
        if (back)
            sin = Node("Neg", sin);
        string y1 = Node("Sub", Node("Mul", x1, cos), Node("Mul", x2, sin)),
            y2 = Node("Add", Node("Mul", x2, cos), Node("Mul", x1, sin));
        string y = halves ? graph.Node("Concat", [y1, y2], ("axis", 3))
            : Reshaped(graph.Node("Concat", [graph.Node("Unsqueeze", [y1, graph.Integers(4L)]),
                graph.Node("Unsqueeze", [y2, graph.Integers(4L)])], ("axis", 4)), 0, 0, 0, rotated);
        List<string> parts = [y];
        if (first > 0)
            parts.Insert(0, Columns(heads, 3, 0, first));
        if (behind < D)
            parts.Add(Columns(heads, 3, behind, D - behind));
        return Reshaped(parts.Count == 1 ? y : graph.Node("Concat", parts, ("axis", 3)), 0, -1, op.X.Shape.Columns);

        string EverySecond(int start) =>
            graph.Node("Slice", [heads, graph.Integers((long)start), graph.Integers((long)behind), graph.Integers(3L),
                graph.Integers(2L)]);
    }

    /// <summary>Cosines and sines of the tokens' positions, [B, T, 1, D/2]; layers share tables.</summary>
    private (string Cos, string Sin) Angles(RopeTable table)
    {
        if (angles.TryGetValue(table, out var known))
            return known;
        if (table.IsBeyond(ContextLength))
            throw Refused($"its rotary angles change for a whole text that grows long, within {ContextLength} tokens");
        var whole = table.Whole(ContextLength);
        string number = angles.Count == 0 ? "" : $".{angles.Count}";
        string Of(string name, Tensor values)
        {
            graph.Weight(OnnxWeight.Of(name, values));
            return graph.Node("Unsqueeze", [Node("Gather", name, Positions), graph.Integers(2L)]);
        }
        return angles[table] = (Of($"rope{number}.cos", whole.Cos), Of($"rope{number}.sin", whole.Sin));
    }
}
