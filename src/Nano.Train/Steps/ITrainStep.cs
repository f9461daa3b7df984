namespace Nano;

/// <summary>
/// One update of a model, wherever it is computed: here by <see cref="TrainStep"/>, on a device by
/// Nano.Gpu's OnnxTrainStep. A device has parameters and moments of its own; those of the model and
/// of the optimizer are the host's copy, of which checkpoints are made.
/// </summary>
public interface ITrainStep : IDisposable
{
    /// <summary>The count of updates, and the host's copy of the optimizer's state.</summary>
    IOptimizer Optimizer { get; }

    /// <summary>The norms of the last gradients, block by block.</summary>
    GradientNorm Norm { get; }

    /// <summary>Tokens of each expert in the last step; null if the model has no experts.</summary>
    RouterLoads? Loads { get; }

    /// <summary>
    /// Number of batches that the run has skipped: step s takes batch number s plus this.
    /// </summary>
    long SkippedBatches { get; set; }

    /// <summary>The losses of the model as it is.</summary>
    ITokenLosses Losses { get; }

    /// <summary>
    /// The gradients of the batch of step number <paramref name="step"/> (from 0). Parameters are
    /// unchanged.
    /// </summary>
    /// <exception cref="DivergedException">The loss or a gradient is not finite; the message names
    /// the step and the first such tensor.</exception>
    StepResult FindGradients(long step);

    /// <summary>Moves the parameters along the gradients just found.</summary>
    void Update(double learningRate, StepResult gradients);

    /// <summary>Brings the host's copy up to date.</summary>
    void ToHost();

    /// <summary>
    /// Takes over the host's copy: before the first step, and when something else was loaded into
    /// it.
    /// </summary>
    void FromHost();

    /// <summary>
    /// The error of an evaluation after <paramref name="step"/> updates whose loss is not finite. A
    /// batch of training text serves to look for the place.
    /// </summary>
    DivergedException DivergedAt(long step);
}
