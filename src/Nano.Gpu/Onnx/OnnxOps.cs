namespace Nano;

/// <summary>
/// The one place that knows every <see cref="IOp"/> and its ONNX form, forward and backward: each
/// pair of methods says in nodes what the op's own file derives. A tensor of the record becomes a
/// value of the same shape; what its gradient is made of is collected until it is asked for. Batch
/// and sequence stay open: shapes say 0 (as it was) and -1 (the rest), never a number that was
/// only true while recording.
/// </summary>
internal sealed partial class OnnxOps(OnnxGraph graph)
{
    private readonly Dictionary<Tensor, string> values = [];
    private readonly Dictionary<Tensor, List<Contribution>> gradients = [];
    private readonly Dictionary<IOp, string> scopes = [];
    private string layer = "";

    /// <summary>A gradient of a tensor, or of some of its columns.</summary>
    private readonly record struct Contribution(int Start, int Count, string Gradient);

    /// <summary>
    /// Names the value of a tensor that no recorded op has made; null where that is a mistake.
    /// </summary>
    public Func<Tensor, string>? Leaf { get; init; }

    /// <summary>Says which value of the graph a tensor is: a parameter, an input.</summary>
    public void Define(Tensor tensor, string value) => values[tensor] = value;

    /// <summary>The value of a tensor or of a view of one.</summary>
    public string Value(Tensor tensor)
    {
        if (values.TryGetValue(tensor, out string? known))
            return known;
        if (halfWeights.TryGetValue(tensor, out string? half))
            return values[tensor] = Cast(half, OnnxType.Float32);
        var root = tensor.Root;
        if (root == tensor)
            return values[tensor] = Leaf?.Invoke(tensor)
                ?? throw new InvalidOperationException(
                    $"onnx: tensor {tensor} was not made by a recorded op, nor is it an input or a parameter");
        string value = Value(root);
        if (IsColumns(tensor))
            value = Columns(value, root.Shape.Rank - 1, (int)tensor.OffsetInRoot, tensor.Shape.Columns);
        else if (tensor.Length == root.Length)
            value = Reshaped(value, tensor.Shape);
        else
            throw Refused($"{tensor} is neither some columns nor another shape of {root}");
        return values[tensor] = value;
    }

    /// <summary>Adds the nodes of an op.</summary>
    /// <exception cref="NanoException">It has no ONNX form; the message names it.</exception>
    public void Forward(IOp op)
    {
        graph.Scope = (scopes[op] = Layer(op) + NameOf(op)) + "/";
        values[op.Output] = LowerForward(op);
        graph.Scope = "";
    }

    private string LowerForward(IOp op) => op switch
    {
        LinearOp linear => Forward(linear),
        MatMulOp product => Forward(product),
        AddOp add => Forward(add),
        MultiplyOp multiply => Node("Mul", Value(multiply.A), Value(multiply.B)),
        DivideOp divide => Node("Div", Value(divide.A), Value(divide.B)),
        ScaleOp scale => Forward(scale),
        SumOp sum => Node("Mul", graph.Node("ReduceSum", [Value(sum.X)], ("keepdims", 0)),
            graph.Constant((float)sum.Factor)),
        SoftmaxOp softmax => graph.Node("Softmax", [Value(softmax.X)], ("axis", -1)),
        ActivationOp activation => Activated(activation.Kind, activation.Parameter, Value(activation.X)),
        GatedOp gated => Node("Mul", Activated(gated.Kind, 0, Value(gated.Gate)), Value(gated.Up)),
        PermuteOp permute => Transposed(Value(permute.X), permute.Dimensions),
        ExpandOp expand => Forward(expand),
        ConcatOp concat => graph.Node("Concat", [Value(concat.A), Value(concat.B)], ("axis", concat.Axis)),
        GatherOp gather => graph.Node("Gather", [Value(gather.X), Value(gather.Ids)], ("axis", gather.Axis)),
        ScatterAddOp scatter => ScatteredAdd(Value(scatter.X), scatter.Ids, scatter.Axis, scatter.Y.Shape),
        SumAxesOp sum => Forward(sum),
        MaxOp max => graph.Node("ReduceMax", [Value(max.X)], ("axes", new[] { max.Axis }),
            ("keepdims", max.Y.Shape.Rank == max.X.Shape.Rank ? 1 : 0)),
        LayerNormOp norm => Forward(norm),
        RmsNormOp norm => Forward(norm),
        L2NormalizeOp norm => Forward(norm),
        ChannelNormOp norm => Forward(norm),
        EmbeddingOp lookup => RowsOf(lookup.Weight, Value(lookup.Ids)),
        RopeOp rope => Rotated(rope, Value(rope.X), back: false),
        AttentionOp attention => Forward(attention),
        CrossEntropyOp loss => Forward(loss),
        LinearCrossEntropyOp loss => Forward(loss),
        ConvOp conv => Forward(conv),
        PoolOp pool => Forward(pool),
        RecurrentOp recurrence => Forward(recurrence),
        FinalStateOp final => Value(final.Inner),
        _ => throw Refused(op),
    };

