namespace Nano;

/// <summary>
/// A format of quantised weights: blocks of equal size, each a scale or two and a small code per weight. Kernels are
/// written once over it; <see cref="BlockFormat"/> is its face at run time.
/// Layouts and bytes are those of ggml.
/// </summary>
internal interface IBlockFormat
{
    /// <summary>The type whose blocks it reads and writes.</summary>
    static abstract WeightType Type { get; }

    /// <summary>Weights in a block.</summary>
    static abstract int Weights { get; }

    /// <summary>Bytes of a block.</summary>
    static abstract int Bytes { get; }

    /// <summary>True if its weights have minima.</summary>
    static virtual bool HasMinimum => false;

    /// <summary>The byte of a block where a float16 lies whose multiples its scales are, or -1.</summary>
    static virtual int SharedScale => -1;

    /// <summary>The byte of a block where a float16 lies whose negative multiples its minima are, or -1.</summary>
    static virtual int SharedMinimum => -1;

    /// <summary>
    /// Takes one block apart. Products of its scales and codes are exact and a minimum is added with
    /// one rounding, so the bits of a weight depend on no order of operations.
    /// </summary>
    static abstract void Decode(ReadOnlySpan<byte> block, Decoded to);

    /// <summary>
    /// Finite weights as one block. The bytes are defined by float32 arithmetic in this order, each
    /// operation rounded, none fused.
    /// </summary>
    /// <returns>False if a scale lies beyond float16.</returns>
    static abstract bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block);
}

/// <summary>
/// The importance of each weight of a block: the mean squared input of its column. Formats that
/// search no scale ignore it.
/// </summary>
/// <param name="columns">One number per weight, or empty.</param>
/// <param name="meanSquare">The mean of the squared weights of the whole row.</param>
internal readonly ref struct Importance(ReadOnlySpan<float> columns, float meanSquare)
{
    private readonly ReadOnlySpan<float> columns = columns;

    /// <summary>True if nothing is known of the inputs.</summary>
    public bool IsNone => columns.IsEmpty;

    /// <summary>One number per weight.</summary>
    public ReadOnlySpan<float> Columns => columns;

    /// <summary>The mean of the squared weights of the whole row.</summary>
    public float MeanSquare { get; } = meanSquare;

    /// <summary>The weights of errors in a part of the block, which grow with the size of the number there.</summary>
    /// <param name="x">The numbers of the part.</param>
    /// <param name="start">The position of the first of them in the block.</param>
    /// <param name="square">The square that is added to each number's own.</param>
    /// <param name="errorWeights">Receives one weight per number.</param>
    public void ErrorWeights(ReadOnlySpan<float> x, int start, float square, Span<float> errorWeights)
    {
        ReadOnlySpan<float> part = columns.Slice(start, x.Length);
        for (int i = 0; i < part.Length; i++)
            errorWeights[i] = part[i] * MathF.Sqrt(square + (x[i] * x[i]));
    }
}
