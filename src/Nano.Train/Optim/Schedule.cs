namespace Nano;

/// <summary>
/// The learning rate of a step: a linear warm-up over warmupSteps, then half a cosine down to the minimum at totalSteps
/// (nanoGPT's rule: lr (step + 1) / (warmup + 1) while warming up, step counted from 0).
/// </summary>
public static class Schedule
{
    public static double WarmupCosine(long step, double peak, double minimum, int warmupSteps, int totalSteps)
    {
        if (step < warmupSteps)
            return peak * (step + 1) / (warmupSteps + 1);
        if (step >= totalSteps)
            return minimum;
        double progress = (step - warmupSteps) / (double)Math.Max(1, totalSteps - warmupSteps);
        return minimum + (0.5 * (1 + Math.Cos(Math.PI * progress)) * (peak - minimum));
    }
}
