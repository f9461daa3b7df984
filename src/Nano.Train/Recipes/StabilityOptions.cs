namespace Nano;

/// <summary>
/// The reaction to a step whose loss or gradient norm is far above the run's own history (see
/// <see cref="LossSpikes"/>).
/// </summary>
public enum OnSpike
{
    /// <summary>Spikes are not detected.</summary>
    Off,

    /// <summary>It is reported.</summary>
    Warn,

    /// <summary>Its update is not applied; the run continues with the next batch.</summary>
    Skip,

    /// <summary>
    /// The run returns to its last evaluation and skips the batches from there to the spike.
    /// </summary>
    Rollback,
}

/// <summary>Options of a run's safeguards, all off by default.</summary>
public sealed record StabilityOptions
{
    /// <summary>The answer to a spike.</summary>
    public OnSpike OnSpike { get; init; }

    /// <summary>Number of standard deviations above the mean that make a spike.</summary>
    public double SpikeScore { get; init; } = 6;

    /// <summary>Rollbacks of one run before it ends with an error.</summary>
    public int MaxRollbacks { get; init; } = 10;

    /// <summary>
    /// Decay of the running mean of the weights that is evaluated and sampled from (see
    /// <see cref="WeightAverage"/>); 0 keeps none.
    /// </summary>
    public double AverageDecay { get; init; }

    /// <summary>Evaluations without a better validation loss after which the run ends; 0 never ends it.</summary>
    public int Patience { get; init; }

    /// <summary>
    /// The improvement that a validation loss must make to count as better, in nats per token.
    /// </summary>
    public double MinDelta { get; init; }
}
