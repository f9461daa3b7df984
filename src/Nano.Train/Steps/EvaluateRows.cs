namespace Nano;

/// <summary>Mean loss of a model on rows of a validation text, in nats per token.</summary>
public static class EvaluateRows
{
    /// <summary>
    /// Over the same random rows every time (a function of seed and purpose), so that evaluations
    /// of one run can be compared. How many rows the loader gives at once changes no bit.
    /// </summary>
    public static double OnRandomRows(ITokenLosses losses, BatchLoader loader, long rows, ulong seed,
        RandomPurpose purpose)
    {
        int B = loader.Batch, T = loader.Time;
        double sum = 0;
        long kept = 0;
        for (long batch = 0; batch * B < rows; batch++)
            sum = losses.Add(sum, B, T, (ids, targets) =>
            {
                loader.Random(seed, purpose, batch, ids, targets);
                if (rows - (batch * B) is var left && left < B)
                    targets.Ids[((int)left * T)..].Fill(UpdateBatch.Ignored);
                kept += targets.Ids.Length - targets.Ids.Count(UpdateBatch.Ignored);
            });
        return sum / kept;
    }

    /// <summary>
    /// Over the whole text in windows of T without overlap, the last of which may be shorter: the
    /// bits of <see cref="Evaluate.OnText"/> with a stride of T.
    /// </summary>
    public static double OnAll(ITokenLosses losses, BatchLoader loader)
    {
        double sum = 0;
        for (long first = 0; first < loader.WindowCount; first += loader.Batch)
            sum = losses.Add(sum, loader.Batch, loader.Time, (ids, targets) => loader.InOrder(first, ids, targets));
        if (loader.TailLength > 0)
            sum = losses.Add(sum, 1, loader.TailLength, loader.Tail);
        return sum / (loader.TokenCount - 1);
    }
}
