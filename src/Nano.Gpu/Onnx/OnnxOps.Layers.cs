namespace Nano;

internal sealed partial class OnnxOps
{
    private string Forward(LinearOp op)
    {
        string y = Product(Operand(op.X), Transposed(Operand(op.Weight), 1, 0));
        return op.Bias is null ? y : Node("Add", y, Value(op.Bias));
    }

    private void Backward(LinearOp op, string dy)
    {
        int K = op.Weight.Shape[1], N = op.Weight.Shape[0];
        AddGradient(op.X, Product(Operand(dy), Operand(op.Weight)));
        AddGradient(op.Weight, ProductOverRows(Reshaped(Operand(dy), -1, N), Reshaped(Operand(op.X), -1, K)));
        if (op.Bias is not null)
            AddGradient(op.Bias, ColumnSums(Reshaped(dy, -1, N)));
    }

    /// <summary>[M, N] to [N].</summary>
    private string ColumnSums(string rows) => graph.Node("ReduceSum", [rows, graph.Integers(0L)], ("keepdims", 0));

    private string Forward(MatMulOp op) => Product(TransposedIf(Operand(op.A), op.A.Shape.Rank, op.TransposeA),
        TransposedIf(Operand(op.B), op.B.Shape.Rank, op.TransposeB));

    private void Backward(MatMulOp op, string dy)
    {
        int rank = op.Y.Shape.Rank;
        string a = Operand(op.A), b = Operand(op.B), d = Operand(dy);
        // d op(A) = dY op(B)^T, d op(B) = op(A)^T dY; transposed where the operand is.
        AddGradient(op.A, TransposedIf(Product(d, TransposedIf(b, rank, !op.TransposeB)), rank, op.TransposeA));
        AddGradient(op.B, TransposedIf(Product(TransposedIf(a, rank, !op.TransposeA), d), rank, op.TransposeB));
    }

    private string TransposedIf(string value, int rank, bool transpose) =>
        transpose ? Transposed(value, rank switch { 2 => [1, 0], 3 => [0, 2, 1], _ => [0, 1, 3, 2] }) : value;

    private string Forward(AddOp op) =>
        Node("Add", Value(op.A), IsFirstRows(op.B) ? RowsOf(op.B.Root, Positions) : Value(op.B));

    private void Backward(AddOp op, string dy)
    {
        AddGradient(op.A, dy);
        if (IsFirstRows(op.B))
            ScatterAdd(op.B.Root, Positions, dy);
        else if (op.B.Length == op.A.Length)
            AddGradient(op.B, dy);
        else // a suffix of a's shape: summed over what was repeated
            AddGradient(op.B, Reshaped(ColumnSums(Reshaped(dy, -1, op.B.Length)), op.B.Shape));
    }

    /// <summary>
    /// True if a tensor is the first rows of a table, one per position of the sequence.
    /// </summary>
    private static bool IsFirstRows(Tensor tensor) => tensor.Root != tensor && tensor.OffsetInRoot == 0
        && tensor.Shape.Rank == 2 && tensor.Shape.Columns == tensor.Root.Shape.Columns && tensor.Root.Name is not null;

    private const float RootTwoOverPi = 0.7978845608028654f, Cubic = 0.044715f, RootHalf = 0.7071067811865476f,
        OneOverRootTwoPi = 0.3989422804014327f;

    private string Forward(ActivationOp op)
    {
        string x = Value(op.X);
        return op.Kind switch
        {
            ActivationKind.Relu => Node("Relu", x),
            ActivationKind.Sigmoid => Node("Sigmoid", x),
            ActivationKind.Tanh => Node("Tanh", x),
            ActivationKind.Silu => Node("Mul", x, Node("Sigmoid", x)),
            ActivationKind.GeluTanh => Node("Mul", Times(x, 0.5f), Plus(Node("Tanh", TanhArgument(x)), 1)),
            ActivationKind.GeluErf => Node("Mul", Times(x, 0.5f), Plus(Node("Erf", Times(x, RootHalf)), 1)),
            _ => throw NotKnown(op),
        };
    }

