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
        Node("Add", Value(op.A), IsFirstRows(op.B) ? RowsOf(op.B.Root, PositionsIn(op.B)) : Value(op.B));

    private void Backward(AddOp op, string dy)
    {
        AddGradient(op.A, dy);
        if (IsFirstRows(op.B))
            ScatterAdd(op.B.Root, PositionsIn(op.B), dy);
        else if (op.B.Length == op.A.Length)
            AddGradient(op.B, dy);
        else // a suffix of a's shape: summed over what was repeated
            AddGradient(op.B, Reshaped(ColumnSums(Reshaped(dy, -1, op.B.Length)), op.B.Shape));
    }

    /// <summary>The rows of a table that the positions of the sequence read, which may begin further on.</summary>
    private string PositionsIn(Tensor rows) => rows.OffsetInRoot == 0 ? Positions
        : Node("Add", Positions, graph.Scalar(rows.OffsetInRoot / rows.Shape.Columns, OnnxType.Int32));

    /// <summary>
    /// True if a tensor is rows of a table, one per position of the sequence.
    /// </summary>
    private static bool IsFirstRows(Tensor tensor) => tensor.Root != tensor
        && tensor.Shape.Rank == 2 && tensor.Shape.Columns == tensor.Root.Shape.Columns && tensor.Root.Name is not null;

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
