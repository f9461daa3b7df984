namespace Nano;

/// <summary>
/// Tells a spike from noise: how many standard deviations a step's loss, and the logarithm of its
/// gradient norm, lie above their running means. Mean and variance are exponentially weighted
/// (Finch, "Incremental calculation of weighted mean and variance", 2009, section 9): with d = x -
/// mean, mean += a d and variance = (1 - a) (variance + a d^2). a is 1/n for the n-th value until
/// that falls to 1/50, so the first values count alike (Welford's mean and variance). Nothing is a
/// spike before 50 values are known. A deviation counts as at least 2 % of the mean loss, and as at
/// least 0.2 of the logarithm, so at a threshold of 6 a norm must be more than 3.3 times its mean:
/// norms of small batches have long tails, and healthy runs of shakespeare-char, whose deviation is
/// 0.11, reach 7 of those. A value beyond the threshold that is taken in all the same counts as if
/// it lay there, so that one outlier does not blind the detector and a lasting change is followed
/// within some dozen steps.
/// </summary>
public sealed class LossSpikes(double threshold)
{
    /// <summary>Values to know before one is judged; also how far back the means reach.</summary>
    public const int Window = 50;

    /// <summary>
    /// The smallest standard deviation: of the loss as a share of its mean, and of the logarithm of
    /// the norm.
    /// </summary>
    public const double LeastLossDeviation = 0.02, LeastNormDeviation = 0.2;

    private const double SmallestNorm = 1e-30;

    private double count, lossMean, lossVariance, normMean, normVariance;

    /// <summary>
    /// The numbers of standard deviations by which a step lies above the means: 0 while too few
    /// steps are known, infinite if a value is not finite.
    /// </summary>
    public (double Loss, double Norm) Scores(double loss, double norm)
    {
        if (!double.IsFinite(loss) || !double.IsFinite(norm))
            return (double.PositiveInfinity, double.PositiveInfinity);
        return count < Window ? (0, 0)
            : ((loss - lossMean) / LossDeviation, (Logarithm(norm) - normMean) / NormDeviation);
    }

    /// <summary>True if the scores make a spike.</summary>
    public bool AreSpike((double Loss, double Norm) scores) => scores.Loss > threshold || scores.Norm > threshold;

    /// <summary>Takes a finite step into the means.</summary>
    public void Add(double loss, double norm)
    {
        double logarithm = Logarithm(norm);
        if (count >= Window)
        {
            loss = Math.Min(loss, lossMean + (threshold * LossDeviation));
            logarithm = Math.Min(logarithm, normMean + (threshold * NormDeviation));
        }
        count = Math.Min(count + 1, Window);
        Move(loss, 1 / count, ref lossMean, ref lossVariance);
        Move(logarithm, 1 / count, ref normMean, ref normVariance);
    }

    /// <summary>Puts its state under names of its own.</summary>
    public void Save(IDictionary<string, double> numbers)
    {
        foreach (var (name, value) in new[] { ("count", count), ("loss_mean", lossMean),
            ("loss_variance", lossVariance), ("norm_mean", normMean), ("norm_variance", normVariance) })
            numbers[Prefix + name] = value;
    }

    /// <summary>Takes what <see cref="Save"/> put there; what is absent is 0.</summary>
    public void Load(IReadOnlyDictionary<string, double> numbers)
    {
        double Of(string name) => numbers.GetValueOrDefault(Prefix + name);
        (count, lossMean, lossVariance, normMean, normVariance) =
            (Of("count"), Of("loss_mean"), Of("loss_variance"), Of("norm_mean"), Of("norm_variance"));
    }

    private const string Prefix = "spikes.";

    private double LossDeviation => Math.Max(Math.Sqrt(lossVariance), LeastLossDeviation * Math.Abs(lossMean));

    private double NormDeviation => Math.Max(Math.Sqrt(normVariance), LeastNormDeviation);

    private static double Logarithm(double norm) => Math.Log(Math.Max(norm, SmallestNorm));

    private static void Move(double x, double share, ref double mean, ref double variance)
    {
        double difference = x - mean;
        mean += share * difference;
        variance = (1 - share) * (variance + (share * difference * difference));
    }
}
