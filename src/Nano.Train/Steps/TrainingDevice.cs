namespace Nano;

/// <summary>A device that computes the steps of a run.</summary>
/// <param name="Name">For logs and reports.</param>
/// <param name="NewStep">Makes the training step of a model; it reads batches from the loader.</param>
public sealed record TrainingDevice(
    string Name, Func<LanguageModel, Compute, BatchLoader, TrainOptions, ITrainStep> NewStep);
