using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y = (x - mean) / sqrt(var + eps) * w + b over each row of C elements (Ba, Kiros, Hinton, 2016).
/// The variance is computed from x - mean in a second pass: sum x^2 / C - mean^2 would lose every
/// digit for rows around 1000.
/// <para>
/// Backward. With r = 1 / sqrt(var + eps), h = (x - mean) r and g = dy w (the gradient at h): dh/dx
/// gives dx_i = r (g_i - mean(g) - h_i mean(g h)): the mean and the variance each take away one
/// component. dw = sum over rows of dy h, db = sum over rows of dy, in row order.
/// </para>
/// </summary>
internal readonly record struct LayerNormOp(Tensor X, Tensor Weight, Tensor? Bias, float Epsilon, Tensor Mean,
    Tensor InverseStd, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient || Weight.WantsGradient || Bias is { WantsGradient: true };

    public Work ForwardWork =>
        Work.Of("layernorm forward", 8 * X.Length, X, Weight, Bias, Y, Mean, InverseStd);

    public Work? BackwardWork =>
        Work.Of("layernorm backward", 18 * X.Length, X, Weight, Mean, InverseStd, Y, X, Weight, Bias);

    public unsafe void Backward(Compute compute)
    {
        int rows = (int)X.Shape.Rows, columns = X.Shape.Columns;
        var dx = X.TargetIfWanted(compute);
        // once even without rows: then the gradients are zero
        for (int row = 0, band = NormWeightGradient.Band(compute, rows, columns); row == 0 || row < rows; row += band)
        {
            int height = Math.Min(band, rows - row);
            nint at = (nint)row * columns;
            float* x = X.Pointer + at, dy = Y.Gradient.Pointer + at, mean = Mean.Pointer + row,
                inverseStd = InverseStd.Pointer + row;
            NormBackward<InputGradient>.Run(compute, height, columns, dx.Pointer != null,
                new(x, Weight.Pointer, mean, inverseStd, dy, columns, Compute.WorthStreaming(X.Length), dx.At(at)),
                new(height, columns, x, mean, inverseStd, dy, Weight.TargetIfWanted(compute),
                    Bias.TargetIfWanted(compute)));
        }
    }

    internal readonly unsafe struct Forward(float* x, float* weight, float* bias, int columns, float epsilon,
        bool stream, float* mean, float* inverseStd, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* xr = x + (row * columns);
                float m = RowReduce.Sum<S, V, PlainTerm>(columns, new PlainTerm(xr)) / columns;
                float variance = RowReduce.Sum<S, V, SquaredDistance>(columns, new SquaredDistance(xr, m)) / columns;
                float r = 1 / MathF.Sqrt(variance + epsilon);
                mean[row] = m;
                inverseStd[row] = r;
                new ElementwiseLoop<Normalize>(new Normalize(xr, weight, bias, m, r, y + (row * columns)), stream)
                    .Run<S, V>(0, columns, scratch);
            }
        }
    }

    internal readonly unsafe struct SquaredDistance(float* x, float mean) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged
        {
            V d = S.Subtract(S.Load(x + i), S.Splat(mean));
            return S.Fma(d, d, running);
        }
    }

    private readonly unsafe struct Normalize(float* x, float* weight, float* bias, float mean, float inverseStd,
        float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V h = S.Multiply(S.Subtract(S.Load(x + i), S.Splat(mean)), S.Splat(inverseStd));
            S.Store(y + i, S.Fma(h, S.Load(weight + i), bias == null ? S.Splat(0) : S.Load(bias + i)));
        }
    }

    private readonly unsafe struct InputGradient(float* x, float* weight, float* mean, float* inverseStd, float* dy,
        int columns, bool stream, GradientTarget dx) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* xr = x + (row * columns), dyr = dy + (row * columns);
                var (sumG, sumGh) = RowReduce.Sums<S, V, ProductTerm, GTimesH>(columns, new ProductTerm(dyr, weight),
                    new GTimesH(xr, weight, mean[row], inverseStd[row], dyr));
                var element = new Element(xr, weight, mean[row], inverseStd[row], dyr, sumG / columns, sumGh / columns,
                    dx.At(row * columns));
                new ElementwiseLoop<Element>(element, stream).Run<S, V>(0, columns, scratch);
            }
        }
    }

    private readonly unsafe struct GTimesH(float* x, float* weight, float mean, float inverseStd, float* dy) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged
        {
            V h = S.Multiply(S.Subtract(S.Load(x + i), S.Splat(mean)), S.Splat(inverseStd));
            return S.Fma(S.Multiply(S.Load(dy + i), S.Load(weight + i)), h, running);
        }
    }

    private readonly unsafe struct Element(float* x, float* weight, float mean, float inverseStd, float* dy,
        float meanG, float meanGh, GradientTarget dx) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V r = S.Splat(inverseStd), h = S.Multiply(S.Subtract(S.Load(x + i), S.Splat(mean)), r);
            V g = S.Fma(S.Load(dy + i), S.Load(weight + i), S.Splat(-meanG));
            dx.Put<S, V>(i, S.Multiply(r, S.Fma(h, S.Splat(-meanGh), g)));
        }
    }
}

/// <summary>Layer normalisation as a method of <see cref="Compute"/>.</summary>
public static class LayerNormExtensions
{
    /// <summary>
    /// Normalises each row of x [.., C] to mean 0 and variance 1, then scales by weight [C] and
    /// shifts by bias [C] or nothing.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static unsafe Tensor LayerNorm(this Compute compute, Tensor x, Tensor weight, Tensor? bias, float epsilon)
    {
        int columns = x.Shape.Columns;
        var row = new Shape(columns);
        if (weight.Shape != row || (bias is not null && bias.Shape != row))
            throw new ArgumentException(
                $"layernorm: x {x}, weight {weight}, bias {bias?.ToString() ?? "none"} do not fit; wanted [.., C], "
                + "[C], [C]");
        int rows = checked((int)x.Shape.Rows);
        var (mean, inverseStd, y) =
            (compute.NewStatistic(new Shape(rows)), compute.NewStatistic(new Shape(rows)), compute.New(x.Shape));
        compute.For(rows, Compute.RowsPerChunk(columns), 0,
            new LayerNormOp.Forward(x.Contiguous("layernorm").Pointer, weight.Pointer,
            bias is null ? null : bias.Pointer, columns, epsilon, Compute.WorthStreaming(x.Length), mean.Pointer,
            inverseStd.Pointer, y.Pointer));
        compute.Record(new LayerNormOp(x, weight, bias, epsilon, mean, inverseStd, y));
        return y;
    }
}
