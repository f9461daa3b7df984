namespace Nano;

/// <summary>The options of a classifier's training.</summary>
public sealed record ClassifierOptions
{
    /// <summary>The folder of an encoder to start from; null for random weights and the texts' vocabulary.</summary>
    public string? From { get; init; }

    /// <summary>Times that every text is seen; null for 3 of an encoder that is there, 20 of a new one.</summary>
    public int? Epochs { get; init; }

    /// <summary>Texts of an update.</summary>
    public int Batch { get; init; } = 16;

    /// <summary>The highest learning rate; null for 5e-5 of an encoder that is there, 1e-3 of a new one.</summary>
    public double? LearningRate { get; init; }

    /// <summary>The share of texts that is held out.</summary>
    public double Holdout { get; init; } = 0.1;

    /// <summary>The seed of all random numbers.</summary>
    public ulong Seed { get; init; } = 1337;

    /// <summary>V of a new encoder.</summary>
    public int Vocabulary { get; init; } = 2000;

    /// <exception cref="NanoException">A value is impossible; the message names it.</exception>
    public void Validate()
    {
        if (Epochs is < 1 or > 10_000)
            throw new NanoException($"`epochs` must be from 1 to 10000, got {Epochs}");
        if (Batch is < 1 or > 1 << 16)
            throw new NanoException($"`batch` must be from 1 to {1 << 16}, got {Batch}");
        if (LearningRate is { } rate && !(rate > 0 && double.IsFinite(rate)))
            throw new NanoException($"`lr` must be positive, got {rate}");
        if (!(Holdout is >= 0 and < 1))
            throw new NanoException($"`holdout` must be from 0 to below 1, got {Holdout}");
        if (Vocabulary is < 6 or > 1 << 20)
            throw new NanoException($"`vocab` must be from 6 to {1 << 20}, got {Vocabulary}");
    }
}
