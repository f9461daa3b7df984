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
    public double Add(double sum, int B, int T, Action<Tensor, Tensor> fill) =>
        Add(model, compute, sum, (B, T), fill, new());

    internal static double Add(LanguageModel model, Compute compute, double sum, (int B, int T) sizes,
        Action<Tensor, Tensor> fill, Pass pass) => compute.WithoutTape(() =>
    {
        compute.NextStep();
        var shape = new Shape(sizes.B, sizes.T);
        var (ids, targets) = (compute.New(shape, DType.Int32), compute.New(shape, DType.Int32));
        fill(ids, targets);
        var (_, nll) = model.Loss(compute, ids, targets, pass: pass);
        foreach (float value in nll.Data)
            sum += value;
        return sum;
    });
}

/// <summary>The losses of a model whose keys and values are rounded as in a cache of fewer bits.</summary>
/// <param name="model">The model.</param>
/// <param name="compute">The context to run in.</param>
/// <param name="type">One of <see cref="KvCache.Types"/>; heads must be whole blocks of it.</param>
public sealed class CachedLosses(LanguageModel model, Compute compute, WeightType type) : ITokenLosses, IDisposable
{
    private KvCache? cache; // of the rows and positions of the last batch

    /// <inheritdoc/>
    public ModelConfig Config => model.Config;

    /// <inheritdoc/>
    public double Add(double sum, int B, int T, Action<Tensor, Tensor> fill)
    {
        if (cache?.Rows != B || cache.Capacity != T)
        {
            cache?.Dispose();
            cache = null;
            cache = Config.NewCache(B, T, type);
        }
        cache.Clear();
        return ModelLosses.Add(model, compute, sum, (B, T), fill, new() { Cache = cache });
    }

    /// <inheritdoc/>
    public void Dispose() => cache?.Dispose();
}
