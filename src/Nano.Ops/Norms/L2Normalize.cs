using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y = x / |x| over each row, |x| = sqrt(sum x^2) taken as at least 1e-12. Backward: the part of dy
/// along y changes nothing, so dx = (dy - y (y . dy)) / |x|.
/// </summary>
internal readonly record struct L2NormalizeOp(Tensor X, Tensor Norm, Tensor Y) : IOp
{
    internal const float Smallest = 1e-12f;

    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("l2 normalize forward", 3 * X.Length, X, Y, Norm);

    public Work? BackwardWork => Work.Of("l2 normalize backward", 5 * X.Length, Y, Norm, Y, X);

    internal unsafe void Forward(Compute compute) => compute.For((nint)X.Shape.Rows,
        Compute.RowsPerChunk(X.Shape.Columns), 0, new Divide(X.Pointer, X.Shape.Columns, Norm.Pointer, Y.Pointer));

    public unsafe void Backward(Compute compute) => compute.For((nint)X.Shape.Rows,
        Compute.RowsPerChunk(X.Shape.Columns), 0, new InputGradient(Y.Pointer, Norm.Pointer, Y.Gradient.Pointer,
            X.Shape.Columns, X.GradientFor(compute)));

    private readonly unsafe struct Divide(float* x, int columns, float* norms, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* xr = x + (row * columns);
                float norm = MathF.Sqrt(RowReduce.Sum<S, V, ProductTerm>(columns, new ProductTerm(xr, xr)));
                norms[row] = norm = norm < Smallest ? Smallest : norm;
                new ElementwiseLoop<Scaled>(new(xr, 1 / norm, new(y + (row * columns), false)))
                    .Run<S, V>(0, columns, scratch);
            }
        }
    }

    private readonly unsafe struct InputGradient(float* y, float* norms, float* dy, int columns, GradientTarget dx)
        : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* yr = y + (row * columns), dyr = dy + (row * columns);
                float along = norms[row] > Smallest || float.IsNaN(norms[row])
                    ? RowReduce.Sum<S, V, ProductTerm>(columns, new ProductTerm(yr, dyr)) : 0;
                new ElementwiseLoop<Element>(new(yr, dyr, along, 1 / norms[row], dx.At(row * columns)))
                    .Run<S, V>(0, columns, scratch);
            }
        }
    }

    private readonly unsafe struct Element(float* y, float* dy, float along, float over, GradientTarget dx)
        : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged => dx.Put<S, V>(i,
            S.Multiply(S.Splat(over), S.Fma(S.Load(y + i), S.Splat(-along), S.Load(dy + i))));
    }
}

/// <summary>Rows of length 1 as a method of <see cref="Compute"/>.</summary>
public static class L2NormalizeExtensions
{
    /// <summary>Each row of x [.., C] divided by its length.</summary>
    public static Tensor L2Normalize(this Compute compute, Tensor x)
    {
        x = compute.Contiguous(x);
        var op = new L2NormalizeOp(x, compute.NewStatistic(new Shape(checked((int)x.Shape.Rows))),
            compute.New(x.Shape));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }
}
