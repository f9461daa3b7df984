using static System.FormattableString;

namespace Nano;

/// <summary>A step that stood out, and what becomes of it.</summary>
/// <param name="LossScore">Standard deviations of its loss above the mean of the steps before.</param>
/// <param name="NormScore">The score of its gradient norm.</param>
/// <param name="Action">The response.</param>
/// <param name="Reason">The observation, in words.</param>
public sealed record Spike(double LossScore, double NormScore, OnSpike Action, string Reason);

/// <summary>
/// Stands between the gradients of a step and its update. Loss spikes, and what helps: Chowdhery et
/// al., "PaLM", 2022, section 5.1: return to a state from before the spike and skip the batches
/// around it; the same batches seen from another state do no harm. All of it is a function of
/// options and text: the counts are kept in the run's state.
/// </summary>
internal sealed class SpikeGuard : IDisposable
{
    /// <summary>Skipped steps in a row after which skipping is no cure.</summary>
    public const int MostInARow = 10;

    private const string SkippedName = "spikes.skipped", InARowName = "spikes.in_a_row",
        RollbacksName = "spikes.rollbacks", SkippedBatchesName = "spikes.passed_over";

    private readonly StabilityOptions options;
    private readonly ITrainStep trainStep;
    private readonly LossSpikes spikes;
    private readonly RunSnapshot? snapshot;
    private double skipped, inARow;

    public SpikeGuard(StabilityOptions options, ITrainStep trainStep, LanguageModel model,
        IReadOnlyList<(string Name, Tensor Tensor)> state)
    {
        (this.options, this.trainStep, spikes) = (options, trainStep, new LossSpikes(options.SpikeScore));
        snapshot = options.OnSpike == OnSpike.Rollback ? new RunSnapshot(model, state) : null;
    }

    /// <summary>The tensors that a checkpoint stores besides the numbers.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> State => snapshot?.State ?? [];

    /// <summary>Rollbacks so far.</summary>
    public int Rollbacks { get; private set; }

    /// <summary>
    /// True if a step whose values are not finite is treated as a spike instead of ending the run.
    /// </summary>
    public bool Mends => options.OnSpike is OnSpike.Skip or OnSpike.Rollback;

    /// <summary>
    /// Judges the gradients of a step before its update: a spike, whose update is only to be applied if the
    /// action is a warning, or null.
    /// </summary>
    /// <param name="step">Steps done, this one included.</param>
    /// <param name="result">Its loss and gradient norm.</param>
    /// <exception cref="DivergedException">
    /// Too many steps in a row were skipped, or there were too many rollbacks.
    /// </exception>
    public Spike? Judge(long step, StepResult result)
    {
        if (options.OnSpike == OnSpike.Off)
            return null;
        var scores = spikes.Scores(result.Loss, result.GradientNorm);
        bool isSpike = spikes.AreSpike(scores);
        if (!isSpike || options.OnSpike == OnSpike.Warn)
            spikes.Add(result.Loss, result.GradientNorm);
        inARow = isSpike ? inARow + 1 : 0;
        if (!isSpike)
            return null;
        string reason = result.Diverged
            ?? Invariant($"step {step}: the loss of {result.Loss:F4} is {scores.Loss:F1} standard deviations above ")
                + Invariant($"the mean, the gradient norm of {result.GradientNorm:G4} {scores.Norm:F1}");
        RefuseTooMany(reason);
        if (options.OnSpike == OnSpike.Skip)
            skipped++;
        return new Spike(scores.Loss, scores.Norm, options.OnSpike, reason);
    }

    private void RefuseTooMany(string reason)
    {
        if (options.OnSpike == OnSpike.Skip && inARow > MostInARow)
            throw new DivergedException($"{reason}; {MostInARow} steps before it were skipped in a row",
                "the weights have gone astray before: try `on_spike` rollback, or a lower `lr`");
        if (options.OnSpike == OnSpike.Rollback && Rollbacks >= options.MaxRollbacks)
            throw new DivergedException(
                $"{reason}; there have been {Rollbacks} rollbacks, as many as `max_rollbacks` allows",
                "try a lower `lr`, or other data");
    }

    /// <summary>Remembers the run as it is, to return to.</summary>
    public void CaptureSnapshot(RunState state)
    {
        Save(state.Numbers);
        snapshot?.Capture(state);
    }

    /// <summary>
    /// Returns the run to its snapshot and skips the batches from there to the spike; the result is
    /// the step to continue with.
    /// </summary>
    /// <param name="state">The run.</param>
    /// <param name="step">Steps done, the spike included.</param>
    public long Rollback(RunState state, long step)
    {
        int rollbacks = Rollbacks + 1;
        snapshot!.Restore(state);
        long skippedBatches = trainStep.SkippedBatches + step - state.Step;
        Load(state);
        trainStep.FromHost();
        (Rollbacks, trainStep.SkippedBatches) = (rollbacks, skippedBatches);
        return state.Step;
    }

    /// <summary>Puts its state under names of its own, if it has any part in the run.</summary>
    public void Save(IDictionary<string, double> numbers)
    {
        if (options.OnSpike == OnSpike.Off)
            return;
        spikes.Save(numbers);
        (numbers[SkippedName], numbers[InARowName], numbers[RollbacksName], numbers[SkippedBatchesName]) =
            (skipped, inARow, Rollbacks, trainStep.SkippedBatches);
    }

    /// <summary>
    /// Takes what <see cref="Save"/> put there, and counts the optimizer's updates: all steps but
    /// those skipped.
    /// </summary>
    public void Load(RunState state)
    {
        double Of(string name) => state.Numbers.GetValueOrDefault(name);
        spikes.Load(state.Numbers);
        (skipped, inARow, Rollbacks, trainStep.SkippedBatches) =
            (Of(SkippedName), Of(InARowName), (int)Of(RollbacksName), (long)Of(SkippedBatchesName));
        trainStep.Optimizer.StepCount = state.Step - (long)skipped;
    }

    public void Dispose() => snapshot?.Dispose();
}
