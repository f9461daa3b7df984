using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y = x r w over each row of C elements, r = 1 / sqrt(mean(x^2) + eps) (Zhang and Sennrich, 2019).
/// <para>
/// Backward. With h = x r and g = dy w: dr/dx_i = -r^3 x_i / C, so dx_i = r (g_i - h_i mean(g h)).
/// dw = sum over rows of dy h, in row order.
/// </para>
/// </summary>
internal readonly record struct RmsNormOp(Tensor X, Tensor Weight, float Epsilon, Tensor InverseRms, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient || Weight.WantsGradient;

    public Work ForwardWork => Work.Of("rmsnorm forward", 4 * X.Length, X, Weight, Y, InverseRms);

    public Work? BackwardWork =>
        Work.Of("rmsnorm backward", 11 * X.Length, X, Weight, InverseRms, Y, X, Weight);

    public unsafe void Backward(Compute compute)
    {
        int rows = (int)X.Shape.Rows, columns = X.Shape.Columns;
        var dx = X.TargetIfWanted(compute);
        // once even without rows: then the gradients are zero
        for (int row = 0, band = NormWeightGradient.Band(compute, rows, columns); row == 0 || row < rows; row += band)
        {
            int height = Math.Min(band, rows - row);
            nint at = (nint)row * columns;
            float* x = X.Pointer + at, dy = Y.Gradient.Pointer + at, inverseRms = InverseRms.Pointer + row;
            NormBackward<InputGradient>.Run(compute, height, columns, dx.Pointer != null,
                new(x, Weight.Pointer, inverseRms, dy, columns, Compute.WorthStreaming(X.Length), dx.At(at)),
                new(height, columns, x, null, inverseRms, dy, Weight.TargetIfWanted(compute), default));
        }
    }

    internal readonly unsafe struct Forward(float* x, float* weight, int columns, float epsilon, bool stream,
        float* inverseRms, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* xr = x + (row * columns);
                float r = 1 / MathF.Sqrt((RowReduce.Sum<S, V, ProductTerm>(columns, new ProductTerm(xr, xr)) / columns)
                    + epsilon);
                inverseRms[row] = r;
                new ElementwiseLoop<Normalize>(new Normalize(xr, weight, r, y + (row * columns)), stream)
                    .Run<S, V>(0, columns, scratch);
            }
        }
    }

    private readonly unsafe struct Normalize(float* x, float* weight, float r, float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, S.Multiply(S.Multiply(S.Load(x + i), S.Splat(r)), S.Load(weight + i)));
    }

    private readonly unsafe struct InputGradient(float* x, float* weight, float* inverseRms, float* dy, int columns,
        bool stream, GradientTarget dx) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* xr = x + (row * columns), dyr = dy + (row * columns);
                float r = inverseRms[row];
                float meanGh = RowReduce.Sum<S, V, GTimesX>(columns, new GTimesX(xr, weight, dyr)) * r / columns;
                new ElementwiseLoop<Element>(new Element(xr, weight, r, dyr, meanGh, dx.At(row * columns)), stream)
                    .Run<S, V>(0, columns, scratch);
            }
        }
    }

    private readonly unsafe struct GTimesX(float* x, float* weight, float* dy) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged =>
            S.Fma(S.Multiply(S.Load(dy + i), S.Load(weight + i)), S.Load(x + i), running);
    }

    private readonly unsafe struct Element(float* x, float* weight, float r, float* dy, float meanGh, GradientTarget dx)
        : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V h = S.Multiply(S.Load(x + i), S.Splat(r)), g = S.Multiply(S.Load(dy + i), S.Load(weight + i));
            dx.Put<S, V>(i, S.Multiply(S.Splat(r), S.Fma(h, S.Splat(-meanGh), g)));
        }
    }
}

/// <summary>Root-mean-square normalisation as a method of <see cref="Compute"/>.</summary>
public static class RmsNormExtensions
{
    /// <summary>Divides each row of x [.., C] by its root mean square, then scales by weight [C].</summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static unsafe Tensor RmsNorm(this Compute compute, Tensor x, Tensor weight, float epsilon)
    {
        int columns = x.Shape.Columns;
        if (weight.Shape != new Shape(columns))
            throw new ArgumentException($"rmsnorm: x {x} and weight {weight} do not fit; wanted [.., C] and [C]");
        var (inverseRms, y) = (compute.NewStatistic(new Shape(checked((int)x.Shape.Rows))), compute.New(x.Shape));
        compute.For((nint)x.Shape.Rows, Compute.RowsPerChunk(columns), 0,
            new RmsNormOp.Forward(x.Contiguous("rmsnorm").Pointer, weight.Pointer, columns, epsilon,
                Compute.WorthStreaming(x.Length), inverseRms.Pointer, y.Pointer));
        compute.Record(new RmsNormOp(x, weight, epsilon, inverseRms, y));
        return y;
    }
}
