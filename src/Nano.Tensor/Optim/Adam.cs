using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1): m = b1 m
/// + (1 - b1) g, v = b2 v + (1 - b2) g^2, p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) +
/// eps). Decay, if any, is L2: wd p is part of g.
/// </summary>
public sealed class Adam : Optimizer
{
    private readonly Tensor[] mean, square;

    /// <summary>The rule over these parameters.</summary>
    public Adam(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 15, streams: 7) =>
        (mean, square) = (NewState("mean"), NewState("square"));

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Adam(Parameters[index], Parameters[index].Gradient, mean[index], square[index],
            MomentNumbers(index, learningRate, gradientScale));
}

/// <summary>
/// Adam in one pass over memory: <see cref="AdamWKernel"/>, except that the decay is part of the
/// gradient, g' = g + wd p, and so goes through both moments.
/// </summary>
internal readonly unsafe struct AdamKernel(float* gradient, AdamWNumbers n, float* parameter, float* mean,
    float* square) : IElementwise
{
    private readonly float scale = (float)n.GradientScale, decay = (float)n.WeightDecay;
    private readonly float keep1 = (float)n.Beta1, take1 = (float)(1 - n.Beta1), keep2 = (float)n.Beta2,
        take2 = (float)(1 - n.Beta2);
    private readonly float rate = n.Rate;
    private readonly float rootCorrection = n.RootCorrection;
    private readonly float epsilon = (float)n.Epsilon;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V p = S.Load(parameter + i);
        V g = S.Fma(p, S.Splat(decay), S.Multiply(S.Load(gradient + i), S.Splat(scale)));
        V m = S.Fma(S.Load(mean + i), S.Splat(keep1), S.Multiply(g, S.Splat(take1)));
        V v = S.Fma(S.Load(square + i), S.Splat(keep2), S.Multiply(S.Multiply(g, g), S.Splat(take2)));
        S.Store(mean + i, m);
        S.Store(square + i, v);
        S.Store(parameter + i,
            S.Subtract(p, S.Divide(S.Multiply(m, S.Splat(rate)),
                S.Fma(S.Sqrt(v), S.Splat(rootCorrection), S.Splat(epsilon)))));
    }
}

/// <summary>Adam as a method of <see cref="Compute"/>.</summary>
public static class AdamExtensions
{
    /// <summary>Moves a parameter by one Adam step along its gradient; updates both moments in place.</summary>
    public static unsafe void Adam(this Compute compute, Tensor parameter, Tensor gradient, Tensor mean, Tensor square,
        AdamWNumbers numbers)
    {
        UpdateTensors.Check("adam", parameter, gradient, mean, square);
        compute.ForEach((nint)parameter.Length, new AdamKernel(gradient.Pointer, numbers, parameter.Pointer,
            mean.Pointer, square.Pointer));
        GC.KeepAlive(parameter); // the kernel had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(mean);
        GC.KeepAlive(square);
    }
}
