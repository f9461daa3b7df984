namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>Low enough to vanish beside any score, and no infinity that a difference could make a NaN of.</summary>
    private const float Hidden = -1e30f;

    private readonly Dictionary<(int Window, int Sinks), string> masks = [];

    /// <summary>The softmax of an attention's scores, [B, H, T, S], and what its backward pass needs.</summary>
    /// <param name="P">Probabilities of the keys.</param>
    /// <param name="PSink">That of a learned sink, [B, H, T, 1].</param>
    /// <param name="Slope">The derivative of a cap.</param>
    /// <param name="Buckets">The bucket of each pair of a query and a key, int32 [B, T, S].</param>
    private readonly record struct AttentionScores(string P, string? PSink, string? Slope, string? Buckets);

    /// <summary>The scores of queries [B, H, T, D], scaled, and keys [B, H, S, D], and their softmax.</summary>
    private AttentionScores Scores(AttentionOp op, string q, string k)
    {
        var options = op.Options;
        string s = Product(q, Transposed(k, 0, 1, 3, 2));
        string? slope = null, buckets = null;
        if (options.SoftCap > 0)
        {
            string t = Node("Tanh", Times(s, 1 / options.SoftCap));
            (s, slope) = (Times(t, options.SoftCap), Node("Sub", graph.Constant(1), Node("Mul", t, t)));
        }
        if (options.Slopes is { } slopes)
            s = Node("Sub", s, Node("Mul", Age(op), ByHead(Constant(slopes))));
        if (options.RelativeBias is { } bias)
        {
            buckets = Buckets(op, bias);
            s = Node("Add", s, Transposed(Node("Gather", Value(bias.Table), buckets), 0, 3, 1, 2));
        }
        string? sink = options.LearnedSink is null ? null // beside the scores of key 0
            : Node("Add", Times(Columns(s, 3, 0, 1), 0), ByHead(Value(options.LearnedSink)));
        string? sees = IsPlainMask(op) ? null : Sees(op);
        if (IsPlainMask(op))
            s = Node("Add", s, PlainMask(op));
        else if (sees is not null)
            s = Node("Add", s, MaskOf(sees));
        string p = graph.Node("Softmax", [sink is null ? s : graph.Node("Concat", [sink, s], ("axis", -1))],
            ("axis", -1));
        string? pSink = sink is null ? null : Columns(p, 3, 0, 1);
        if (sink is not null)
            p = graph.Node("Slice", [p, graph.Integers(1L), graph.Integers(long.MaxValue), graph.Integers(3L)]);
        if (options.Lengths is not null) // where all are hidden, all look alike
            p = Node("Mul", p, Cast(sees!, OnnxType.Float32));
        return new(p, pSink, slope, buckets);
    }

    private string MaskOf(string sees) => Node("Where", sees, graph.Constant(0), graph.Constant(Hidden));

    private static bool IsPlainMask(AttentionOp op) => op.Options is { IsCausal: true, Lengths: null };

    /// <summary>
    /// 0 where a causal query sees a key, else <see cref="Hidden"/>: [B, 1, T, S], one for all layers.
    /// </summary>
    private string PlainMask(AttentionOp op)
    {
        var key = (op.Options.Window, op.Options.Sinks);
        return masks.TryGetValue(key, out string? known) ? known : masks[key] = MaskOf(Sees(op)!);
    }

    /// <summary>True where a query sees a key, [B, 1, T, S] or [B, 1, 1, S]; null if each sees all.</summary>
    private string? Sees(AttentionOp op)
    {
        var options = op.Options;
        string? sees = null;
        void Also(string condition) => sees = sees is null ? condition : Node("And", sees, condition);
        if (options.IsCausal)
        {
            string age = Age(op);
            Also(Node("GreaterOrEqual", age, graph.Constant(0)));
            if (options.Window > 0)
            {
                string isNear = Node("Less", age, graph.Constant(options.Window));
                string Number(string condition) => Cast(condition, OnnxType.Float32); // WebGPU has no Or
                Also(options.Sinks == 0 ? isNear : Node("Greater", Node("Add", Number(isNear),
                    Number(Node("Less", KeyPlaces(op), graph.Constant(options.Sinks)))), graph.Constant(0)));
            }
            if (Cache is not null)
                Also(Node("Greater", OfKeys(Cache.KeyMask), graph.Constant(0)));
        }
        if (options.Lengths is { } lengths)
            Also(Node("Less", KeyPlaces(op), graph.Node("Unsqueeze",
                [Cast(Value(lengths), OnnxType.Float32), graph.Integers(1, 2, 3)])));
        return sees;
    }

    /// <summary>The position of each query less that of each key, floats [B, 1, T, S].</summary>
    private string Age(AttentionOp op) => Node("Sub", graph.Node("Unsqueeze",
        [op.Options.IsCausal ? Cache?.QueryPlaces ?? FloatPositions : Places(op.Q), graph.Integers(1, 3)]),
        KeyPlaces(op));

    /// <summary>The positions of keys, floats [B, 1, 1, S].</summary>
    private string KeyPlaces(AttentionOp op) =>
        OfKeys(op.Options.IsCausal ? Cache?.KeyPlaces ?? FloatPositions : Places(op.K));

    private string OfKeys(string values) => graph.Node("Unsqueeze", [values, graph.Integers(1, 2)]);

    /// <summary>0, 1, 2 ... for the rows of x [B, T, C], whatever their values: floats [B, T].</summary>
    private string Places(Tensor x)
    {
        if (Cache is not null)
            throw Refused("attention that is not causal has no form with a cache");
        string zeros = Cast(Node("Less", Value(x), graph.Constant(float.NegativeInfinity)), OnnxType.Float32);
        string ones = Plus(graph.Node("ReduceSum", [zeros, graph.Integers(2L)], ("keepdims", 0)), 1);
        return Plus(graph.Node("CumSum", [ones, graph.Scalar(1)]), -1);
    }

    /// <summary>The bucket of each pair of a query and a key, int32 [B, T, S].</summary>
    private string Buckets(AttentionOp op, RelativeBias bias)
    {
        int most = bias.MaxDistance;
        string distance = Node("Min", Node("Max", Node("Neg", Age(op)), graph.Constant(-most)), graph.Constant(most));
        string place = graph.Node("Squeeze", [Cast(Plus(distance, most), OnnxType.Int32), graph.Integers(1L)]);
        return Cast(Node("Gather", graph.Integers([.. bias.Buckets.Ids.ToArray().Select(id => (long)id)]), place),
            OnnxType.Int32);
    }

    /// <summary>A number of each head, [H] as [1, H, 1, 1].</summary>
    private string ByHead(string values) => Reshaped(values, 1, -1, 1, 1);

    /// <summary>The numbers of a tensor that no step changes.</summary>
    private string Constant(Tensor tensor)
    {
        if (values.TryGetValue(tensor, out string? known))
            return known;
        string name = $"constant.{values.Count}";
        graph.Weight(OnnxWeight.Of(name, tensor));
        return values[tensor] = name;
    }
}
