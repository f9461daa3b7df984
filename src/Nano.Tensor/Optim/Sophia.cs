using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Sophia-G (Liu et al., "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model
/// Pre-training", 2023, algorithms 2 and 3): m = b1 m + (1 - b1) g; every ten steps h = b2 h + (1 -
/// b2) n e^2, where e is the gradient of the mean loss of n tokens whose labels are drawn from the
/// model's own predictions (the Gauss-Newton-Bartlett estimate of the Hessian's diagonal); p = p (1
/// - lr wd) - lr clip(m / max(rho h, eps), 1).
/// </summary>
public sealed class Sophia : Optimizer
{
    private const int EstimateInterval = 10;

    private readonly Tensor[] mean, curvature;

    /// <summary>The rule over these parameters.</summary>
    public Sophia(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 9, streams: 6) =>
        (mean, curvature) = (NewState("mean"), NewState("curvature"));

    /// <summary>Every tenth step begins with an estimate of the curvature from labels that the model draws.</summary>
    public override void BeforeStep(Compute compute, Func<long> findGradientsOfDrawnLabels)
    {
        if (StepCount % EstimateInterval != 0)
            return;
        long tokens = findGradientsOfDrawnLabels();
        for (int i = 0; i < Parameters.Count; i++)
            if (Parameters[i].HasGradient)
            {
                compute.SophiaEstimate(curvature[i], Parameters[i].Gradient, tokens, Options.Beta2);
                compute.Profiler?.Lap(Work.Of("sophia estimate", 3 * curvature[i].Length, curvature[i], curvature[i],
                    curvature[i]));
            }
    }

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Sophia(Parameters[index], Parameters[index].Gradient, mean[index], curvature[index],
            new SophiaNumbers(learningRate, Options.Beta1, Options.Rho, Options.Epsilon, Decay(index), gradientScale));
}

/// <summary>The numbers of one Sophia step.</summary>
/// <param name="LearningRate">Step size: the most that an element moves.</param>
/// <param name="Beta1">Decay of the mean of gradients.</param>
/// <param name="Rho">Factor on the curvature.</param>
/// <param name="Epsilon">The least that the mean is divided by.</param>
/// <param name="WeightDecay">Decoupled decay; 0 for biases and norm weights.</param>
/// <param name="GradientScale">Factor on the gradient, from clipping.</param>
public readonly record struct SophiaNumbers(double LearningRate, double Beta1, double Rho, double Epsilon,
    double WeightDecay, double GradientScale);

/// <summary>
/// Sophia in one pass over memory: m = b1 m + (1 - b1) g, p = p (1 - lr wd) - lr clip(m / max(rho
/// h, eps), 1).
/// </summary>
internal readonly unsafe struct SophiaKernel(float* gradient, float* curvature, SophiaNumbers n, float* parameter,
    float* mean) : IElementwise
{
    private readonly float scale = (float)n.GradientScale, keep = (float)n.Beta1, take = (float)(1 - n.Beta1),
        rho = (float)n.Rho, epsilon = (float)n.Epsilon;
    private readonly float shrink = (float)(1 - (n.LearningRate * n.WeightDecay)), back = (float)-n.LearningRate;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V one = S.Splat(1);
        V m = S.Fma(S.Load(mean + i), S.Splat(keep),
            S.Multiply(S.Multiply(S.Load(gradient + i), S.Splat(scale)), S.Splat(take)));
        S.Store(mean + i, m);
        V ratio = S.Divide(m, S.Max(S.Multiply(S.Load(curvature + i), S.Splat(rho)), S.Splat(epsilon)));
        V clipped = S.IfGreater(S.Abs(ratio), one, S.CopySign(one, ratio), ratio);
        S.Store(parameter + i, S.Fma(clipped, S.Splat(back), S.Multiply(S.Load(parameter + i), S.Splat(shrink))));
    }
}

/// <summary>
/// h = b2 h + (1 - b2) n g^2, where g is the mean gradient of n samples with labels that the model
/// drew.
/// </summary>
internal readonly unsafe struct SophiaCurvature(float* gradient, float keep, float take, float* curvature)
    : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V g = S.Load(gradient + i);
        S.Store(curvature + i,
            S.Fma(S.Load(curvature + i), S.Splat(keep), S.Multiply(S.Multiply(g, g), S.Splat(take))));
    }
}

/// <summary>Sophia as a method of <see cref="Compute"/>.</summary>
public static class SophiaExtensions
{
    /// <summary>Moves a parameter by one Sophia step along its gradient; updates the mean in place.</summary>
    public static unsafe void Sophia(this Compute compute, Tensor parameter, Tensor gradient, Tensor mean,
        Tensor curvature, SophiaNumbers numbers)
    {
        UpdateTensors.Check("sophia", parameter, gradient, mean, curvature);
        compute.ForEach((nint)parameter.Length, new SophiaKernel(gradient.Pointer, curvature.Pointer, numbers,
            parameter.Pointer, mean.Pointer));
        GC.KeepAlive(parameter); // the kernel had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(mean);
        GC.KeepAlive(curvature);
    }

    /// <summary>
    /// Takes a new estimate into the curvature: the gradient of the mean loss of so many samples,
    /// whose labels the model drew itself.
    /// </summary>
    public static unsafe void SophiaEstimate(this Compute compute, Tensor curvature, Tensor gradient, long samples,
        double beta2)
    {
        UpdateTensors.CheckGradient("sophia", curvature, gradient);
        compute.ForEach((nint)curvature.Length, new SophiaCurvature(gradient.Pointer, (float)beta2,
            (float)((1 - beta2) * samples), curvature.Pointer));
        GC.KeepAlive(curvature); // the kernel had only addresses
        GC.KeepAlive(gradient);
    }
}
