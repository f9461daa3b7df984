using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// AdaGrad (Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and
/// Stochastic Optimization", 2011, diagonal form): s = s + g^2, p = p - lr g / (sqrt(s) + eps).
/// Decay, if any, is L2: wd p is part of g.
/// </summary>
public sealed class AdaGrad : Optimizer
{
    private readonly Tensor[] square;

    /// <summary>The rule over these parameters.</summary>
    public AdaGrad(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 9, streams: 5) => square = NewState("square");

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.AdaGrad(Parameters[index], Parameters[index].Gradient, square[index],
            new AdaGradNumbers(learningRate, 1, 1, Options.Epsilon, Decay(index), gradientScale));
}

/// <summary>The numbers of one step of AdaGrad or RMSProp.</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Keep">The share of the sum of squares that is retained.</param>
/// <param name="Take">The weight of the new square.</param>
/// <param name="Epsilon">Added to the root.</param>
/// <param name="WeightDecay">Added to the gradient times the parameter; 0 for biases and norm weights.</param>
/// <param name="GradientScale">Factor on the gradient, from clipping.</param>
public readonly record struct AdaGradNumbers(double LearningRate, double Keep, double Take, double Epsilon,
    double WeightDecay, double GradientScale);

/// <summary>
/// AdaGrad (keep 1, take 1) and RMSProp (keep b, take 1 - b) in one pass over memory: g' = g + wd
/// p, s = keep s + take g'^2, p = p - lr g' / (sqrt(s) + eps).
/// </summary>
internal readonly unsafe struct AdaGradKernel(float* gradient, AdaGradNumbers n, float* parameter, float* square)
    : IElementwise
{
    private readonly float scale = (float)n.GradientScale, decay = (float)n.WeightDecay, keep = (float)n.Keep,
        take = (float)n.Take;
    private readonly float epsilon = (float)n.Epsilon, rate = (float)n.LearningRate;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V p = S.Load(parameter + i);
        V g = S.Fma(p, S.Splat(decay), S.Multiply(S.Load(gradient + i), S.Splat(scale)));
        V s = S.Fma(S.Load(square + i), S.Splat(keep), S.Multiply(S.Multiply(g, g), S.Splat(take)));
        S.Store(square + i, s);
        S.Store(parameter + i,
            S.Subtract(p, S.Divide(S.Multiply(g, S.Splat(rate)), S.Add(S.Sqrt(s), S.Splat(epsilon)))));
    }
}

/// <summary>AdaGrad as a method of <see cref="Compute"/>.</summary>
public static class AdaGradExtensions
{
    /// <summary>
    /// Moves a parameter by one step of AdaGrad or RMSProp along its gradient; updates the squares
    /// in place.
    /// </summary>
    public static unsafe void AdaGrad(this Compute compute, Tensor parameter, Tensor gradient, Tensor square,
        AdaGradNumbers numbers)
    {
        UpdateTensors.Check("adagrad", parameter, gradient, square);
        compute.ForEach((nint)parameter.Length, new AdaGradKernel(gradient.Pointer, numbers, parameter.Pointer,
            square.Pointer));
        GC.KeepAlive(parameter); // the kernel had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(square);
    }
}