    /// <summary>
    /// Adds the nodes that turn the gradient of an op's output into gradients of its inputs; none
    /// if nothing has reached the output.
    /// </summary>
    /// <exception cref="NanoException">It has no ONNX form; the message names it.</exception>
    public void Backward(IOp op)
    {
        if (!gradients.ContainsKey(op.Output))
            return;
        graph.Scope = scopes[op] + ".backward/";
        LowerBackward(op, Gradient(op.Output));
        graph.Scope = "";
    }

    private void LowerBackward(IOp op, string dy)
    {
        switch (op)
        {
            case LinearOp linear: Backward(linear, dy); break;
            case MatMulOp product: Backward(product, dy); break;
            case AddOp add: Backward(add, dy); break;
            case MultiplyOp multiply:
                AddGradient(multiply.A, Node("Mul", dy, Value(multiply.B)));
                AddGradient(multiply.B, Node("Mul", dy, Value(multiply.A)));
                break;
            case DivideOp divide:
                AddGradient(divide.A, Node("Div", dy, Value(divide.B)));
                AddGradient(divide.B,
                    Node("Neg", Node("Div", Node("Mul", dy, Value(divide.Y)), Value(divide.B))));
                break;
            case ScaleOp scale: AddGradient(scale.X, Node("Mul", dy, graph.Constant(scale.Factor))); break;
            case SumOp sum:
                AddGradient(sum.X,
                Node("Mul", Node("Add", Node("Mul", Value(sum.X), graph.Constant(0)),
                    graph.Constant((float)sum.Factor)), dy)); break;
            case SoftmaxOp softmax: AddGradient(softmax.X, SoftmaxGradient(Value(softmax.Y), dy)); break;
            case ActivationOp activation:
                AddGradient(activation.X, Node("Mul", dy, Derivative(activation.Kind, activation.Parameter,
                    Value(activation.X), Value(activation.Y))));
                break;
            case GatedOp gated: Backward(gated, dy); break;
            case PermuteOp or ExpandOp or ConcatOp or GatherOp or ScatterAddOp or SumAxesOp or MaxOp:
                BackwardOfShapes(op, dy); break;
            case LayerNormOp norm: Backward(norm, dy); break;
            case RmsNormOp norm: Backward(norm, dy); break;
            case L2NormalizeOp norm: Backward(norm, dy); break;
            case ChannelNormOp norm: Backward(norm, dy); break;
            case EmbeddingOp lookup: ScatterAdd(lookup.Weight, Value(lookup.Ids), dy); break;
            case RopeOp rope: AddGradient(rope.X, Rotated(rope, dy, back: true)); break;
            case AttentionOp attention: Backward(attention, dy); break;
            case CrossEntropyOp loss: Backward(loss, dy); break;
            case LinearCrossEntropyOp loss: Backward(loss, dy); break;
            case ConvOp conv: Backward(conv, dy); break;
            case PoolOp pool: Backward(pool, dy); break;
            default: throw Refused(op);
        }
    }

    /// <summary>
    /// The layer of an op and a slash: the module that its weight belongs to, or that of the op
    /// before it; nothing before the first.
    /// </summary>
    private string Layer(IOp op)
    {
        var weight = op switch
        {
            LinearOp linear => linear.Weight,
            AddOp add => add.B.Root,
            LayerNormOp norm => norm.Weight,
            RmsNormOp norm => norm.Weight,
            ChannelNormOp norm => norm.Weight,
            EmbeddingOp lookup => lookup.Weight,
            LinearCrossEntropyOp loss => loss.Weight,
            _ => null,
        };
        if (weight?.Name is { } name)
            layer = (name.LastIndexOf('.') is var dot and > 0 ? name[..dot] : name) + "/";
        return layer;
    }

    private static string NameOf(IOp op) => op.GetType().Name[..^"Op".Length];

