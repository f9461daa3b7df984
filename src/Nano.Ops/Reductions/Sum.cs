using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y = factor * sum of all elements of x, a scalar: the sum (factor 1) or the mean (factor 1 / n).
/// Rows are summed in parallel, then their sums in row order in double precision. Backward: dx_i =
/// factor dy.
/// </summary>
internal readonly record struct SumOp(Tensor X, double Factor, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("sum forward", X.Length, X);

    public Work? BackwardWork => Work.Of("sum backward", 0, X);

    public unsafe void Backward(Compute compute) =>
        compute.ForEach((nint)X.Length, new Fill((float)(Y.Gradient.Data[0] * Factor), X.GradientFor(compute)));

    private readonly struct Fill(float value, GradientTarget dx) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged => dx.Put<S, V>(i, S.Splat(value));
    }

    internal readonly unsafe struct RowSums(float* x, int columns, float* sums) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                sums[row] = RowReduce.Sum<S, V, PlainTerm>(columns, new PlainTerm(x + (row * columns)));
        }
    }
}

/// <summary>Sum and mean as methods of <see cref="Compute"/>.</summary>
public static class ReduceExtensions
{
    /// <summary>The sum of all elements, a scalar.</summary>
    public static Tensor Sum(this Compute compute, Tensor x) => compute.Reduce(x, 1);

    /// <summary>The mean of all elements, a scalar; NaN for an empty tensor.</summary>
    public static Tensor Mean(this Compute compute, Tensor x) => compute.Reduce(x, 1.0 / x.Length);

    private static unsafe Tensor Reduce(this Compute compute, Tensor x, double factor)
    {
        x = compute.Contiguous(x);
        var sums = compute.New(new Shape(checked((int)x.Shape.Rows)));
        compute.For((nint)x.Shape.Rows, Compute.RowsPerChunk(x.Shape.Columns), 0,
            new SumOp.RowSums(x.Pointer, x.Shape.Columns, sums.Pointer));
        double total = 0;
        foreach (float sum in sums.Data)
            total += sum;
        var y = compute.New(new Shape());
        y.Data[0] = (float)(total * factor);
        compute.Record(new SumOp(x, factor, y));
        return y;
    }
}
