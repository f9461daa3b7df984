namespace Nano;

/// <summary>
/// SmoothQuant (Xiao et al., arXiv:2211.10438). Activations with outliers lose more in bytes than
/// weights do, and X W^T = (X / s) (W s)^T for any s per input channel. So s divides a channel by
/// the root of its largest input and multiplies its weights by as much, until both are equally hard:
/// <code>
/// s_j = max |x_j|^a / max |w_j|^(1 - a), a = 1/2
/// </code>
/// The division is folded into what makes the input, a norm for instance; the model computes the
/// function that it did.
/// </summary>
internal static class SmoothQuant
{
    /// <summary>The share of the difficulty that weights take.</summary>
    public const double Share = 0.5;

    // Channels that are always 0, or of no weight, would ask for a scale of 0 or infinity.
    private const double Least = 1e-5;

    /// <summary>The scale of each input channel.</summary>
    /// <param name="inputs">The largest magnitude of each channel.</param>
    /// <param name="weights">The largest magnitude of each column of the matrices that read it.</param>
    /// <param name="share">The share of the difficulty that weights take.</param>
    public static double[] Scales(ReadOnlySpan<double> inputs, ReadOnlySpan<double> weights, double share = Share)
    {
        var scales = new double[inputs.Length];
        for (int j = 0; j < scales.Length; j++)
            scales[j] = Math.Max(Least, Math.Pow(Math.Max(Least, inputs[j]), share)
                / Math.Pow(Math.Max(Least, weights[j]), 1 - share));
        return scales;
    }
}
