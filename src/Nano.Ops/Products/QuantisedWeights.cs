namespace Nano;

/// <summary>
/// Quantised weights in ops that are differentiated: they are dequantised for the time of a product,
/// and once more in the backward pass, so that both have the bits of the dequantised weights in
/// float32 rows. The weights themselves have no gradient.
/// </summary>
internal static class QuantisedWeights
{
    /// <summary>
    /// The weight as products that are differentiated, or are part of a backward pass, read it: of a
    /// quantised one its float32 rows, which the caller releases; any other itself.
    /// </summary>
    public static unsafe Tensor Widened(this Compute compute, Tensor weight)
    {
        if (weight.PackedAs is not { } type || !WeightTypes.IsQuantised(type))
            return weight;
        var rows = compute.New(weight.Shape);
        rows.WantsGradient = false;
        compute.For(weight.Shape[0], Compute.RowsPerChunk(weight.Shape[1]), 0,
            new Widen(QuantPanels.Of(weight), rows.Pointer));
        return rows;
    }

    /// <summary>Releases what <see cref="Widened"/> has made of a weight.</summary>
    public static void Release(this Compute compute, Tensor widened, Tensor weight)
    {
        if (widened != weight)
            compute.Release(widened);
    }

    private readonly unsafe struct Widen(QuantPanels from, float* to) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                from.Unpack((int)row, to + (row * from.K));
        }
    }
}
