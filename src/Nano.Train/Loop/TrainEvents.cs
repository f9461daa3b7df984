namespace Nano;

/// <summary>An event of a run.</summary>
/// <param name="Step">Steps done.</param>
public abstract record TrainEvent(long Step);

/// <summary>The model that the run starts from was evaluated before the first step.</summary>
/// <param name="ValLoss">Its loss over the whole validation split, as <see cref="Finished"/> has it.</param>
public sealed record Started(double ValLoss) : TrainEvent(0);

/// <summary>One update is done. Step counts from 1.</summary>
/// <param name="Step">Steps done, this one included.</param>
/// <param name="Result">Loss and gradient norm before the update.</param>
/// <param name="LearningRate">The learning rate of the update.</param>
/// <param name="Milliseconds">The time it took.</param>
public sealed record StepDone(long Step, StepResult Result, double LearningRate, double Milliseconds)
    : TrainEvent(Step);

/// <summary>A step was a spike.</summary>
/// <param name="Step">Steps done, the spike included.</param>
/// <param name="Spike">The observation and the response.</param>
/// <param name="BackTo">The step that a rollback returned to, otherwise the step.</param>
public sealed record SpikeFound(long Step, Spike Spike, long BackTo) : TrainEvent(Step);

/// <summary>
/// The model was evaluated on random batches of both splits, a sample was drawn and a checkpoint saved.
/// </summary>
/// <param name="Step">Steps done.</param>
/// <param name="TrainLoss">Mean loss over batches of the training split.</param>
/// <param name="ValLoss">Mean loss over batches of the validation split.</param>
/// <param name="Sample">Text of the model.</param>
/// <param name="Checkpoint">The folder that was saved.</param>
/// <param name="Verdict">The run so far, beside what its recipe is known to do.</param>
public sealed record Evaluated(
    long Step, double TrainLoss, double ValLoss, string Sample, string Checkpoint, RunVerdict Verdict)
    : TrainEvent(Step);

/// <summary>
/// A checkpoint that would have been deleted holds files of others; its folder stays under this name.
/// </summary>
/// <param name="Step">Steps done.</param>
/// <param name="Folder">The new name.</param>
public sealed record FilesKept(long Step, string Folder) : TrainEvent(Step);

/// <summary>The run is over.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="TrainLoss">Loss of the last step.</param>
/// <param name="ValLoss">Loss over the whole validation split; NaN if the run was interrupted.</param>
/// <param name="Seconds">Time of training and evaluation in this process.</param>
/// <param name="Tokens">Tokens trained on in this process.</param>
/// <param name="Checkpoint">The newest checkpoint.</param>
/// <param name="Interrupted">Whether it was asked to stop before its end.</param>
/// <param name="Verdict">The run beside what its recipe is known to do.</param>
public sealed record Finished(
    long Step, double TrainLoss, double ValLoss, double Seconds, long Tokens, string Checkpoint, bool Interrupted,
    RunVerdict Verdict) : TrainEvent(Step)
{
    /// <summary>True if the run ended because its validation loss no longer fell.</summary>
    public bool StoppedEarly { get; init; }
}
