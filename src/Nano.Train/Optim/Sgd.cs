namespace Nano;

/// <summary>
/// Stochastic gradient descent with Polyak's momentum ("Some methods of speeding up the convergence of iteration methods", 1964): b = mu b + g, p = p - lr b;
/// or Nesterov's, in the form of Bengio, Boulanger-Lewandowski and Pascanu ("Advances in Optimizing Recurrent Networks", 2013): p = p - lr (g + mu b).
/// Without momentum there is no state. Decay, if any, is L2: wd p is part of g.
/// </summary>
public sealed class Sgd : Optimizer
{
    private readonly Tensor[]? velocity;

    /// <summary>The rule over these parameters.</summary>
    public Sgd(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 6, streams: options.Momentum == 0 ? 3 : 5) =>
        velocity = options.Momentum == 0 ? null : NewState("velocity");

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Sgd(Parameters[index], Parameters[index].Gradient, velocity?[index], new SgdNumbers(learningRate, Options.Momentum, Options.Nesterov, Decay(index), gradientScale));
}
