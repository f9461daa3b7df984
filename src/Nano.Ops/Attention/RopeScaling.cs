namespace Nano;

/// <summary>
/// Scaling of rotary angles for texts longer than those in training: the rope_type of a Hugging
/// Face config.json. The formulas are those of transformers (modeling_rope_utils), in double
/// precision.
/// </summary>
public abstract record RopeScaling
{
    private RopeScaling()
    {
    }

    /// <summary>
    /// Positions become closer by a factor (Chen et al., "Extending Context Window of Large
    /// Language Models via Positional Interpolation", 2023).
    /// </summary>
    public sealed record Linear(double Factor) : RopeScaling
    {
        /// <inheritdoc/>
        public override double[] Frequencies(int headDim, double theta) =>
            Array.ConvertAll(base.Frequencies(headDim, theta), frequency => frequency / Factor);
    }

    /// <summary>
    /// The base grows with the length n of the text once that is beyond the original context m:
    /// theta (f n / m - (f - 1))^(D / (D - 2)) (bloc97 and emozilla, 2023). Here a position is
    /// always rotated with the base of the text that ends with it. So a cached key never needs to
    /// be rotated again, and reading a text at once gives the bits of reading it token by token.
    /// transformers does the same when it decodes token by token with a cache; when it reads a
    /// longer text at once, it rotates all positions with the base of the whole.
    /// </summary>
    public sealed record Dynamic(double Factor, int OriginalContext) : RopeScaling
    {
        internal override double ThetaAt(int headDim, double theta, int position) => position < OriginalContext ? theta
            : theta * Math.Pow((Factor * (position + 1.0) / OriginalContext) - (Factor - 1), headDim / (headDim - 2.0));
    }

    /// <summary>
    /// YaRN (Peng et al., "Efficient Context Window Extension of Large Language Models", 2023):
    /// pairs that rotate more than betaFast times within the
    /// original context stay, those that rotate less than betaSlow times are slowed down by factor,
    /// and between the two a ramp over the pairs
    /// blends. Cosines and sines are multiplied by an attention factor, 0.1 ln(factor) + 1 where none is given.
    /// </summary>
    /// <param name="Factor">The factor by which texts may be longer.</param>
    /// <param name="OriginalContext">The context in training.</param>
    /// <param name="BetaFast">Rotations above which a pair stays as it is.</param>
    /// <param name="BetaSlow">Rotations below which a pair is slowed down.</param>
    /// <param name="AttentionFactor">Factor on cosines and sines; null for the paper's.</param>
    /// <param name="Truncate">Whether the ramp begins and ends at whole pairs.</param>
    public sealed record Yarn(double Factor, int OriginalContext, double BetaFast = 32, double BetaSlow = 1,
        double? AttentionFactor = null, bool Truncate = true) : RopeScaling
    {
        /// <inheritdoc/>
        public override double Magnitude => AttentionFactor ?? DefaultMagnitude(Factor, 1);

        /// <summary>0.1 scale ln(factor) + 1, or 1 for a factor of at most 1.</summary>
        public static double DefaultMagnitude(double factor, double scale) =>
            factor <= 1 ? 1 : (0.1 * scale * Math.Log(factor)) + 1;

        /// <inheritdoc/>
        public override double[] Frequencies(int headDim, double theta)
        {
            double[] frequencies = base.Frequencies(headDim, theta);
            double low = PairRotating(BetaFast), high = PairRotating(BetaSlow);
            if (Truncate)
                (low, high) = (Math.Floor(low), Math.Ceiling(high));
            (low, high) = (Math.Max(low, 0), Math.Min(high, headDim - 1));
            if (low == high)
                high += 0.001;
            for (int i = 0; i < frequencies.Length; i++)
            {
                double slow = Math.Clamp((i - low) / (high - low), 0, 1);
                frequencies[i] *= 1 - slow + (slow / Factor);
            }
            return frequencies;

            // The pair, as a fractional index, that rotates this many times within the original
            // context.
            double PairRotating(double times) =>
                headDim * Math.Log(OriginalContext / (times * 2 * Math.PI)) / (2 * Math.Log(theta));
        }
    }

    /// <summary>
    /// Llama 3.1: wavelengths beyond originalContext / lowFactor are slowed down by factor, those
    /// below originalContext / highFactor stay, and between the two the change is blended in.
    /// </summary>
    public sealed record Llama3(double Factor, double LowFactor, double HighFactor, int OriginalContext) : RopeScaling
    {
        /// <inheritdoc/>
        public override double[] Frequencies(int headDim, double theta) =>
            Array.ConvertAll(base.Frequencies(headDim, theta), frequency =>
        {
            double wavelength = 2 * Math.PI / frequency;
            double keep = Math.Clamp(((OriginalContext / wavelength) - LowFactor) / (HighFactor - LowFactor), 0, 1);
            return (keep * frequency) + ((1 - keep) * frequency / Factor);
        });
    }

    /// <summary>
    /// LongRoPE (Ding et al., "LongRoPE", 2024): each pair is slowed down by a factor of its own, by one set of factors
    /// in texts up to the original context and by another in longer ones. Which of them holds depends on the length of
    /// the whole text, so when a text grows beyond the original context all of its keys change. Cosines and sines are
    /// multiplied by sqrt(1 + ln(s) / ln(original)), s = context / original.
    /// </summary>
    /// <param name="Short">D / 2 factors up to the original context.</param>
    /// <param name="Long">D / 2 factors beyond it.</param>
    /// <param name="OriginalContext">The context in training.</param>
    /// <param name="Context">The longest text.</param>
    public sealed record LongRope(ValueList<double> Short, ValueList<double> Long, int OriginalContext, int Context)
        : RopeScaling
    {
        /// <inheritdoc/>
        public override double Magnitude => Context <= OriginalContext ? 1
            : Math.Sqrt(1 + (Math.Log((double)Context / OriginalContext) / Math.Log(OriginalContext)));

        /// <inheritdoc/>
        public override double[] Frequencies(int headDim, double theta) => Divided(headDim, theta, Short);

        internal override double[]? FrequenciesBeyond(int headDim, double theta) => Divided(headDim, theta, Long);

        internal override bool IsBeyond(int length) => length > OriginalContext;

        private double[] Divided(int headDim, double theta, ValueList<double> factors) =>
            [.. base.Frequencies(headDim, theta).Zip(factors, (frequency, factor) => frequency / factor)];
    }

    /// <summary>Radians per position in texts so long that other numbers hold, or null if none are.</summary>
    internal virtual double[]? FrequenciesBeyond(int headDim, double theta) => null;

    /// <summary>True if a text of a length is so long.</summary>
    internal virtual bool IsBeyond(int length) => false;

    /// <summary>Radians per position of each of the D / 2 pairs.</summary>
    public virtual double[] Frequencies(int headDim, double theta) => RopeTable.InverseFrequencies(headDim, theta);

    /// <summary>Factor on cosines and sines.</summary>
    public virtual double Magnitude => 1;

    /// <summary>The base at a position.</summary>
    internal virtual double ThetaAt(int headDim, double theta, int position) => theta;
}
