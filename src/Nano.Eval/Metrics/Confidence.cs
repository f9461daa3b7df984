namespace Nano;

/// <summary>A figure and how far chance may have moved it.</summary>
/// <param name="Value">The figure on the examples there are.</param>
/// <param name="StandardError"> Its standard error as lm-evaluation-harness prints it: of a mean,
/// the deviation of the examples (divisor n - 1) over sqrt(n); of another statistic, the deviation
/// of its bootstrap values. NaN for a single example. </param>
/// <param name="Low">Lower end of the 95 % confidence interval.</param>
/// <param name="High">Its upper end.</param>
public readonly record struct Score(double Value, double StandardError, double Low, double High);

/// <summary>Confidence intervals of 95 % and standard errors of what is measured on n independent examples.</summary>
public static class Confidence
{
    /// <summary>Resamples of a bootstrap.</summary>
    public const int Resamples = 1000;

    /// <summary>The quantile of the normal distribution at 0.975.</summary>
    private const double Z = 1.959963984540054;

    /// <summary>
    /// The share of examples that came out right, with the score interval of Wilson ("Probable
    /// inference, the law of succession, and statistical inference", 1927): <code>(p + z^2 / 2n +-
    /// z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)</code> Unlike p +- 1.96 standard errors
    /// it stays within 0 and 1 and is no point where all or none are right.
    /// </summary>
    /// <param name="right">Examples that came out right.</param>
    /// <param name="examples">n, at least 1.</param>
    public static Score OfShare(int right, int examples)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(examples, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(right);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(right, examples);
        double n = examples, p = right / n, scale = 1 + (Z * Z / n);
        double middle = (p + (Z * Z / (2 * n))) / scale,
            half = Z * Math.Sqrt((p * (1 - p) / n) + (Z * Z / (4 * n * n))) / scale;
        return new Score(p, examples == 1 ? double.NaN : Math.Sqrt(p * (1 - p) / (n - 1)),
            right == 0 ? 0 : middle - half, right == examples ? 1 : middle + half);
    }

    /// <summary>
    /// The mean of one value per example, its standard error, and the percentile interval of its
    /// bootstrap, see <see cref="Bootstrap"/>.
    /// </summary>
    public static Score OfMean(IReadOnlyList<double> values, ulong seed)
    {
        double mean = values.Average(), squares = values.Sum(value => (value - mean) * (value - mean));
        var spread = Bootstrap(values.Count, seed, rows =>
        {
            double sum = 0;
            foreach (int row in rows)
                sum += values[row];
            return sum / rows.Length;
        });
        return new Score(mean, Math.Sqrt(squares / (values.Count - 1) / values.Count), Quantile(spread, 0.025),
            Quantile(spread, 0.975));
    }

    /// <summary>
    /// A statistic of all examples together, with error and percentile interval of its bootstrap,
    /// see <see cref="Bootstrap"/>.
    /// </summary>
    /// <param name="examples">n.</param>
    /// <param name="seed">Seed of the resamples.</param>
    /// <param name="statistic">The statistic of some examples, by index.</param>
    public static Score OfStatistic(int examples, ulong seed, RowStatistic statistic)
    {
        double[] spread = Bootstrap(examples, seed, statistic);
        double mean = spread.Average(), squares = spread.Sum(value => (value - mean) * (value - mean));
        return new Score(statistic([.. Enumerable.Range(0, examples)]), examples == 1 ? double.NaN
            : Math.Sqrt(squares / (spread.Length - 1)), Quantile(spread, 0.025), Quantile(spread, 0.975));
    }

    /// <summary>
    /// A statistic of n examples drawn with replacement, <see cref="Resamples"/> times, in
    /// ascending order (Efron, "Bootstrap methods: another look at the jackknife", 1979). Draw i of
    /// resample r is a function of seed, r and i.
    /// </summary>
    private static double[] Bootstrap(int examples, ulong seed, RowStatistic statistic)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(examples, 1);
        ulong key = Philox.Key(seed, (ulong)RandomPurpose.Bootstrap);
        int[] rows = new int[examples];
        double[] values = new double[Resamples];
        for (int resample = 0; resample < Resamples; resample++)
        {
            for (int i = 0; i < examples; i++)
                rows[i] = (int)Philox.Below(key, (ulong)resample, (ulong)i, examples);
            values[resample] = statistic(rows);
        }
        Array.Sort(values);
        return values;
    }

    /// <summary>
    /// The value below which a share of sorted ones lies, between two neighbours in proportion
    /// (definition 7 of Hyndman and Fan, 1996).
    /// </summary>
    internal static double Quantile(ReadOnlySpan<double> sorted, double share)
    {
        double at = share * (sorted.Length - 1);
        int below = (int)at, above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((at - below) * (sorted[above] - sorted[below]));
    }
}

/// <summary>A statistic of the examples with these indices.</summary>
public delegate double RowStatistic(ReadOnlySpan<int> rows);