    /// <summary>Every kind of op that is lowered here.</summary>
    public static IReadOnlyList<Type> Known { get; } =
    [
        typeof(LinearOp), typeof(MatMulOp), typeof(AddOp), typeof(MultiplyOp), typeof(ScaleOp), typeof(SumOp),
        typeof(SoftmaxOp), typeof(ActivationOp), typeof(GatedOp), typeof(LayerNormOp), typeof(RmsNormOp),
        typeof(DivideOp), typeof(PermuteOp), typeof(ExpandOp), typeof(ConcatOp), typeof(GatherOp),
        typeof(ScatterAddOp), typeof(SumAxesOp), typeof(MaxOp), typeof(L2NormalizeOp), typeof(ChannelNormOp),
        typeof(EmbeddingOp), typeof(RopeOp), typeof(AttentionOp), typeof(CrossEntropyOp),
        typeof(LinearCrossEntropyOp), typeof(ConvOp), typeof(PoolOp), typeof(RecurrentOp), typeof(FinalStateOp),
    ];

    /// <summary>
    /// Adds a contribution to a tensor's gradient; that of a view is part of its root's.
    /// </summary>
    public void AddGradient(Tensor tensor, string gradient)
    {
        var root = tensor.Root;
        if (root != tensor && !IsColumns(tensor))
            gradient = Reshaped(gradient, root.Shape);
        if (!gradients.TryGetValue(root, out var parts))
            gradients[root] = parts = [];
        parts.Add(IsColumns(tensor) ? new((int)tensor.OffsetInRoot, tensor.Shape.Columns, gradient)
            : new(0, root.Shape.Columns, gradient));
    }

    /// <summary>True if a tensor has at least one gradient contribution.</summary>
    public bool HasGradient(Tensor tensor) => gradients.ContainsKey(tensor);

    /// <summary>The sum of what has been given so far.</summary>
    public string Gradient(Tensor root)
    {
        var parts = gradients[root];
        var whole = parts.Where(part => part.Count == root.Shape.Columns).Select(part => part.Gradient).ToList();
        var some = parts.Where(part => part.Count < root.Shape.Columns).GroupBy(part => (part.Start, part.Count))
            .OrderBy(group => group.Key.Start).ToList();
        if (some.Count > 0)
        {
            int next = 0;
            foreach (var group in some)
                next = group.Key.Start == next ? next + group.Key.Count
                    : throw Refused(
                        $"the parts of {root} that have gradients overlap or leave gaps");
            if (next != root.Shape.Columns)
                throw Refused($"only {next} of the columns of {root} have gradients");
            whole.Add(graph.Node("Concat", [.. some.Select(group => Sum([.. group.Select(part => part.Gradient)]))],
                ("axis", root.Shape.Rank - 1)));
        }
        string sum = Sum(whole);
        gradients[root] = [new(0, root.Shape.Columns, sum)];
        return sum;
    }

    private string Sum(IReadOnlyList<string> parts) => parts.Aggregate((a, b) => Node("Add", a, b));

    /// <summary>True if a tensor is a view of some columns of every row of its root.</summary>
    private static bool IsColumns(Tensor tensor) => tensor.Root != tensor && tensor.Shape.Rows == tensor.Root.Shape.Rows
        && tensor.Shape.Columns < tensor.Root.Shape.Columns && tensor.RowStride == tensor.Root.RowStride;

    private string Node(string op, params ReadOnlySpan<string> from) => graph.Node(op, from.ToArray());

    private string Columns(string value, int axis, int start, int count) =>
        graph.Node("Slice", [value, graph.Integers((long)start), graph.Integers((long)start + count),
            graph.Integers((long)axis)]);

    /// <summary>
    /// A value in the shape of a tensor: the first dimension as it was, the second the rest.
    /// </summary>
    private string Reshaped(string value, Shape shape) => shape.Rank switch
    {
        0 => Reshaped(value),
        1 => Reshaped(value, -1),
        2 => Reshaped(value, -1, shape[1]),
        3 => Reshaped(value, 0, -1, shape[2]),
        _ => Reshaped(value, 0, -1, shape[2], shape[3]),
    };

    private string Reshaped(string value, params ReadOnlySpan<long> shape) =>
        graph.Node("Reshape", [value, graph.Integers(shape)]);

    private string Transposed(string value, params int[] order) => graph.Node("Transpose", [value], ("perm", order));

    private string RowMean(string value) => graph.Node("ReduceMean", [value], ("axes", new[] { -1 }), ("keepdims", 1));

    /// <summary>Sums along the last axis, which stays as one element.</summary>
    private string RowSum(string value) => graph.Node("ReduceSum", [value, graph.Integers(-1L)], ("keepdims", 1));

    /// <summary>dx = y (dy - sum_j dy_j y_j).</summary>
    private string SoftmaxGradient(string y, string dy) => Node("Mul", y, Node("Sub", dy, RowSum(Node("Mul", dy, y))));
}
