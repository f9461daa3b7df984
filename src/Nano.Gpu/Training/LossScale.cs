namespace Nano;

/// <summary>
/// The factor on the loss that keeps small gradients above the smallest float16 (Micikevicius et
/// al., "Mixed Precision Training", 2018): halved until a step's gradients are finite, doubled
/// after many that were. A power of two, so it changes no bit of what is neither too small nor too
/// large.
/// </summary>
internal sealed class LossScale(Precision precision)
{
    private const double First = 1 << 16, Largest = 1 << 24;
    private const int StepsUntilDoubled = 2000;

    private int steps;

    /// <summary>The factor; 1 in float32.</summary>
    public double Value { get; private set; } = precision == Precision.Float16 ? First : 1;

    /// <summary>Halves it; false where that would help nobody.</summary>
    public bool Halve()
    {
        steps = 0;
        if (Value <= 1)
            return false;
        Value /= 2;
        return true;
    }

    /// <summary>Counts a step whose gradients were finite.</summary>
    public void Succeeded()
    {
        if (precision == Precision.Float32 || ++steps < StepsUntilDoubled)
            return;
        (Value, steps) = (Math.Min(2 * Value, Largest), 0);
    }
}
