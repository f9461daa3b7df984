namespace Nano;

/// <summary>
/// A source of per-token losses for evaluation: a model on the CPU or on a device.
/// </summary>
public interface ITokenLosses
{
    /// <summary>The model's sizes.</summary>
    ModelConfig Config { get; }

    /// <summary>
    /// Adds -log p of every target of a batch to a sum, in nats, token by token: how a text is
    /// split into batches then changes no bit of it.
    /// </summary>
    /// <param name="sum">The sum so far.</param>
    /// <param name="B">Rows.</param>
    /// <param name="T">Tokens of a row.</param>
    /// <param name="fill">Fills ids and targets [B, T]; a target of -100 is left out.</param>
    double Add(double sum, int B, int T, Action<Tensor, Tensor> fill);
}

/// <summary>The losses of a model on the processor.</summary>
public sealed class ModelLosses(LanguageModel model, Compute compute) : ITokenLosses
{
    /// <inheritdoc/>
    public ModelConfig Config => model.Config;

    /// <inheritdoc/>
    public double Add(double sum, int B, int T, Action<Tensor, Tensor> fill) => compute.WithoutTape(() =>
    {
        compute.NextStep();
        var shape = new Shape(B, T);
        var (ids, targets) = (compute.New(shape, DType.Int32), compute.New(shape, DType.Int32));
        fill(ids, targets);
        var (_, nll) = model.Loss(compute, ids, targets);
        foreach (float value in nll.Data)
            sum += value;
        return sum;
    });
}
