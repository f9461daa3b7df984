using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Stochastic gradient descent with Polyak's momentum ("Some methods of speeding up the convergence
/// of iteration methods", 1964): b = mu b + g, p = p - lr b; or Nesterov's, in the form of Bengio,
/// Boulanger-Lewandowski and Pascanu ("Advances in Optimizing Recurrent Networks", 2013): p = p -
/// lr (g + mu b). Without momentum there is no state. Decay, if any, is L2: wd p is part of g.
/// </summary>
public sealed class Sgd : Optimizer
{
    private readonly Tensor[]? velocity;

    /// <summary>The rule over these parameters.</summary>
    public Sgd(IReadOnlyList<Tensor> parameters, OptimizerOptions options)
        : base(parameters, options, flops: 6, streams: options.Momentum == 0 ? 3 : 5) =>
        velocity = options.Momentum == 0 ? null : NewState("velocity");

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Sgd(Parameters[index], Parameters[index].Gradient, velocity?[index],
            new SgdNumbers(learningRate, Options.Momentum, Options.Nesterov, Decay(index), gradientScale));
}

/// <summary>The numbers of one step of gradient descent.</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Momentum">The momentum factor: the share of the velocity that is retained.</param>
/// <param name="Nesterov">Whether the step looks ahead along the new velocity.</param>
/// <param name="WeightDecay">Added to the gradient times the parameter; 0 for biases and norm weights.</param>
/// <param name="GradientScale">Factor on the gradient, from clipping.</param>
public readonly record struct SgdNumbers(double LearningRate, double Momentum, bool Nesterov, double WeightDecay,
    double GradientScale);

/// <summary>
/// Gradient descent in one pass over memory: g' = g + wd p, b = mu b + g', p = p - lr d with d = b,
/// or g' + mu b for Nesterov's look ahead, or g' where there is no velocity b.
/// </summary>
internal readonly unsafe struct SgdKernel(float* gradient, SgdNumbers n, float* parameter, float* velocity)
    : IElementwise
{
    private readonly float scale = (float)n.GradientScale, decay = (float)n.WeightDecay, keep = (float)n.Momentum,
        back = (float)-n.LearningRate;
    private readonly bool nesterov = n.Nesterov;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V p = S.Load(parameter + i);
        V g = S.Fma(p, S.Splat(decay), S.Multiply(S.Load(gradient + i), S.Splat(scale))), direction = g;
        if (velocity != null)
        {
            V b = S.Fma(S.Load(velocity + i), S.Splat(keep), g);
            S.Store(velocity + i, b);
            direction = nesterov ? S.Fma(b, S.Splat(keep), g) : b;
        }
        S.Store(parameter + i, S.Fma(direction, S.Splat(back), p));
    }
}

/// <summary>Sgd as a method of <see cref="Compute"/>.</summary>
public static class SgdExtensions
{
    /// <summary>
    /// Moves a parameter by one step of gradient descent; updates the velocity in place, or has
    /// none (null).
    /// </summary>
    public static unsafe void Sgd(this Compute compute, Tensor parameter, Tensor gradient, Tensor? velocity,
        SgdNumbers numbers)
    {
        if (velocity is null)
            UpdateTensors.Check("sgd", parameter, gradient);
        else
            UpdateTensors.Check("sgd", parameter, gradient, velocity);
        compute.ForEach((nint)parameter.Length, new SgdKernel(gradient.Pointer, numbers, parameter.Pointer,
            velocity is null ? null : velocity.Pointer));
        GC.KeepAlive(parameter); // the kernel had only addresses
        GC.KeepAlive(gradient);
        GC.KeepAlive(velocity);
    }
}
