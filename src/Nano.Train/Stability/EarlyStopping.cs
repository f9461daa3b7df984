namespace Nano;

/// <summary>
/// Ends a run that no longer improves (Prechelt, "Early stopping, but when?", 1998, the criterion
/// UP counted from the best evaluation): after <c>patience</c>
/// evaluations in a row whose validation loss is not below the lowest one by more than the least improvement.
/// </summary>
public sealed class EarlyStopping(int patience, double minDelta)
{
    private const string BestName = "patience.best", WaitedName = "patience.waited";

    private double best = double.PositiveInfinity, waited;

    /// <summary>True if the run should end.</summary>
    public bool IsOver => patience > 0 && waited >= patience;

    /// <summary>Takes the validation loss of an evaluation.</summary>
    public void Observe(double loss)
    {
        if (loss < best - minDelta)
            (best, waited) = (loss, 0);
        else
            waited++;
    }

    /// <summary>Puts its state under names of its own, if it has any part in the run.</summary>
    public void Save(IDictionary<string, double> numbers)
    {
        if (patience > 0)
            (numbers[BestName], numbers[WaitedName]) = (best, waited);
    }

    /// <summary>Takes what <see cref="Save"/> put there.</summary>
    public void Load(IReadOnlyDictionary<string, double> numbers) =>
        (best, waited) = (numbers.GetValueOrDefault(BestName, double.PositiveInfinity),
            numbers.GetValueOrDefault(WaitedName));
}
