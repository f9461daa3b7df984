namespace Nano;

/// <summary>The ways in which noise grows from step to step.</summary>
public enum NoiseKind
{
    /// <summary>beta rises evenly from 0.0001 to 0.02 (Ho et al., 2020).</summary>
    Linear,

    /// <summary>
    /// The kept share of the signal is cos^2((t/T + 0.008) / 1.008 pi/2), beta at most 0.999 (Nichol and Dhariwal,
    /// "Improved Denoising Diffusion Probabilistic Models", 2021).
    /// </summary>
    Cosine,
}

/// <summary>
/// The steps of diffusion. With a_t = product of (1 - beta) up to step t: x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise. Back
/// from a prediction of the noise, with its randomness (DDPM) or without (DDIM).
/// </summary>
public sealed class NoiseSchedule
{
    private readonly double[] betas, signals;

    /// <summary>The schedule of this many steps.</summary>
    public NoiseSchedule(NoiseKind kind, int steps)
    {
        (betas, signals) = (new double[steps], new double[steps]);
        double signal = 1;
        for (int t = 0; t < steps; t++)
        {
            betas[t] = kind == NoiseKind.Linear ? 1e-4 + ((0.02 - 1e-4) * t / Math.Max(1, steps - 1))
                : Math.Min(0.999, 1 - (Kept(t + 1) / Kept(t)));
            signals[t] = signal *= 1 - betas[t];
        }

        double Kept(int t) => Math.Pow(Math.Cos((((double)t / steps) + 0.008) / 1.008 * Math.PI / 2), 2);
    }

    /// <summary>beta of each step: the variance of the noise that it adds.</summary>
    public IReadOnlyList<double> Betas => betas;

    /// <summary>a of each step: the share of the signal's variance that is left after it.</summary>
    public IReadOnlyList<double> Signals => signals;

    /// <summary>x_t from clean values and noise.</summary>
    public void AddNoise(ReadOnlySpan<float> clean, ReadOnlySpan<float> noise, int t, Span<float> noisy)
    {
        double signal = Math.Sqrt(signals[t]), rest = Math.Sqrt(1 - signals[t]);
        for (int i = 0; i < noisy.Length; i++)
            noisy[i] = (float)((signal * clean[i]) + (rest * noise[i]));
    }

    /// <summary>
    /// From step t to the one before it (Ho et al., 2020): the mean (x - beta / sqrt(1 - a) predicted) / sqrt(1 - beta),
    /// plus fresh noise times the deviation sqrt(beta (1 - a before) / (1 - a)), which is 0 at step 0.
    /// </summary>
    /// <param name="x">x_t, which becomes x_(t-1).</param>
    /// <param name="predicted">The predicted noise in x_t.</param>
    /// <param name="fresh">Normal random numbers.</param>
    /// <param name="t">The step.</param>
    public void StepBack(Span<float> x, ReadOnlySpan<float> predicted, ReadOnlySpan<float> fresh, int t)
    {
        double beta = betas[t], rest = 1 - signals[t];
        double deviation = Math.Sqrt(beta * (1 - SignalBefore(t)) / rest);
        for (int i = 0; i < x.Length; i++)
            x[i] = (float)(((x[i] - (beta / Math.Sqrt(rest) * predicted[i])) / Math.Sqrt(1 - beta))
                + (deviation * fresh[i]));
    }

    /// <summary>
    /// From step t to any earlier one without randomness (Song et al., "Denoising Diffusion Implicit Models", 2020): the
    /// clean values (x - sqrt(1 - a) predicted) / sqrt(a), with the predicted noise added again for the earlier step.
    /// </summary>
    /// <param name="x">x_t, which becomes that of the earlier step.</param>
    /// <param name="predicted">The predicted noise in x_t.</param>
    /// <param name="t">The step.</param>
    /// <param name="earlier">The earlier step; -1 for clean values.</param>
    public void JumpBack(Span<float> x, ReadOnlySpan<float> predicted, int t, int earlier)
    {
        double signal = signals[t], kept = SignalBefore(earlier + 1);
        for (int i = 0; i < x.Length; i++)
        {
            double clean = (x[i] - (Math.Sqrt(1 - signal) * predicted[i])) / Math.Sqrt(signal);
            x[i] = (float)((Math.Sqrt(kept) * clean) + (Math.Sqrt(1 - kept) * predicted[i]));
        }
    }

    private double SignalBefore(int t) => t == 0 ? 1 : signals[t - 1];
}
