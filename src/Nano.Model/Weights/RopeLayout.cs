namespace Nano;

/// <summary>
/// The two orders in which rows of query and key projections lie. Rotary positions turn pairs of
/// channels; transformers pairs channel i of a head with i + D/2 (rotate-half), Meta's code,
/// llama2.c and GGUF's "llama" pair 2i with 2i + 1 (interleaved). The same pairs, named otherwise:
/// moving the rows makes one model of the other. Our models have rotate-half.
/// </summary>
internal static class RopeLayout
{
    /// <summary>From interleaved rows, as a file has them, to rotate-half.</summary>
    public static ModelTensor ToRotateHalf(ModelTensor tensor, int headDim) => tensor.WithRows(row =>
    {
        int within = row % headDim;
        return row - within + (2 * (within % (headDim / 2))) + (within / (headDim / 2));
    });

    /// <summary>From rotate-half rows to interleaved, as a file wants them.</summary>
    public static ModelTensor ToInterleaved(ModelTensor tensor, int headDim) => tensor.WithRows(row =>
    {
        int within = row % headDim;
        return row - within + (within / 2) + (within % 2 * (headDim / 2));
    });
}
