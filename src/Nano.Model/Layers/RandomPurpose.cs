namespace Nano;

/// <summary>
/// The purposes of random numbers under one seed; each has a key of its own
/// (<see cref="Philox.Key"/>).
/// </summary>
public enum RandomPurpose
{
    /// <summary>Initial weights.</summary>
    Weights,

    /// <summary>Windows of training batches.</summary>
    TrainingWindows,

    /// <summary>Windows of training text that an evaluation looks at.</summary>
    TrainingEvaluation,

    /// <summary>Windows of validation text that an evaluation looks at.</summary>
    ValidationEvaluation,

    /// <summary>Masks of dropout.</summary>
    Dropout,

    /// <summary>Resampled scores of confidence intervals.</summary>
    Bootstrap,

    /// <summary>Labels that the model draws for Sophia's curvature.</summary>
    CurvatureLabels,

    /// <summary>The order of rows within an epoch.</summary>
    EpochOrder,

    /// <summary>Noise from which diffusion makes points.</summary>
    DiffusionNoise,
}
