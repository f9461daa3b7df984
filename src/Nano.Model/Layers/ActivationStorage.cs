namespace Nano;

/// <summary>The storage format of a block's intermediate values until the backward pass.</summary>
public enum ActivationStorage
{
    /// <summary>As it was computed.</summary>
    Float32,

    /// <summary>
    /// Rounded to bfloat16, in half the memory, see <see cref="BFloat16StorageExtensions"/>; all
    /// arithmetic stays float32.
    /// </summary>
    BFloat16,
}
