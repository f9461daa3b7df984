namespace Nano;

/// <summary>
/// The products of linear layers: in float32, or with operands rounded to bfloat16, as the context
/// says.
/// </summary>
internal static unsafe class LinearProduct
{
    /// <summary>
    /// Computes C = init + A * B on the worker team: A [m, k], B [k, n], C [m, n]. init is C itself
    /// if accumulate, else the bias (n values, or null for zero).
    /// </summary>
    public static void Run(Compute compute, int m, int n, int k, Matrix a, Matrix b, Rows c, float* bias = null,
        bool accumulate = false)
    {
        if (compute.RoundsProducts && b.Form == WeightForm.Float32)
            BFloat16Gemm.Run(compute, m, n, k, a, b, c, bias, accumulate);
        else
            Gemm.Run(compute, m, n, k, a, b, c, bias, accumulate);
    }
}
