namespace Nano;

/// <summary>A token and the logarithm of its probability.</summary>
public readonly record struct TokenLogProbability(int Id, double LogProbability);

/// <summary>
/// Log-probabilities of a position, in nats: the log-softmax of the model's logits before bias,
/// penalties, temperature and the other changes that <see cref="SamplerOptions"/> makes.
/// </summary>
/// <param name="Chosen">The token that was taken.</param>
/// <param name="Top">The likeliest tokens, best first, of equals the lower id.</param>
public sealed record LogProbabilities(TokenLogProbability Chosen, IReadOnlyList<TokenLogProbability> Top)
{
    /// <summary>Log-probabilities of a choice.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="chosen">The id that was taken.</param>
    /// <param name="top">Number of most likely tokens to list.</param>
    /// <param name="ranking">Working memory.</param>
    internal static LogProbabilities Of(ReadOnlySpan<float> logits, int chosen, int top, Ranking ranking)
    {
        ranking.Rank(logits, Math.Min(top, logits.Length));
        double normalizer = Normalizer(logits);
        var best = new TokenLogProbability[Math.Min(top, logits.Length)];
        for (int i = 0; i < best.Length; i++)
            best[i] = new(ranking[i], logits[ranking[i]] - normalizer);
        return new(new(chosen, logits[chosen] - normalizer), best);
    }

    /// <summary>log sum exp: a logit less this is its token's log-probability.</summary>
    internal static double Normalizer(ReadOnlySpan<float> logits)
    {
        double max = logits[Sampler.ArgMax(logits)], sum = 0;
        foreach (float logit in logits)
            sum += Math.Exp(logit - max);
        return max + Math.Log(sum);
    }
}
