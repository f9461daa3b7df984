namespace Nano;

/// <summary>RMS normalisation in other forms, as methods of <see cref="Compute"/>.</summary>
public static class RmsNormForms
{
    /// <summary>
    /// x / rms(x) (1 + w) over each row (Gemma): the weight is stored as its distance to 1.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor RmsNormPlusOne(this Compute compute, Tensor x, Tensor weight, float epsilon) =>
        compute.RmsNorm(x, compute.Scale(weight, 1, 1), epsilon);

    /// <summary>
    /// rmsnorm(x silu(gate)) w over each row (Dao and Gu, "Mamba-2", 2024): the gate is inside the
    /// norm.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor GatedRmsNorm(this Compute compute, Tensor x, Tensor gate, Tensor weight, float epsilon) =>
        compute.RmsNorm(compute.SwiGlu(gate, x), weight, epsilon);
}