    /// <summary>The derivative of an activation at its input.</summary>
    private string Derivative(ActivationOp op)
    {
        string x = Value(op.X), y = Value(op.Y);
        switch (op.Kind)
        {
            case ActivationKind.Relu:
                return graph.Cast(Node("Greater", x, graph.Constant(0)), OnnxType.Float32);
            case ActivationKind.Sigmoid:
                return Node("Mul", y, Node("Sub", graph.Constant(1), y));
            case ActivationKind.Tanh:
                return Node("Sub", graph.Constant(1), Node("Mul", y, y));
            case ActivationKind.Silu:
                return SiluDerivative(x);
            case ActivationKind.GeluTanh: // (1 + t) / 2 + x (1 - t^2) u' / 2, with u' = sqrt(2/pi) (1 + 3 c x^2)
                string t = Node("Tanh", TanhArgument(x)),
                    slope = Times(Plus(Times(Node("Mul", x, x), 3 * Cubic), 1), RootTwoOverPi);
                return Node("Add", Times(Plus(t, 1), 0.5f),
                    Times(Node("Mul", Node("Mul", x, Node("Sub", graph.Constant(1), Node("Mul", t, t))), slope), 0.5f));
            case ActivationKind.GeluErf: // P(x) + x p(x) of the normal distribution
                return Node("Add", Times(Plus(Node("Erf", Times(x, RootHalf)), 1), 0.5f),
                    Node("Mul", x, Times(Node("Exp", Times(Node("Mul", x, x), -0.5f)), OneOverRootTwoPi)));
            default:
                throw NotKnown(op);
        }
    }

    /// <summary>sqrt(2/pi) (x + c x^3).</summary>
    private string TanhArgument(string x) =>
        Times(Node("Mul", x, Plus(Times(Node("Mul", x, x), Cubic), 1)), RootTwoOverPi);

    /// <summary>s + x s (1 - s), s the sigmoid of x.</summary>
    private string SiluDerivative(string x)
    {
        string s = Node("Sigmoid", x);
        return Node("Mul", s, Plus(Node("Mul", x, Node("Sub", graph.Constant(1), s)), 1));
    }

    private void Backward(SwiGluOp op, string dy)
    {
        string gate = Value(op.Gate);
        AddGradient(op.Up, Node("Mul", dy, Node("Mul", gate, Node("Sigmoid", gate))));
        AddGradient(op.Gate, Node("Mul", Node("Mul", dy, Value(op.Up)), SiluDerivative(gate)));
    }

    private string Times(string x, float factor) => Node("Mul", x, graph.Constant(factor));

    private string Plus(string x, float term) => Node("Add", x, graph.Constant(term));

    /// <summary>
    /// The values of a norm that the backward pass needs: the normalised row h, and its factor r.
    /// </summary>
    private readonly Dictionary<IOp, (string H, string R)> normed = [];

    private string Forward(LayerNormOp op)
    {
        string centred = Node("Sub", Value(op.X), RowMean(Value(op.X)));
        return Scaled(op, centred, op.Epsilon, op.Weight, op.Bias);
    }

    private string Forward(RmsNormOp op) => Scaled(op, Value(op.X), op.Epsilon, op.Weight, null);

    /// <summary>y = x r w + b, with r = 1 / sqrt(mean(x^2) + eps).</summary>
    private string Scaled(IOp op, string x, float epsilon, Tensor weight, Tensor? bias)
    {
        string r = Node("Reciprocal", Node("Sqrt", Plus(RowMean(Node("Mul", x, x)), epsilon))), h = Node("Mul", x, r);
        normed[op] = (h, r);
        string y = Node("Mul", h, Value(weight));
        return bias is null ? y : Node("Add", y, Value(bias));
    }

    private void Backward(LayerNormOp op, string dy)
    {
        var (h, r) = normed[op];
        string g = Node("Mul", dy, Value(op.Weight));
        AddGradient(op.X, Node("Mul", r,
            Node("Sub", Node("Sub", g, RowMean(g)), Node("Mul", h, RowMean(Node("Mul", g, h))))));
        AddGradient(op.Weight, ColumnSums(Reshaped(Node("Mul", dy, h), -1, op.Weight.Length)));
        if (op.Bias is not null)
            AddGradient(op.Bias, ColumnSums(Reshaped(dy, -1, op.Weight.Length)));
    }

    private void Backward(RmsNormOp op, string dy)
    {
        var (h, r) = normed[op];
        string g = Node("Mul", dy, Value(op.Weight));
        AddGradient(op.X, Node("Mul", r, Node("Sub", g, Node("Mul", h, RowMean(Node("Mul", g, h))))));
        AddGradient(op.Weight, ColumnSums(Reshaped(Node("Mul", dy, h), -1, op.Weight.Length)));
    }
}
