namespace Nano;

/// <summary>
/// Y = op(A) op(B) for every matrix of a batch, where op is the identity or the transpose: op(A)
/// [M, K], op(B) [K, N].
/// <para>
/// Backward: y_mn = sum_k a_mk b_kn, so d op(A) = dY op(B)^T and d op(B) = op(A)^T dY. For an
/// operand that is stored transposed the transposed equation is computed, so the gradient comes out
/// in the order of the stored matrix: d A^T = op(B) dY^T, d B^T = dY^T op(A).
/// </para>
/// </summary>
internal readonly record struct MatMulOp(Tensor A, Tensor B, bool TransposeA, bool TransposeB, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => A.WantsGradient || B.WantsGradient;

    public Work ForwardWork => Work.Of("matmul forward", M, N, K, Batch);

    public Work? BackwardWork =>
        Work.Of("matmul backward", M, N, K, Batch * ((A.WantsGradient ? 1 : 0) + (B.WantsGradient ? 1 : 0)));

    private int M => Y.Shape[-2];

    private int N => Y.Shape[-1];

    private int K => A.Shape[TransposeA ? -2 : -1];

    /// <summary>op(A) [M, K] and op(B) [K, N] of a matrix of the batch, where they lie.</summary>
    private (Matrix A, Matrix B) Factors(int i) =>
        (TransposeA ? At(A, i).Transposed : At(A, i), TransposeB ? At(B, i).Transposed : At(B, i));

    internal unsafe void Forward(Compute compute)
    {
        for (int i = 0; i < Batch; i++)
        {
            var (a, b) = Factors(i);
            Gemm.Run(compute, M, N, K, a, b, new(At(Y, i).Pointer, N));
        }
    }

    public unsafe void Backward(Compute compute)
    {
        var (da, db) = (A.TargetIfWanted(compute), B.TargetIfWanted(compute));
        for (int i = 0; i < Batch; i++)
        {
            if (da.Pointer != null)
                GradientOfA(compute, i, At(Y.Gradient, i), da.At(i * (nint)M * K));
            if (db.Pointer != null)
                GradientOfB(compute, i, At(Y.Gradient, i), db.At(i * (nint)K * N));
        }
    }

    private unsafe void GradientOfA(Compute compute, int i, Matrix dy, GradientTarget da)
    {
        var b = Factors(i).B;
        if (TransposeA) // dA^T [K, M] = op(B) [K, N] dY^T [N, M]
            Gemm.Run(compute, K, M, N, b, dy.Transposed, new(da.Pointer, M), accumulate: da.Accumulate);
        else // dA [M, K] = dY [M, N] op(B)^T [N, K]
            Gemm.Run(compute, M, K, N, dy, b.Transposed, new(da.Pointer, K), accumulate: da.Accumulate);
    }

    private unsafe void GradientOfB(Compute compute, int i, Matrix dy, GradientTarget db)
    {
        var a = Factors(i).A;
        if (TransposeB) // dB^T [N, K] = dY^T [N, M] op(A) [M, K]
            Gemm.Run(compute, N, K, M, dy.Transposed, a, new(db.Pointer, K), accumulate: db.Accumulate);
        else // dB [K, N] = op(A)^T [K, M] dY [M, N]
            Gemm.Run(compute, K, N, M, a.Transposed, dy, new(db.Pointer, N), accumulate: db.Accumulate);
    }

    private int Batch => Y.Shape.Rank switch { 2 => 1, 3 => Y.Shape[0], _ => checked(Y.Shape[0] * Y.Shape[1]) };

    private static unsafe Matrix At(Tensor tensor, int i) =>
        new(tensor.Pointer + (i * (nint)tensor.Shape[-2] * tensor.Shape[-1]), tensor.Shape[-1]);
}

/// <summary>Matrix products as a method of <see cref="Compute"/>.</summary>
public static class MatMulExtensions
{
    /// <summary>
    /// op(a) op(b) for matrices or equally long batches of them: a [.., M, K] (or [.., K, M] if
    /// transposed), b [.., K, N] (or [.., N, K]).
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor MatMul(this Compute compute, Tensor a, Tensor b, bool transposeA = false,
        bool transposeB = false)
    {
        bool fits = a.Shape.Rank >= 2 && a.Shape.Rank == b.Shape.Rank
            && a.Shape[transposeA ? -2 : -1] == b.Shape[transposeB ? -1 : -2];
        for (int i = 3; fits && i <= a.Shape.Rank; i++)
            fits = a.Shape[-i] == b.Shape[-i];
        if (!fits)
            throw new ArgumentException(
                $"matmul: {a}{(transposeA ? "^T" : "")} times {b}{(transposeB ? "^T" : "")} do not fit; wanted [.., "
                + "M, K] and [.., K, N]");
        int m = a.Shape[transposeA ? -1 : -2], n = b.Shape[transposeB ? -2 : -1];
        var shape = a.Shape.Rank switch
        {
            2 => new Shape(m, n),
            3 => new Shape(a.Shape[0], m, n),
            _ => new Shape(a.Shape[0], a.Shape[1], m, n),
        };
        var op = new MatMulOp(a.Contiguous("matmul"), b.Contiguous("matmul"), transposeA, transposeB,
            compute.New(shape));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }
}
