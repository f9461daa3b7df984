namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>Low enough to vanish beside any score, and no infinity that a difference could make a NaN of.</summary>
    private const float Hidden = -1e30f;

    private readonly Dictionary<int, string> masks = [];
    private (string Cos, string Sin)? angles;

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

    /// <summary>0 where a query sees a key, else <see cref="Hidden"/>: [B, 1, T, S].</summary>
    private string Mask(int window)
    {
        if (masks.TryGetValue(window, out string? known))
            return known;
        string query = graph.Node("Unsqueeze", [Cache?.QueryPlaces ?? FloatPositions, graph.Integers(1, 3)]),
            key = OfKeys(Cache?.KeyPlaces ?? FloatPositions);
        string age = Node("Sub", query, key), sees = Node("GreaterOrEqual", age, graph.Constant(0));
        if (window > 0)
            sees = Node("And", sees, Node("Less", age, graph.Constant(window)));
        if (Cache is not null)
            sees = Node("And", sees, Node("Greater", OfKeys(Cache.KeyMask), graph.Constant(0)));
        return masks[window] = Node("Where", sees, graph.Constant(0), graph.Constant(Hidden));

        string OfKeys(string values) => graph.Node("Unsqueeze", [values, graph.Integers(1, 2)]);
    }

    /// <summary>Each key head [B, KV, S, D] once for every query head of its group: [B, H, S, D].</summary>
    private string Repeated(string x, AttentionOp op, int headDim)
    {
        int group = op.Options.Heads / op.Options.KeyHeads;
        if (group == 1)
            return x;
        string one = graph.Node("Unsqueeze", [x, graph.Integers(2L)]);
        return Reshaped(graph.Node("Expand", [one, graph.Integers(1, 1, group, 1, 1)]), 0, op.Options.Heads, -1, headDim);
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
    private (string Q, string K, string V) Operands(AttentionOp op, int D) =>
        (Heads(Operand(Times(Value(op.Q), op.Sizes.Scale)), op.Options.Heads, D), Heads(Operand(op.K), op.Options.KeyHeads, D),
            Heads(Operand(op.V), op.Options.KeyHeads, D));

    /// <summary>Softmax of q k^T where it is seen: [B, H, T, S].</summary>
    private string Probabilities(string q, string k, int window) =>
        graph.Node("Softmax", [Node("Add", Product(q, Transposed(k, 0, 1, 3, 2)), Mask(window))], ("axis", -1));

    private string Forward(AttentionOp op)
    {
        int D = op.Q.Shape.Columns / op.Options.Heads;
        var (q, k, v) = Operands(op, D);
        if (Cache is not null)
            (k, v) = Cache.Extend(graph, k, v);
        string p = Probabilities(q, Repeated(k, op, D), op.Options.Window);
        return OfProduct(Rows(Node("MatMul", Operand(p), Repeated(v, op, D)), op.Options.Heads * D));
    }

    /// <summary>
    /// The probabilities are computed again, from queries to which nothing times the output's
    /// gradient is added: so they wait for the backward pass, and no two layers' [B, H, T, T] need
    /// to be there at once.
    /// </summary>
    private void Backward(AttentionOp op, string dy)
    {
        int D = op.Q.Shape.Columns / op.Options.Heads;
        string dO = Heads(dy, op.Options.Heads, D), o = Heads(Value(op.Y), op.Options.Heads, D);
        var (q, k, v) = Operands(op, D);
        (q, k, v) = (Node("Add", q, Operand(Times(dO, 0))), Repeated(k, op, D), Repeated(v, op, D));
        string p = Probabilities(q, k, op.Options.Window), dP = Product(Operand(dO), Transposed(v, 0, 1, 3, 2));
        string dS = Operand(Node("Mul", p, Node("Sub", dP, RowSum(Node("Mul", dO, o)))));
        AddGradient(op.V, Rows(Gathered(Product(Transposed(Operand(p), 0, 1, 3, 2), Operand(dO)), op, D),
            op.Options.KeyHeads * D));
        AddGradient(op.Q, Times(Rows(Product(dS, k), op.Options.Heads * D), op.Sizes.Scale));
        AddGradient(op.K, Rows(Gathered(Product(Transposed(dS, 0, 1, 3, 2), q), op, D), op.Options.KeyHeads * D));
    }

    /// <summary>x with every head rotated by the angles of its position, or back.</summary>
    private string Rotated(RopeOp op, string x, bool back)
    {
        int D = op.Table.HeadDim, half = D / 2, heads = op.X.Shape.Columns / D;
        var (cos, sin) = Angles(op.Table);
        bool halves = op.Pairing == RopePairing.RotateHalf;
        // [B, T, H, D] or pairs
        string split = halves ? Reshaped(x, 0, -1, heads, D) : Reshaped(x, 0, -1, heads * half, 2);
        if (!halves)
            split = Reshaped(split, 0, -1, heads, D); // pairs are taken with a step of two below
        string x1 = halves ? Columns(split, 3, 0, half) : EverySecond(split, 0),
            x2 = halves ? Columns(split, 3, half, half) : EverySecond(split, 1);
        if (back)
            sin = Node("Neg", sin);
        string y1 = Node("Sub", Node("Mul", x1, cos), Node("Mul", x2, sin)),
            y2 = Node("Add", Node("Mul", x2, cos), Node("Mul", x1, sin));
        string y = halves ? graph.Node("Concat", [y1, y2], ("axis", 3))
            : graph.Node("Concat", [graph.Node("Unsqueeze", [y1, graph.Integers(4L)]),
                graph.Node("Unsqueeze", [y2, graph.Integers(4L)])], ("axis", 4));
        return Reshaped(y, 0, -1, heads * D);

        string EverySecond(string value, int start) =>
            graph.Node("Slice", [value, graph.Integers((long)start), graph.Integers((long)D), graph.Integers(3L),
                graph.Integers(2L)]);
    }

    /// <summary>Cosines and sines of the tokens' positions, [B, T, 1, D/2]; one table for all layers.</summary>
    private (string Cos, string Sin) Angles(RopeTable table)
    {
        if (angles is { } known) // one model has one rule
            return known;
        var whole = table.Whole(ContextLength);
        string Of(string name, Tensor values)
        {
            graph.Weight(OnnxWeight.Of(name, values));
            return graph.Node("Unsqueeze", [Node("Gather", name, Positions), graph.Integers(2L)]);
        }
        var made = (Of("rope.cos", whole.Cos), Of("rope.sin", whole.Sin));
        angles = made;
        return made;
    }
}
