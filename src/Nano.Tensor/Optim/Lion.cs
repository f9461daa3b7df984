using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Lion (Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, algorithm 2): c = b1 m
/// + (1 - b1) g, p = p (1 - lr wd) - lr sign(c), m = b2 m + (1 - b2) g. Every element moves by the
/// whole learning rate, so that is three to ten times smaller than AdamW's, and the decay as many
/// times larger.
/// </summary>
public sealed class Lion : Optimizer
{
    private readonly Tensor[] mean;

    /// <summary>The rule over these parameters.</summary>
    public Lion(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 9, streams: 5) => mean = NewState("mean");

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Lion(Parameters[index], Parameters[index].Gradient, mean[index],
            new LionNumbers(learningRate, Options.Beta1, Options.Beta2, Decay(index), gradientScale));
}

/// <summary>The numbers of one Lion step.</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Beta1">Share of the mean in the direction.</param>
/// <param name="Beta2">Decay of the mean.</param>
/// <param name="WeightDecay">Decoupled decay; 0 for biases and norm weights.</param>
/// <param name="GradientScale">Factor on the gradient, from clipping.</param>
public readonly record struct LionNumbers(double LearningRate, double Beta1, double Beta2, double WeightDecay,
    double GradientScale);

/// <summary>
/// Lion in one pass over memory: c = b1 m + (1 - b1) g, p = p (1 - lr wd) - lr sign(c), m = b2 m +
/// (1 - b2) g, where sign(0) is 0.
/// </summary>
internal readonly unsafe struct LionKernel(float* gradient, LionNumbers n, float* parameter, float* mean) : IElementwise
{
    private readonly float scale = (float)n.GradientScale, rate = (float)n.LearningRate,
        shrink = (float)(1 - (n.LearningRate * n.WeightDecay));
    private readonly float keep1 = (float)n.Beta1, take1 = (float)(1 - n.Beta1), keep2 = (float)n.Beta2,
        take2 = (float)(1 - n.Beta2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V zero = S.Splat(0);
        V g = S.Multiply(S.Load(gradient + i), S.Splat(scale)), m = S.Load(mean + i);
        V c = S.Fma(m, S.Splat(keep1), S.Multiply(g, S.Splat(take1)));
        S.Store(mean + i, S.Fma(m, S.Splat(keep2), S.Multiply(g, S.Splat(take2))));
        V step = S.IfGreater(S.Abs(c), zero, S.CopySign(S.Splat(rate), c), zero);
        S.Store(parameter + i, S.Subtract(S.Multiply(S.Load(parameter + i), S.Splat(shrink)), step));
    }
}

/// <summary>Lion as a method of <see cref="Compute"/>.</summary>
public static class LionExtensions
{
    /// <summary>Moves a parameter by one Lion step along its gradient; updates the mean in place.</summary>
    public static unsafe void Lion(this Compute compute, Tensor parameter, Tensor gradient, Tensor mean,
        LionNumbers numbers)
    {
        UpdateTensors.Check("lion", parameter, gradient, mean);
        compute.ForEach((nint)parameter.Length, new LionKernel(gradient.Pointer, numbers, parameter.Pointer,
            mean.Pointer));
        GC.KeepAlive(parameter); // the kernel had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(mean);
    }
}
