namespace Nano;

/// <summary>How what the backward pass needs of the inside of a block waits for it.</summary>
public enum ActivationStorage
{
    /// <summary>As it was computed.</summary>
    Float32,

    /// <summary>Rounded to bfloat16, in half the memory, see <see cref="BFloat16StorageExtensions"/>; all arithmetic stays float32.</summary>
    BFloat16,
}
