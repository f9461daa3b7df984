namespace Nano;

/// <summary>Mean loss of a model on text it does not learn from, in nats per token.</summary>
public static class Evaluate
{
    /// <summary>Over the same random batches every time (a function of seed and purpose), so that evaluations of one run can be compared.</summary>
    public static double OnRandomBatches(LanguageModel model, Compute compute, BatchLoader loader, int batches, ulong seed, RandomPurpose purpose)
    {
        double sum = 0;
        for (int i = 0; i < batches; i++)
            sum += Loss(model, compute, loader, (ids, targets) => loader.Random(seed, purpose, i, ids, targets));
        return sum / ((double)batches * loader.Batch * loader.Time);
    }

    /// <summary>Over the whole text in windows of T without overlap.</summary>
    public static double OnAll(LanguageModel model, Compute compute, BatchLoader loader)
    {
        double sum = 0;
        for (int first = 0; first < loader.WindowCount; first += loader.Batch)
            sum += Loss(model, compute, loader, (ids, targets) => loader.InOrder(first, ids, targets));
        return sum / ((double)loader.WindowCount * loader.Time);
    }

    /// <summary>The summed loss of one batch.</summary>
    private static double Loss(LanguageModel model, Compute compute, BatchLoader loader, Action<Tensor, Tensor> fill) => compute.WithoutTape(() =>
    {
        compute.NextStep();
        var shape = new Shape(loader.Batch, loader.Time);
        var (ids, targets) = (compute.New(shape, DType.Int32), compute.New(shape, DType.Int32));
        fill(ids, targets);
        var (_, nll) = model.Loss(compute, ids, targets);
        double sum = 0;
        foreach (float value in nll.Data)
            sum += value;
        return sum;
    });
}
