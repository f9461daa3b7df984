using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2): m =
/// b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p = p (1 - lr wd) - lr (m / (1 - b1^t)) / (sqrt(v /
/// (1 - b2^t)) + eps).
/// </summary>
public sealed class AdamW : Optimizer
{
    private readonly Tensor[] mean, square;
    private readonly JoinedKernels<ElementwiseLoop<AdamWKernel>> kernels;

    /// <summary>The rule over these parameters.</summary>
    public AdamW(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 15, streams: 7)
    {
        (mean, square) = (NewState("mean"), NewState("square"));
        kernels = new JoinedKernels<ElementwiseLoop<AdamWKernel>>(Parameters.Count);
    }

    /// <summary>Updates all parameters in a single job.</summary>
    protected override void UpdateAll(Compute compute, double learningRate, double gradientScale)
    {
        long elements = 0;
        for (int i = 0; i < Parameters.Count; i++)
            if (Parameters[i].HasGradient)
            {
                Update(compute, i, learningRate, gradientScale);
                elements += Parameters[i].Length;
            }
        kernels.Run(compute, Compute.ElementsPerChunk);
        compute.Profiler?.Lap(WorkOf(elements));
    }

    /// <summary>Adds the update of a parameter to the job.</summary>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        kernels.Add(AdamWExtensions.Kernel(Parameters[index], Parameters[index].Gradient, mean[index], square[index],
            MomentNumbers(index, learningRate, gradientScale)), (nint)Parameters[index].Length);
}

/// <summary>The numbers of one AdamW step.</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Beta1">Decay of the mean of gradients.</param>
/// <param name="Beta2">Decay of the mean of squared gradients.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">Decoupled decay; 0 for biases and norm weights.</param>
/// <param name="GradientScale">Factor on the gradient, from clipping.</param>
/// <param name="Step">1 for the first step; corrects the bias of moments that start at zero.</param>
public readonly record struct AdamWNumbers(double LearningRate, double Beta1, double Beta2, double Epsilon,
    double WeightDecay, double GradientScale, long Step)
{
    /// <summary>The bias-correction factor of the mean.</summary>
    internal float MeanCorrection => (float)(1 / (1 - Math.Pow(Beta1, Step)));

    /// <summary>The bias-correction factor of the root of the second moment.</summary>
    internal float RootCorrection => (float)(1 / Math.Sqrt(1 - Math.Pow(Beta2, Step)));

    /// <summary>The step size, the mean's bias taken out.</summary>
    internal float Rate => (float)(LearningRate / (1 - Math.Pow(Beta1, Step)));

    /// <summary>
    /// The factor that weight decay applies to a weight: 1 - learning rate * weight decay.
    /// </summary>
    internal float Shrink => (float)(1 - (LearningRate * WeightDecay));
}

/// <summary>
/// AdamW in one pass over memory (Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
/// 2019): m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, p = p (1 - lr wd) - lr (m / (1 - b1^t)) /
/// (sqrt(v / (1 - b2^t)) + eps).
/// </summary>
internal readonly unsafe struct AdamWKernel(float* gradient, AdamWNumbers n, float* parameter, float* mean,
    float* square) : IElementwise
{
    private readonly float scale = (float)n.GradientScale;
    private readonly float keep1 = (float)n.Beta1, take1 = (float)(1 - n.Beta1), keep2 = (float)n.Beta2,
        take2 = (float)(1 - n.Beta2);
    private readonly float shrink = n.Shrink;
    private readonly float rate = n.Rate;
    private readonly float rootCorrection = n.RootCorrection;
    private readonly float epsilon = (float)n.Epsilon;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V g = S.Multiply(S.Load(gradient + i), S.Splat(scale));
        V m = S.Fma(S.Load(mean + i), S.Splat(keep1), S.Multiply(g, S.Splat(take1)));
        V v = S.Fma(S.Load(square + i), S.Splat(keep2), S.Multiply(S.Multiply(g, g), S.Splat(take2)));
        S.Store(mean + i, m);
        S.Store(square + i, v);
        V root = S.Fma(S.Sqrt(v), S.Splat(rootCorrection), S.Splat(epsilon));
        V step = S.Divide(S.Multiply(m, S.Splat(rate)), root);
        S.Store(parameter + i, S.Subtract(S.Multiply(S.Load(parameter + i), S.Splat(shrink)), step));
    }
}

/// <summary>AdamW as a method of <see cref="Compute"/>.</summary>
public static class AdamWExtensions
{
    /// <summary>
    /// Moves a parameter by one AdamW step along its gradient; updates both moments in place. All
    /// four have one shape.
    /// </summary>
    public static unsafe void AdamW(this Compute compute, Tensor parameter, Tensor gradient, Tensor mean, Tensor square,
        AdamWNumbers numbers)
    {
        compute.For((nint)parameter.Length, Compute.ElementsPerChunk, 0,
            Kernel(parameter, gradient, mean, square, numbers));
        // The kernel holds bare pointers: nobody else may hold these tensors, and the collector must not free
        // them meanwhile.
        GC.KeepAlive(parameter);
        GC.KeepAlive(gradient);
        GC.KeepAlive(mean);
        GC.KeepAlive(square);
    }

    /// <summary>The kernel of such a step.</summary>
    internal static unsafe ElementwiseLoop<AdamWKernel> Kernel(Tensor parameter, Tensor gradient, Tensor mean,
        Tensor square, AdamWNumbers numbers)
    {
        UpdateTensors.Check("adamw", parameter, gradient, mean, square);
        return new(new(gradient.Pointer, numbers, parameter.Pointer, mean.Pointer, square.Pointer),
            Compute.WorthStreaming(parameter.Length));
    }
}
