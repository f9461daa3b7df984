namespace Nano;

/// <summary>
/// Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024) for the matrices of the blocks: b = mu b + g, u = g + mu b (Nesterov) or b,
/// O = u with its singular values brought near 1 by five steps of Newton and Schulz (<see cref="NewtonSchulzExtensions"/>), and, so that one learning rate serves all,
/// p = p (1 - lr wd) - lr 0.2 sqrt(max(rows, columns)) O (Liu et al., "Muon is Scalable for LLM Training", 2025, equation 4). Queries, keys and values that lie
/// above each other in one matrix are three. Embeddings, head and vectors take <see cref="AdamW"/>'s step.
/// </summary>
public sealed class Muon : Optimizer
{
    private readonly Tensor[] first; // velocity, or AdamW's mean
    private readonly Tensor?[] square;

    /// <summary>The rule over these parameters.</summary>
    public Muon(IReadOnlyList<Tensor> parameters, OptimizerOptions options) : base(parameters, options, flops: 7, streams: 8)
    {
        (first, square) = (new Tensor[parameters.Count], new Tensor?[parameters.Count]);
        for (int i = 0; i < parameters.Count; i++)
        {
            bool inner = parameters[i].Shape.Rank == 2 && GradientNorm.Group(parameters[i].Name ?? "").StartsWith("block", StringComparison.Ordinal);
            first[i] = NewState(i, inner ? "velocity" : "mean", parameters[i].Shape);
            square[i] = inner ? null : NewState(i, "square", parameters[i].Shape);
        }
    }

    /// <inheritdoc/>
    protected override void Update(Compute compute, int index, double learningRate, double gradientScale)
    {
        var parameter = Parameters[index];
        if (square[index] is { } squares)
            compute.AdamW(parameter, parameter.Gradient, first[index], squares,
                new AdamWNumbers(learningRate, Options.Beta1, Options.Beta2, Options.Epsilon, Decay(index), gradientScale, StepCount));
        else
            compute.Muon(parameter, parameter.Gradient, first[index], parameter.Name!.EndsWith("attn.c_attn.weight", StringComparison.Ordinal) ? 3 : 1,
                new SgdNumbers(learningRate, Options.Momentum, Options.Nesterov, Decay(index), gradientScale));
    }
}
