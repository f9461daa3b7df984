namespace Nano;

/// <summary>
/// The state that a run needs besides its model to resume as if it had never stopped; a checkpoint
/// stores it. The data of a step is a function of its number.
/// </summary>
/// <param name="Options">The options of the run.</param>
/// <param name="Data">Values that identify its data: a run is only resumed with equal ones.</param>
/// <param name="Tensors">The optimizer's state and what else has elements, by name; loading fills them.</param>
public sealed record RunState(TrainOptions Options, IReadOnlyDictionary<string, string> Data,
    IReadOnlyList<(string Name, Tensor Tensor)> Tensors)
{
    private const string BestLoss = "best_val_loss";

    /// <summary>Updates done.</summary>
    public long Step { get; set; }

    /// <summary>Numbers that a run carries from step to step, exact to the last bit; loading replaces them.</summary>
    public SortedDictionary<string, double> Numbers { get; } = new(StringComparer.Ordinal);

    /// <summary>The values that decide the run's results, by name.</summary>
    public SortedDictionary<string, string> Describe() =>
        new(Options.Describe().Concat(Data).ToDictionary(), StringComparer.Ordinal);

    /// <summary>Records a validation loss and returns true if it is the lowest so far.</summary>
    public bool IsBest(double validationLoss)
    {
        if (!(validationLoss < Numbers.GetValueOrDefault(BestLoss, double.PositiveInfinity)))
            return false;
        Numbers[BestLoss] = validationLoss;
        return true;
    }

    /// <summary>
    /// The differences that prevent a saved run from resuming as this one: every option that
    /// differs, with two exceptions that change nothing. A batch may be split into other
    /// micro-batches; and the number of steps may change if the learning rate of every step so far
    /// stays the same.
    /// </summary>
    public IReadOnlyList<string> DifferencesFrom(RunState saved)
    {
        var (was, now) = (saved.Describe(), Describe());
        bool sameRows = (long)saved.Options.Batch * saved.Options.Accumulate
            == (long)Options.Batch * Options.Accumulate;
        bool SameRates() => saved.Step <= Options.Steps
            && Enumerable.Range(0, (int)saved.Step)
                .All(step => saved.Options.LearningRateAt(step) == Options.LearningRateAt(step));
        bool MayDiffer(string key) => key switch
        {
            "batch" or "accumulate" => sameRows,
            "steps" => SameRates(),
            _ => false,
        };
        var differences = was.Keys.Union(now.Keys)
            .Where(key => was.GetValueOrDefault(key) != now.GetValueOrDefault(key) && !MayDiffer(key))
            .Select(key => $"{key} was {was.GetValueOrDefault(key, "not set")} and is now "
            + $"{now.GetValueOrDefault(key, "not set")}{Reason(key, saved.Step)}").ToList();
        if (sameRows && saved.Options.EvalRows != Options.EvalRows && saved.Options.EvalBatches == Options.EvalBatches)
            differences.Add($"eval_rows was {saved.Options.EvalRows} and is now {Options.EvalRows}");
        return differences;
    }

    private static string Reason(string key, long done) =>
        key == "steps" ? $" (the learning rates of the {done} steps done depend on it)" : "";
}
