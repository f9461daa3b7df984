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

    /// <summary>The choice of rows that are held out for an evaluation.</summary>
    HeldOutRows,

    /// <summary>Places of masked tokens, and what stands there instead.</summary>
    MaskedTokens,

    /// <summary>Second sentences that do not follow the first.</summary>
    SentencePairs,

    /// <summary>Tokens that a generator puts in masked places.</summary>
    ReplacedTokens,

    /// <summary>Spans that are left out of a text.</summary>
    CorruptedSpans,
}
