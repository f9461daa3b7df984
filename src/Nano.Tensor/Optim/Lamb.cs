using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// LAMB (You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes",
/// 2020, algorithm 2): with Adam's moments, r = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) +
/// wd p, p = p - lr (|p| / |r|) r, norms over a whole tensor. As in the authors' code, biases and
/// norm weights take the plain step p - lr r.
/// </summary>
public sealed class Lamb : Optimizer
{
    private readonly Tensor[] mean, square;

    /// <summary>The rule over these parameters.</summary>
    public Lamb(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 31, streams: 11) =>
        (mean, square) = (NewState("mean"), NewState("square"));

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Lamb(Parameters[index], Parameters[index].Gradient, mean[index], square[index],
            MomentNumbers(index, learningRate, gradientScale), adapt: Parameters[index].Shape.Rank >= 2);
}

/// <summary>
/// LAMB's direction r = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + wd p, computed where it
/// is needed and never stored.
/// </summary>
internal readonly struct LambDirection(AdamWNumbers n)
{
    private readonly float decay = (float)n.WeightDecay, epsilon = (float)n.Epsilon;
    private readonly float meanCorrection = n.MeanCorrection, rootCorrection = n.RootCorrection;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Of<S, V>(V m, V v, V p) where S : ISimd<V> where V : unmanaged =>
        S.Fma(p, S.Splat(decay),
            S.Divide(S.Multiply(m, S.Splat(meanCorrection)),
                S.Fma(S.Sqrt(v), S.Splat(rootCorrection), S.Splat(epsilon))));
}

/// <summary>Updates both moments and sums up the squares of the direction that they make.</summary>
internal readonly unsafe struct LambMoments(float* gradient, float* parameter, AdamWNumbers n, float* mean,
    float* square) : IBlock
{
    private readonly LambDirection direction = new(n);
    private readonly float scale = (float)n.GradientScale;
    private readonly float keep1 = (float)n.Beta1, take1 = (float)(1 - n.Beta1), keep2 = (float)n.Beta2,
        take2 = (float)(1 - n.Beta2);

    public float Sum<S, V>(nint start, nint count) where S : ISimd<V> where V : unmanaged =>
        RowReduce.Sum<S, V, Term>(count, new Term(this, start));

    private readonly struct Term(LambMoments of, nint start) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged
        {
            i += start;
            V g = S.Multiply(S.Load(of.Gradient + i), S.Splat(of.scale));
            V m = S.Fma(S.Load(of.Mean + i), S.Splat(of.keep1), S.Multiply(g, S.Splat(of.take1)));
            V v = S.Fma(S.Load(of.Square + i), S.Splat(of.keep2), S.Multiply(S.Multiply(g, g), S.Splat(of.take2)));
            S.Store(of.Mean + i, m);
            S.Store(of.Square + i, v);
            V r = of.direction.Of<S, V>(m, v, S.Load(of.Parameter + i));
            return S.Fma(r, r, running);
        }
    }

    private float* Gradient => gradient;

    private float* Parameter => parameter;

    private float* Mean => mean;

    private float* Square => square;
}

/// <summary>p = p - rate r.</summary>
internal readonly unsafe struct LambApply(float* mean, float* square, AdamWNumbers n, double rate, float* parameter)
    : IElementwise
{
    private readonly LambDirection direction = new(n);
    private readonly float back = (float)-rate;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V p = S.Load(parameter + i);
        S.Store(parameter + i, S.Fma(direction.Of<S, V>(S.Load(mean + i), S.Load(square + i), p), S.Splat(back), p));
    }
}

/// <summary>Lamb as a method of <see cref="Compute"/>.</summary>
public static class LambExtensions
{
    /// <summary>
    /// Moves a parameter by one LAMB step along its gradient; updates both moments in place. All
    /// four have one shape.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="parameter">The parameter to update.</param>
    /// <param name="gradient">Its gradient.</param>
    /// <param name="mean">First moment.</param>
    /// <param name="square">Second moment.</param>
    /// <param name="numbers">As for AdamW.</param>
    /// <param name="adapt">Whether the step is as long as the learning rate times the parameter's
    /// norm, where that and the direction's are not 0.</param>
    public static unsafe void Lamb(this Compute compute, Tensor parameter, Tensor gradient, Tensor mean, Tensor square,
        AdamWNumbers numbers, bool adapt)
    {
        UpdateTensors.Check("lamb", parameter, gradient, mean, square);
        float* p = parameter.Pointer, m = mean.Pointer, v = square.Pointer;
        double weight = adapt ? Math.Sqrt(compute.SumOfSquares(parameter)) : 0;
        double direction = Math.Sqrt(BlockSums<LambMoments>
            .Run(compute, parameter.Length, new LambMoments(gradient.Pointer, p, numbers, m, v)));
        double trust = weight > 0 && direction > 0 ? weight / direction : 1;
        compute.ForEach((nint)parameter.Length, new LambApply(m, v, numbers, numbers.LearningRate * trust, p));
        GC.KeepAlive(parameter); // the kernels had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(mean);
        GC.KeepAlive(square);
    }
}
