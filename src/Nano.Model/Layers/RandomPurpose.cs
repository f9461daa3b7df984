namespace Nano;

/// <summary>What random numbers are drawn for below one seed: each purpose has a key of its own (<see cref="Philox.Key"/>).</summary>
public enum RandomPurpose
{
    Weights,
    TrainingWindows,
    TrainingEvaluation,
    ValidationEvaluation,
    Dropout,
    Bootstrap,
    CurvatureLabels,
    EpochOrder,
}
