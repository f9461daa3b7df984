namespace Nano;

/// <summary>
/// The number format of the operands of matrix products; weights, sums and all else are float32.
/// </summary>
public enum Precision
{
    /// <summary>As everything else.</summary>
    Float32,

    /// <summary>
    /// Rounded to bfloat16, on the processor; see <see cref="Compute.RoundsProducts"/>.
    /// </summary>
    BFloat16,

    /// <summary>Rounded to float16, on a device.</summary>
    Float16,
}
