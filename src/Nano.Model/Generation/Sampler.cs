namespace Nano;

/// <summary>
/// Draws tokens from logits. A draw is a pure function of logits, options, position and, where
/// there are penalties, of the tokens so far. In order: <list type="number">
/// <item>the logit bias is added; then the repetition penalty, for tokens of prompt and text; then
/// the presence and frequency penalties, for tokens of the text;</item>
/// <item>a temperature of 0 takes the largest logit, the first of equals; otherwise logits are
/// divided by the temperature;</item>
/// <item>top-k, top-p, min-p and typical each retain a part of the remaining tokens, whose
/// probabilities are scaled to add up to 1;</item>
/// <item>one uniform number selects among the remaining tokens by falling probability, equal ones
/// by rising id.</item>
/// </list>
/// Every part that remains is a stretch of that order, so drawing from its likely end does not
/// require sorting the whole vocabulary.
/// </summary>
public sealed class Sampler(SamplerOptions options)
{
    private readonly Ranking ranking = new();
    private readonly LogitChanges changes = new(options);

    /// <summary>The id of the next token.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="position">The position in the text, counted from 0.</param>
    /// <param name="prompt">Tokens before the text.</param>
    /// <param name="text">Tokens of the text so far.</param>
    /// <exception cref="NanoException">A logit is NaN or positive infinity, which no probability
    /// can be made of; the message names its token. Or no token is possible.</exception>
    public int Next(ReadOnlySpan<float> logits, long position, ReadOnlySpan<int> prompt = default,
        ReadOnlySpan<int> text = default)
    {
        Check(logits, "the model's logit",
            "the weights are damaged or their training diverged; use another checkpoint");
        if (options.ChangesLogits)
            Check(logits = changes.Apply(logits, prompt, text), "with its bias and penalties, the logit",
                "use smaller ones");
        return options.Temperature == 0 ? ArgMax(logits)
            : Draw(logits, Philox.Uniform(options.Seed, 0, (ulong)position));
    }

    /// <summary>The index of the largest logit, the first of equals.</summary>
    public static int ArgMax(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best])
                best = i;
        return best;
    }

    /// <summary>Refuses a logit that is not a number, and logits that allow no token.</summary>
    internal static void Check(ReadOnlySpan<float> logits, string what, string hint)
    {
        bool possible = false;
        for (int i = 0; i < logits.Length; i++)
        {
            if (!(logits[i] < float.PositiveInfinity))
                throw new NanoException($"{what} for token {i} is {logits[i]}, not a number to choose by", hint);
            possible |= logits[i] > float.NegativeInfinity;
        }
        if (!possible)
            throw new NanoException($"{what} for every token is negative infinity: none can come next", hint);
    }

    private int Draw(ReadOnlySpan<float> logits, double uniform)
    {
        var (begin, end, total) = Candidates(logits);
        double target = uniform * total;
        int last = begin; // rounding may leave a little of the target behind the last one
        for (int i = begin; i < end; i++)
        {
            double weight = Weight(logits, i);
            if ((target -= weight) < 0)
                return ranking[i];
            if (weight == 0)
                break;
            last = i;
        }
        return ranking[last];
    }

    /// <summary>The stretch of the order from which a token is drawn, and the sum of its weights.</summary>
    private (int Begin, int End, double Total) Candidates(ReadOnlySpan<float> logits)
    {
        ranking.Rank(logits, Math.Min(logits.Length, options.TopK > 0 ? options.TopK : FirstLook));
        int end = options.TopK > 0 ? Math.Min(options.TopK, logits.Length) : logits.Length;
        double total = TotalOf(logits, end);
        if (options.TopP < 1)
            (end, total) = Nucleus(logits, end, total);
        if (options.MinP > 0)
            (end, total) = Likely(logits, end, total);
        return options.Typical < 1 ? TypicalOf(logits, end, total) : (0, end, total);
    }

    /// <summary>
    /// Number of ids that are ranked at first if top-k does not say; each time they run out, eight
    /// times as many are.
    /// </summary>
    private const int FirstLook = 256, Further = 8;

    private int IdAt(ReadOnlySpan<float> logits, int i)
    {
        while (i >= ranking.Count)
            ranking.Rank(logits, (int)Math.Min(logits.Length, (long)Further * ranking.Count));
        return ranking[i];
    }

    /// <summary>exp((logit - largest) / temperature) of the id in place i.</summary>
    private double Weight(ReadOnlySpan<float> logits, int i) => Weight(logits[IdAt(logits, i)], logits[ranking[0]]);

    private double Weight(float logit, double largest) => Math.Exp((logit - largest) / options.Temperature);

    /// <summary>The weights of the first ids; of all of them in the order of ids, which needs no sorting.</summary>
    private double TotalOf(ReadOnlySpan<float> logits, int end)
    {
        double total = 0, largest = logits[ranking[0]];
        if (end < logits.Length)
            for (int i = 0; i < end; i++)
                total += Weight(logits, i);
        else
            foreach (float logit in logits)
                total += Weight(logit, largest);
        return total;
    }

    /// <summary>Up to the first id with which the sum reaches top-p.</summary>
    private (int End, double Total) Nucleus(ReadOnlySpan<float> logits, int end, double total)
    {
        double sum = 0;
        for (int i = 0; i < end; i++)
            if ((sum += Weight(logits, i)) >= options.TopP * total)
                return (i + 1, sum);
        return (end, sum);
    }

    /// <summary>Those at least min-p times as likely as the first, whose weight is 1.</summary>
    private (int End, double Total) Likely(ReadOnlySpan<float> logits, int end, double total)
    {
        double sum = 0;
        for (int i = 0; i < end; i++)
        {
            double weight = Weight(logits, i);
            if (weight < options.MinP)
                return (i, sum);
            sum += weight;
        }
        return (end, total);
    }

    /// <summary>
    /// Those whose -log p is closest to the entropy H. As -log p rises along the order, they lie
    /// around the place where it passes H: the stretch grows from there to the side that is closer,
    /// the likelier one of equals, and so always to its neighbour in the order, until it has the
    /// probability that is asked for.
    /// </summary>
    private (int Begin, int End, double Total) TypicalOf(ReadOnlySpan<float> logits, int end, double total)
    {
        double expected = ExpectedSurprise(logits, end, total);
        int begin = 0;
        while (begin < end && Surprise(logits, begin) < expected)
            begin++;
        int stop = begin;
        double sum = 0;
        while (sum < options.Typical * total && stop - begin < end)
        {
            bool left = stop == end
                || (begin > 0 && expected - Surprise(logits, begin - 1) <= Surprise(logits, stop) - expected);
            sum += Weight(logits, left ? --begin : stop++);
        }
        return (begin, stop, sum);
    }

    /// <summary>The mean of -log weight: the entropy less the logarithm of the total.</summary>
    private double ExpectedSurprise(ReadOnlySpan<float> logits, int end, double total)
    {
        double sum = 0, largest = logits[ranking[0]];
        for (int i = 0; i < end; i++)
        {
            float logit = logits[end < logits.Length ? ranking[i] : i];
            double weight = Weight(logit, largest);
            if (weight > 0)
                sum += weight * ((largest - logit) / options.Temperature);
        }
        return sum / total;
    }

    /// <summary>-log weight of the id in place i: -log p less the logarithm of the total.</summary>
    private double Surprise(ReadOnlySpan<float> logits, int i) =>
        ((double)logits[ranking[0]] - logits[IdAt(logits, i)]) / options.Temperature;
}
