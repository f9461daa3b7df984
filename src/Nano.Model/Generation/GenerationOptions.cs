namespace Nano;

/// <summary>The reason why a text ended.</summary>
public enum FinishReason
{
    /// <summary>An end token, or a stop string.</summary>
    Stop,

    /// <summary>As many tokens as were asked for, or the context is full.</summary>
    Length,

    /// <summary>Somebody cancelled it.</summary>
    Cancelled,
}

/// <summary>Options of text generation, apart from the choice of each token.</summary>
public sealed record GenerationOptions
{
    /// <summary>Options of the choice of each token.</summary>
    public SamplerOptions Sampler { get; init; } = new();

    /// <summary>The most tokens of a text; without slide, the context is a limit too.</summary>
    public int MaxTokens { get; init; } = int.MaxValue;

    /// <summary>Ids that end a text. The id itself belongs to the ids that were generated.</summary>
    public IReadOnlyList<int> EndIds { get; init; } = [];

    /// <summary>
    /// True to continue when the context is full: its older half is dropped and the rest is read
    /// again, so each token then sees between half a context and a whole one. Otherwise the text
    /// ends there.
    /// </summary>
    public bool Slide { get; init; }

    /// <summary>Keeps the log-probability of each token and of this many of the likeliest; null for none.</summary>
    public int? LogProbabilities { get; init; }

    /// <exception cref="NanoException">A value is out of range.</exception>
    public void Validate(int vocabSize)
    {
        Sampler.Validate(vocabSize);
        if (MaxTokens < 0)
            throw new NanoException($"the number of tokens to generate must be 0 or more, got {MaxTokens}");
        if (LogProbabilities is < 0)
            throw new NanoException($"the number of log-probabilities must be 0 or more, got {LogProbabilities}");
        foreach (int id in EndIds)
            if ((uint)id >= (uint)vocabSize)
                throw new NanoException($"there is no token {id} to end a text: ids run from 0 to {vocabSize - 1}");
    }
}
