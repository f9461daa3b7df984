namespace Nano;

/// <summary>
/// Sophia-G (Liu et al., "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training", 2023, algorithms 2 and 3): m = b1 m + (1 - b1) g;
/// every ten steps h = b2 h + (1 - b2) n e^2, where e is the gradient of the mean loss of n tokens whose labels are drawn from the model's own predictions
/// (the Gauss-Newton-Bartlett estimate of the Hessian's diagonal); p = p (1 - lr wd) - lr clip(m / max(rho h, eps), 1).
/// </summary>
public sealed class Sophia : Optimizer
{
    private const int EstimateInterval = 10;

    private readonly Tensor[] mean, curvature;

    /// <summary>The rule over these parameters.</summary>
    public Sophia(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 9, streams: 6) =>
        (mean, curvature) = (NewState("mean"), NewState("curvature"));

    /// <summary>Whether the next step begins with an estimate.</summary>
    public bool EstimateIsDue => StepCount % EstimateInterval == 0;

    /// <summary>Takes in an estimate: the parameters' gradients are those of the mean loss of so many tokens with labels that the model drew.</summary>
    public void Estimate(Compute compute, long tokens)
    {
        for (int i = 0; i < Parameters.Count; i++)
            if (Parameters[i].HasGradient)
            {
                compute.SophiaEstimate(curvature[i], Parameters[i].Gradient, tokens, Options.Beta2);
                compute.Profiler?.Lap(Work.Of("sophia estimate", 3 * curvature[i].Length, curvature[i], curvature[i], curvature[i]));
            }
    }

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale) =>
        compute.Sophia(Parameters[index], Parameters[index].Gradient, mean[index], curvature[index],
            new SophiaNumbers(learningRate, Options.Beta1, Options.Rho, Options.Epsilon, Decay(index), gradientScale));
}
