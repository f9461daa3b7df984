using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Adafactor (Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost",
/// 2018, algorithms 4 and 5). Of a matrix's second moment only the means of its rows R and columns
/// C are kept: b = 1 - t^-0.8, R = b R + (1 - b) mean over columns (g^2 + eps), C = b C + (1 - b)
/// mean over rows (g^2 + eps), u = g / sqrt(R C / mean R), u = u / max(1, RMS(u)), p = p (1 - lr
/// wd) - lr max(1e-3, RMS(p)) u. Vectors keep their second moment whole. No first moment.
/// </summary>
public sealed class Adafactor : Optimizer
{
    private const double DecayExponent = 0.8, SmallestScale = 1e-3, ClipThreshold = 1;

    private readonly Tensor[] first;
    private readonly Tensor?[] columns;

    /// <summary>The rule over these parameters.</summary>
    public Adafactor(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 14, streams: 7)
    {
        (first, columns) = (new Tensor[Parameters.Count], new Tensor?[Parameters.Count]);
        for (int i = 0; i < Parameters.Count; i++)
        {
            var shape = Parameters[i].Shape;
            first[i] = shape.Rank >= 2 ? NewState(i, "rows", new Shape(checked((int)shape.Rows)))
                : NewState(i, "square", shape);
            columns[i] = shape.Rank >= 2 ? NewState(i, "columns", new Shape(shape.Columns)) : null;
        }
    }

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale)
    {
        var numbers = new AdafactorNumbers(learningRate, 1 - Math.Pow(StepCount, -DecayExponent), Options.Epsilon,
            SmallestScale, ClipThreshold, Decay(index), gradientScale);
        if (columns[index] is { } columnMeans)
            compute.Adafactor(Parameters[index], Parameters[index].Gradient, first[index], columnMeans, numbers);
        else
            compute.Adafactor(Parameters[index], Parameters[index].Gradient, first[index], numbers);
    }
}

/// <summary>The numbers of one Adafactor step.</summary>
/// <param name="LearningRate">Step size relative to the parameter's root mean square.</param>
/// <param name="Keep">What is kept of the second moment.</param>
/// <param name="Epsilon">Added to every squared gradient.</param>
/// <param name="SmallestScale">The parameter's root mean square counts as at least this.</param>
/// <param name="ClipThreshold">The root mean square of an update is at most this, before the step size.</param>
/// <param name="WeightDecay">Decoupled decay; 0 for biases and norm weights.</param>
/// <param name="GradientScale">Factor on the gradient, from clipping.</param>
public readonly record struct AdafactorNumbers(double LearningRate, double Keep, double Epsilon, double SmallestScale,
    double ClipThreshold, double WeightDecay, double GradientScale)
{
    /// <summary>Factor on the update u, from the sums of squares of u and of the parameter.</summary>
    internal double Rate(double updateSquares, double parameterSquares, long length) =>
        LearningRate * Math.Max(SmallestScale, Math.Sqrt(parameterSquares / length))
            / Math.Max(1, Math.Sqrt(updateSquares / length) / ClipThreshold);

    internal float Shrink => (float)(1 - (LearningRate * WeightDecay));
}

/// <summary>rows[r] = keep rows[r] + (1 - keep) (mean over the row of g^2, + epsilon).</summary>
internal readonly unsafe struct AdafactorRows(float* gradient, int columns, AdafactorNumbers n, float* rows) : IKernel
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint r = begin; r < end; r++)
        {
            float sum = RowReduce.Sum<S, V, ScaledSquareTerm>(columns,
                new ScaledSquareTerm(gradient + (r * columns), (float)n.GradientScale));
            rows[r] = (float)((n.Keep * rows[r]) + ((1 - n.Keep) * ((sum / columns) + n.Epsilon)));
        }
    }
}

