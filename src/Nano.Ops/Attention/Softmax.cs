using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y_i = exp(x_i - max x) / sum_j exp(x_j - max x) over each row. Taking the maximum away changes
/// nothing and keeps exp from overflowing. Backward: dy_i/dx_j = y_i (1[i = j] - y_j), so dx = y
/// (dy - sum_j dy_j y_j).
/// </summary>
internal readonly record struct SoftmaxOp(Tensor X, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("softmax forward", 5 * X.Length, X, Y);

    public Work? BackwardWork => Work.Of("softmax backward", 4 * X.Length, Y, Y, X);

    public unsafe void Backward(Compute compute) =>
        compute.For((nint)X.Shape.Rows, Compute.RowsPerChunk(X.Shape.Columns), 0,
            new InputGradient(Y.Pointer, Y.Gradient.Pointer, X.Shape.Columns, Compute.WorthStreaming(X.Length),
                X.GradientFor(compute)));

    internal readonly unsafe struct Forward(float* x, int columns, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* xr = x + (row * columns), yr = y + (row * columns);
                float sum = RowReduce.Sum<S, V, ExpTerm>(columns,
                    new ExpTerm(xr, RowReduce.Max<S, V>(columns, xr), 1, yr));
                new ElementwiseLoop<Scaled>(new Scaled(yr, 1 / sum, new(yr, false))).Run<S, V>(0, columns, scratch);
            }
        }
    }

    private readonly unsafe struct InputGradient(float* y, float* dy, int columns, bool stream,
        GradientTarget dx) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* yr = y + (row * columns), dyr = dy + (row * columns);
                float dot = RowReduce.Sum<S, V, ProductTerm>(columns, new ProductTerm(dyr, yr));
                new ElementwiseLoop<Element>(new Element(yr, dyr, dot, dx.At(row * columns)), stream)
                    .Run<S, V>(0, columns, scratch);
            }
        }
    }

    private readonly unsafe struct Element(float* y, float* dy, float dot, GradientTarget dx) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dx.Put<S, V>(i, S.Multiply(S.Load(y + i), S.Subtract(S.Load(dy + i), S.Splat(dot))));
    }
}

/// <summary>Softmax as a method of <see cref="Compute"/>.</summary>
public static class SoftmaxExtensions
{
    /// <summary>Softmax over each innermost row. A row of nothing but -infinity gives NaN.</summary>
    public static unsafe Tensor Softmax(this Compute compute, Tensor x)
    {
        var y = compute.New(x.Shape);
        compute.For((nint)x.Shape.Rows, Compute.RowsPerChunk(x.Shape.Columns), 0,
            new SoftmaxOp.Forward(x.Contiguous("softmax").Pointer, x.Shape.Columns, y.Pointer));
        compute.Record(new SoftmaxOp(x, y));
        return y;
    }
}
