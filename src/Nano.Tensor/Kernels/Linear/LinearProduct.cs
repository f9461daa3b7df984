namespace Nano;

/// <summary>
/// The products of linear layers: in float32, or with operands rounded to bfloat16, as the context
/// says.
/// </summary>
internal static unsafe class LinearProduct
{
    /// <summary>Computes Y = bias + X * W^T: X [m, K], weight [N, K], packed or not, bias [N] or null.</summary>
    public static void Forward(Compute compute, int m, Matrix x, Tensor weight, Rows y, float* bias = null)
    {
        int n = weight.Shape[0], k = weight.Shape[1];
        if (weight.PackedAs is { } type && WeightTypes.IsQuantised(type))
            QuantProduct.Run(compute, m, new(x.Pointer, x.PerRow), QuantPanels.Of(weight), y, bias);
        else if (weight.IsPacked)
            Gemm.Run(compute, m, x, Panels.Of(weight), y, bias);
        else
            Run(compute, m, n, k, x, new Matrix(weight.Contiguous("linear").Pointer, k).Transposed, y, bias);
    }

    /// <summary>
    /// Computes C = init + A * B on the worker team: A [m, k], B [k, n], C [m, n]. init is C itself
    /// if accumulate, else the bias (n values, or null for zero).
    /// </summary>
    public static void Run(Compute compute, int m, int n, int k, Matrix a, Matrix b, Rows c, float* bias = null,
        bool accumulate = false)
    {
        if (compute.RoundsProducts)
            BFloat16Gemm.Run(compute, m, n, k, a, b, c, bias, accumulate);
        else
            Gemm.Run(compute, m, n, k, a, b, c, bias, accumulate);
    }
}
