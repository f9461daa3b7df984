namespace Nano;

/// <summary>
/// The learning rate of a step. All schedules begin with a linear warm-up over warmupSteps
/// (nanoGPT's rule: lr (step + 1) / (warmup + 1) while warming up, step counted from 0); then, with
/// p from 0 to 1 over the remaining steps:
/// <list type="bullet">
/// <item>cosine: min + (1 + cos(pi p)) / 2 (peak - min) (Loshchilov and Hutter, "SGDR: Stochastic
/// Gradient Descent with Warm Restarts", 2017, without restarts);</item>
/// <item>linear: min + (1 - p) (peak - min);</item>
/// <item>constant: peak;</item>
/// <item>wsd, warm-up, stable, decay: peak, and over the last steps min + (1 - sqrt(p)) (peak -
/// min), p counted over those (Hu et al., "MiniCPM", 2024; the form of the decay from Hägele et
/// al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", 2024);
/// wsd-linear: 1 - p instead;</item>
/// <item>inverse-sqrt: peak sqrt((warmup + 1) / (step + 1)), never below min (Vaswani et al.,
/// "Attention Is All You Need", 2017, equation 3, scaled to the peak).</item>
/// </list>
/// </summary>
/// <param name="Name">One of <see cref="Names"/>.</param>
/// <param name="DecaySteps">Steps of the last phase of wsd and wsd-linear; null for a fifth of all.</param>
public sealed record Schedule(string Name = "cosine", int? DecaySteps = null)
{
    /// <summary>The known schedules.</summary>
    public static IReadOnlyList<string> Names { get; } = ["cosine", "linear", "constant", "wsd", "wsd-linear",
        "inverse-sqrt"];

    private bool HasDecayPhase => Name is "wsd" or "wsd-linear";

    /// <summary>The learning rate of a step, counted from 0.</summary>
    public double At(long step, double peak, double minimum, int warmupSteps, int totalSteps)
    {
        if (step < warmupSteps)
            return peak * (step + 1) / (warmupSteps + 1);
        int start = HasDecayPhase ? Math.Max(warmupSteps, totalSteps - DecayStepsOf(totalSteps)) : warmupSteps;
        double progress = step >= totalSteps ? 1 : Math.Max(0, step - start) / (double)Math.Max(1, totalSteps - start);
        return Name switch
        {
            "cosine" => WarmupCosine(step, peak, minimum, warmupSteps, totalSteps),
            "constant" => peak,
            "wsd" => minimum + ((1 - Math.Sqrt(progress)) * (peak - minimum)),
            "inverse-sqrt" => Math.Max(minimum, peak * Math.Sqrt((warmupSteps + 1.0) / (step + 1))),
            _ => minimum + ((1 - progress) * (peak - minimum)), // linear, wsd-linear
        };
    }

    /// <summary>The cosine schedule of <see cref="At"/>.</summary>
    public static double WarmupCosine(long step, double peak, double minimum, int warmupSteps, int totalSteps)
    {
        if (step < warmupSteps)
            return peak * (step + 1) / (warmupSteps + 1);
        if (step >= totalSteps)
            return minimum;
        double progress = (step - warmupSteps) / (double)Math.Max(1, totalSteps - warmupSteps);
        return minimum + (0.5 * (1 + Math.Cos(Math.PI * progress)) * (peak - minimum));
    }

    /// <summary>Steps of the last phase; null for a schedule without one.</summary>
    public int? DecayPhase(int totalSteps) => HasDecayPhase ? DecayStepsOf(totalSteps) : null;

    private int DecayStepsOf(int totalSteps) => DecaySteps ?? totalSteps / 5;

    /// <exception cref="NanoException">There is no such schedule, or the steps do not fit.</exception>
    public void Validate(int warmupSteps, int totalSteps)
    {
        if (!Names.Contains(Name))
            throw new NanoException($"there is no schedule {Quoted.Of(Name)}",
                NearestMatch.Hint(Name, [.. Names], "schedules"));
        NumberRange.NotNegative.Check("warmup_steps", warmupSteps);
        if (DecaySteps is null)
            return;
        if (!HasDecayPhase)
            throw new NanoException($"`decay_steps` does not apply to the schedule '{Name}'",
                "it is the length of the last phase of wsd and wsd-linear");
        if (DecaySteps < 0 || DecaySteps > totalSteps)
            throw new NanoException($"`decay_steps` must be from 0 to the `steps` of {totalSteps}, got {DecaySteps}");
    }
}