/// <summary>sum (scale x[i])^2</summary>
internal readonly unsafe struct ScaledSquareTerm(float* x, float scale) : IRowTerm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged
    {
        V g = S.Multiply(S.Load(x + i), S.Splat(scale));
        return S.Fma(g, g, running);
    }
}

/// <summary>
/// columns[c] = keep columns[c] + (1 - keep) (mean over the column of g^2, + epsilon), the sum in
/// row order; factors[c] = 1 / sqrt(columns[c]).
/// </summary>
internal readonly unsafe struct AdafactorColumns(float* gradient, int rows, int stride, AdafactorNumbers n,
    float* columns, float* factors) : IKernel
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        new Span<float>(factors + begin, (int)(end - begin)).Clear();
        float* g = gradient;
        for (int r = 0; r < rows; r++, g += stride)
            new ElementwiseLoop<AddSquare>(new AddSquare(g, (float)n.GradientScale, factors))
                .Run<S, V>(begin, end, scratch);
        for (nint c = begin; c < end; c++)
        {
            columns[c] = (float)((n.Keep * columns[c]) + ((1 - n.Keep) * ((factors[c] / rows) + n.Epsilon)));
            factors[c] = (float)(1 / Math.Sqrt(columns[c]));
        }
    }

    private readonly struct AddSquare(float* x, float scale, float* sums) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V g = S.Multiply(S.Load(x + i), S.Splat(scale));
            S.Store(sums + i, S.Fma(g, g, S.Load(sums + i)));
        }
    }
}

/// <summary>
/// The update of a matrix, u = g / sqrt(R C / mean R), from the factors of its row and columns; the
/// sum of its squares, or its step.
/// </summary>
internal readonly unsafe struct AdafactorUpdate(float* gradient, float* rows, double meanOfRows, float* factors,
    int columns, AdafactorNumbers n, double rate, double* sums, float* parameter) : IKernel
{
    private readonly float back = (float)-rate, shrink = n.Shrink;

    /// <summary>With sums, the sum of squares of each row; without, the step.</summary>
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint r = begin; r < end; r++)
        {
            var u = new Update(gradient + (r * columns),
                (float)(n.GradientScale / Math.Sqrt(rows[r] / meanOfRows)), factors);
            if (sums != null)
                sums[r] = RowReduce.Sum<S, V, Update>(columns, u);
            else
                new ElementwiseLoop<Apply>(new Apply(u, shrink, back, parameter + (r * columns)))
                    .Run<S, V>(0, columns, scratch);
        }
    }

    private readonly struct Update(float* gradient, float rowFactor, float* factors) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Multiply(S.Multiply(S.Load(gradient + i), S.Splat(rowFactor)), S.Load(factors + i));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged
        {
            V u = At<S, V>(i);
            return S.Fma(u, u, running);
        }
    }

    private readonly struct Apply(Update update, float shrink, float back, float* parameter) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(parameter + i,
                S.Fma(update.At<S, V>(i), S.Splat(back), S.Multiply(S.Load(parameter + i), S.Splat(shrink))));
    }
}

/// <summary>
/// A vector's second moment, v = keep v + (1 - keep) (g^2 + epsilon), and the sum of squares of its
/// update g / sqrt(v).
/// </summary>
internal readonly unsafe struct AdafactorVector(float* gradient, AdafactorNumbers n, float* square) : IBlock
{
    public float Sum<S, V>(nint start, nint count) where S : ISimd<V> where V : unmanaged =>
        RowReduce.Sum<S, V, Term>(count, new Term(gradient + start, (float)n.GradientScale, (float)n.Keep,
            (float)(1 - n.Keep), (float)n.Epsilon, square + start));

    private readonly struct Term(float* gradient, float scale, float keep, float take, float epsilon,
        float* square) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged
        {
            V g = S.Multiply(S.Load(gradient + i), S.Splat(scale));
            V v = S.Fma(S.Load(square + i), S.Splat(keep), S.Multiply(S.Fma(g, g, S.Splat(epsilon)), S.Splat(take)));
            S.Store(square + i, v);
            V u = S.Divide(g, S.Sqrt(v));
            return S.Fma(u, u, running);
        }
    }
}

