namespace Nano;

/// <summary>What happens to a step whose loss or gradient norm is far beyond what the run has seen (see <see cref="LossSpikes"/>).</summary>
public enum OnSpike
{
    /// <summary>Nobody looks.</summary>
    Off,

    /// <summary>It is reported.</summary>
    Warn,

    /// <summary>Its update is not applied; the run goes on with the next batch.</summary>
    Skip,

    /// <summary>The run returns to its last evaluation, and passes over the data from there to the spike.</summary>
    Rollback,
}

/// <summary>What watches over a run. All of it is off unless asked for.</summary>
public sealed record StabilityOptions
{
    /// <summary>The answer to a spike.</summary>
    public OnSpike OnSpike { get; init; }

    /// <summary>How many standard deviations above the mean make a spike.</summary>
    public double SpikeScore { get; init; } = 6;

    /// <summary>Rollbacks of one run before it ends with an error.</summary>
    public int MaxRollbacks { get; init; } = 10;

    /// <summary>Decay of the running mean of the weights that is evaluated and sampled from (see <see cref="WeightAverage"/>); 0 keeps none.</summary>
    public double AverageDecay { get; init; }

    /// <summary>Evaluations without a better validation loss after which the run ends; 0 never ends it.</summary>
    public int Patience { get; init; }

    /// <summary>How much lower a validation loss must be to count as better, in nats per token.</summary>
    public double MinDelta { get; init; }
}
