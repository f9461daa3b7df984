namespace Nano;

internal sealed partial class OnnxOps
{
    /// <summary>
    /// Values rounded to float16, each once. One that both directions need is kept between them,
    /// and its float32 is not, where nothing else needs that. A weight's is kept too: ONNX Runtime
    /// makes one of equal nodes anyway.
    /// </summary>
    private readonly Dictionary<string, string> halves = [];

    private readonly Dictionary<Tensor, string> halfWeights = [];

    /// <summary>
    /// True to use float16 for the inputs and outputs of matrix products, while all else stays
    /// float32: norms, softmax, the residual stream, losses, sums of gradients, and weights unless
    /// <see cref="DefineHalf"/> says otherwise (Micikevicius et al., "Mixed Precision Training",
    /// 2018). The precision of the sum inside a product is up to the device.
    /// </summary>
    public bool HalfProducts { get; init; }

    /// <summary>Says which float16 value of the graph a parameter is.</summary>
    public void DefineHalf(Tensor parameter, string value) => halfWeights[parameter] = value;

    /// <summary>A tensor as matrix products take it.</summary>
    private string Operand(Tensor tensor) => HalfProducts && halfWeights.TryGetValue(tensor, out string? half) ? half
        : Operand(Value(tensor));

    /// <summary>A float32 value as matrix products take it.</summary>
    private string Operand(string value)
    {
        if (!HalfProducts)
            return value;
        if (!halves.TryGetValue(value, out string? half))
            halves[value] = half = Cast(value, OnnxType.Float16);
        return half;
    }

    /// <summary>a b as float32, of operands.</summary>
    private string Product(string a, string b) => OfProduct(Node("MatMul", a, b));

    /// <summary>x W^T as float32, of operands with two dimensions.</summary>
    private string ProductByRows(string x, string weight) => OfProduct(graph.Node("Gemm", [x, weight], ("transB", 1)));

    /// <summary>
    /// a^T b as float32, of operands with two dimensions: a sum over rows, if there is one behind
    /// that of earlier rows.
    /// </summary>
    private string ProductOverRows(string a, string b, string? earlier = null)
    {
        if (earlier is null || HalfProducts)
        {
            string product = OfProduct(graph.Node("Gemm", [a, b], ("transA", 1)));
            return earlier is null ? product : Node("Add", earlier, product);
        }
        return graph.Node("Gemm", [a, b, earlier], ("transA", 1));
    }

    /// <summary>The result of a product as float32. Where the next product takes it, it takes it as it is.</summary>
    private string OfProduct(string product)
    {
        if (!HalfProducts)
            return product;
        string result = Cast(product, OnnxType.Float32);
        halves[result] = product;
        return result;
    }

    /// <summary>Rows of a table as float32.</summary>
    private string RowsOf(Tensor table, string ids) =>
        halfWeights.TryGetValue(table, out string? half) ? Cast(Node("Gather", half, ids), OnnxType.Float32)
            : Node("Gather", Value(table), ids);

    private string Cast(string value, OnnxType type) => graph.Cast(value, type);
}
