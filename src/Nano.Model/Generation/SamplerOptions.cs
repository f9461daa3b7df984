namespace Nano;

/// <summary>
/// Options of the choice of the next token; <see cref="Sampler"/> gives the order in which they
/// act.
/// </summary>
public sealed record SamplerOptions
{
    /// <summary>Divides the logits; 0 takes the most likely token.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Only this many of the most likely tokens are considered; 0 for all.</summary>
    public int TopK { get; init; } = 200;

    /// <summary>
    /// Only the smallest set of most likely tokens whose probabilities reach this sum; 1 for all
    /// (Holtzman et al., 2019).
    /// </summary>
    public double TopP { get; init; } = 1;

    /// <summary>
    /// Only tokens at least this many times as likely as the likeliest; 0 for all (Nguyen et al.,
    /// "Turning up the heat: min-p sampling", 2024).
    /// </summary>
    public double MinP { get; init; }

    /// <summary>
    /// Only the smallest set of tokens whose probabilities reach this sum and whose information,
    /// -log p, is closest to what is expected, the entropy; 1 for all (Meister et al., "Locally
    /// typical sampling", 2022).
    /// </summary>
    public double Typical { get; init; } = 1;

    /// <summary>
    /// Divides positive logits of tokens that occur in the prompt or the text, and multiplies
    /// negative ones; 1 for none (Keskar et al., "CTRL", 2019, whose formula divides all, with the
    /// sign's case as in their program).
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>
    /// Is subtracted from the logit of every token that has been generated, as OpenAI's API defines
    /// it; 0 for none.
    /// </summary>
    public double PresencePenalty { get; init; }

    /// <summary>
    /// Is subtracted from a token's logit as often as it has been generated, as OpenAI's API
    /// defines it; 0 for none.
    /// </summary>
    public double FrequencyPenalty { get; init; }

    /// <summary>Is added to the logits of these ids; negative infinity forbids a token.</summary>
    public IReadOnlyDictionary<int, double> LogitBias { get; init; } = new Dictionary<int, double>();

    /// <summary>Seed of the draws; position i of a text draws from (seed, i).</summary>
    public ulong Seed { get; init; } = 1337;

    /// <summary>
    /// True if the options change the logits before a token is chosen, even for the most likely
    /// token.
    /// </summary>
    internal bool ChangesLogits => RepetitionPenalty != 1 || PresencePenalty != 0 || FrequencyPenalty != 0
        || LogitBias.Count > 0;

    /// <exception cref="NanoException">A value is out of range.</exception>
    public void Validate()
    {
        if (!(Temperature >= 0) || double.IsInfinity(Temperature))
            throw new NanoException($"the temperature must be 0 or more, got {Temperature}");
        if (TopK < 0)
            throw new NanoException($"top-k must be 0 (all) or more, got {TopK}");
        if (!(TopP is > 0 and <= 1))
            throw new NanoException($"top-p must be above 0 and at most 1, got {TopP}");
        if (!(MinP is >= 0 and <= 1))
            throw new NanoException($"min-p must be from 0 to 1, got {MinP}");
        if (!(Typical is > 0 and <= 1))
            throw new NanoException($"typical must be above 0 and at most 1, got {Typical}");
        if (!(RepetitionPenalty > 0) || double.IsInfinity(RepetitionPenalty))
            throw new NanoException($"the repetition penalty must be above 0 (1 for none), got {RepetitionPenalty}");
        if (!double.IsFinite(PresencePenalty))
            throw new NanoException($"the presence penalty must be a number, got {PresencePenalty}");
        if (!double.IsFinite(FrequencyPenalty))
            throw new NanoException($"the frequency penalty must be a number, got {FrequencyPenalty}");
        foreach (var (id, bias) in LogitBias)
            if (id < 0 || !(bias < double.PositiveInfinity))
                throw new NanoException($"a logit bias takes the id of a token and a number, got {id}:{bias}");
    }

    /// <exception cref="NanoException">A value is out of range, or a logit bias is for an id that
    /// the vocabulary does not have.</exception>
    public void Validate(int vocabSize)
    {
        Validate();
        foreach (int id in LogitBias.Keys)
            if (id >= vocabSize)
                throw new NanoException(
                    $"there is no token {id} to give a logit bias: ids run from 0 to {vocabSize - 1}");
    }
}
