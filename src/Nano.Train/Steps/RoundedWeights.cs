namespace Nano;

/// <summary>
/// The matrices in a model's blocks that are rounded to the numbers of a type while losses and gradients are computed,
/// and have their own values otherwise: updates move these. See <see cref="FakeQuantiseExtensions"/>.
/// </summary>
internal sealed class RoundedWeights : IDisposable
{
    private readonly Arena arena = new();
    private readonly List<(Tensor Weights, Tensor Kept, Tensor Steps, WeightType Type)> matrices = [];

    /// <summary>Reserves memory for the values of the matrices.</summary>
    /// <param name="model">The model.</param>
    /// <param name="type">The type; matrices with other rows get the one that quantising falls back to.</param>
    /// <exception cref="NanoException">No matrix has rows of whole blocks.</exception>
    public RoundedWeights(LanguageModel model, WeightType type)
    {
        foreach (Tensor weights in model.Parameters.All.Where(parameter => parameter.Parameter!.IsInner
            && parameter.Shape.Rank == 2))
        {
            WeightType fitting = QuantMix.Fitting(type, weights.Shape[1]);
            if (WeightTypes.IsQuantised(fitting))
                matrices.Add((weights, new Tensor(arena, weights.Shape),
                    new Tensor(arena, new Shape(weights.Shape[0], weights.Shape[1] / FakeQuantiseExtensions.Part)),
                    fitting));
        }
        if (matrices.Count == 0)
            throw new NanoException($"no matrix of the model has rows of whole blocks of {type}",
                "make the channels a multiple of 32, or leave `fake_quant` out");
    }

    /// <summary>Bytes held.</summary>
    public long ReservedBytes => arena.ReservedBytes;

    /// <summary>Rounds the matrices.</summary>
    public void Round(Compute compute)
    {
        foreach (var (weights, kept, steps, type) in matrices)
            compute.FakeQuantise(weights, kept, steps, type);
    }

    /// <summary>Turns the gradients of rounded matrices into those of their own values.</summary>
    public void Backward(Compute compute)
    {
        foreach (var (weights, kept, steps, _) in matrices)
            if (weights.WantsGradient)
                compute.FakeQuantiseBackward(kept, weights, steps, weights.Gradient);
    }

    /// <summary>Gives the matrices their own values again.</summary>
    public void Restore(Compute compute)
    {
        if (compute.OnlyPlans)
            return;
        foreach (var (weights, kept, _, _) in matrices)
            weights.CopyFrom(kept);
    }

    /// <inheritdoc/>
    public void Dispose() => arena.Dispose();
}

/// <summary>The losses of a model whose matrices are rounded.</summary>
internal sealed class RoundedLosses(LanguageModel model, Compute compute, RoundedWeights rounded) : ITokenLosses
{
    private readonly ModelLosses losses = new(model, compute);

    /// <inheritdoc/>
    public ModelConfig Config => model.Config;

    /// <inheritdoc/>
    public double Add(double sum, int B, int T, Action<Tensor, Tensor> fill)
    {
        rounded.Round(compute);
        try
        {
            return losses.Add(sum, B, T, fill);
        }
        finally
        {
            rounded.Restore(compute);
        }
    }
}