/// <summary>A vector's step: p = p (1 - lr wd) - rate g / sqrt(v).</summary>
internal readonly unsafe struct AdafactorVectorApply(float* gradient, float* square, AdafactorNumbers n, double rate,
    float* parameter) : IElementwise
{
    private readonly float scale = (float)n.GradientScale, back = (float)-rate, shrink = n.Shrink;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V u = S.Divide(S.Multiply(S.Load(gradient + i), S.Splat(scale)), S.Sqrt(S.Load(square + i)));
        S.Store(parameter + i, S.Fma(u, S.Splat(back), S.Multiply(S.Load(parameter + i), S.Splat(shrink))));
    }
}

/// <summary>Adafactor as a method of <see cref="Compute"/>.</summary>
public static class AdafactorExtensions
{
    /// <summary>
    /// Moves a matrix [R, C] by one Adafactor step along its gradient; updates its factored second
    /// moment, rows [R] and columns [C], in place.
    /// </summary>
    public static unsafe void Adafactor(this Compute compute, Tensor parameter, Tensor gradient, Tensor rows,
        Tensor columns, AdafactorNumbers numbers)
    {
        UpdateTensors.CheckGradient("adafactor", parameter, gradient);
        int height = checked((int)parameter.Shape.Rows), width = parameter.Shape.Columns;
        if (rows.Length != height || columns.Length != width)
            throw new ArgumentException(
                $"adafactor: rows {rows} and columns {columns} do not fit the parameter {parameter}");
        float* g = gradient.Pointer, p = parameter.Pointer, r = rows.Contiguous("adafactor").Pointer;
        Tensor factors = compute.New(new Shape(width)), squares = compute.New(new Shape(height, 2));
        compute.For(height, Compute.RowsPerChunk(width), 0, new AdafactorRows(g, width, numbers, r));
        compute.For(width, ColumnSums.Chunk(compute, height, width), 0,
            new AdafactorColumns(g, height, width, numbers, columns.Contiguous("adafactor").Pointer, factors.Pointer));
        double mean = 0;
        for (int i = 0; i < height; i++)
            mean += r[i];
        mean /= height;
        double* sums = (double*)squares.Pointer;
        compute.For(height, Compute.RowsPerChunk(width), 0,
            new AdafactorUpdate(g, r, mean, factors.Pointer, width, numbers, 0, sums, null));
        double total = 0;
        for (int i = 0; i < height; i++)
            total += sums[i];
        double rate = numbers.Rate(total, compute.SumOfSquares(parameter), parameter.Length);
        compute.For(height, Compute.RowsPerChunk(width), 0,
            new AdafactorUpdate(g, r, mean, factors.Pointer, width, numbers, rate, null, p));
        compute.Release(factors);
        compute.Release(squares);
        GC.KeepAlive(parameter); // the kernels had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(rows);
        GC.KeepAlive(columns);
    }

    /// <summary>The same for a vector, whose second moment is whole.</summary>
    public static unsafe void Adafactor(this Compute compute, Tensor parameter, Tensor gradient, Tensor square,
        AdafactorNumbers numbers)
    {
        UpdateTensors.Check("adafactor", parameter, gradient, square);
        double squares = BlockSums<AdafactorVector>
            .Run(compute, parameter.Length, new AdafactorVector(gradient.Pointer, numbers, square.Pointer));
        double rate = numbers.Rate(squares, compute.SumOfSquares(parameter), parameter.Length);
        compute.ForEach((nint)parameter.Length, new AdafactorVectorApply(gradient.Pointer, square.Pointer, numbers,
            rate, parameter.Pointer));
        GC.KeepAlive(parameter); // the kernels had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(square);
    }
}
