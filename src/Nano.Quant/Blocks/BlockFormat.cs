namespace Nano;

/// <summary>
/// A storage format of weights, chosen at run time: its sizes, and rows of floats to bytes and
/// back. A row of a quantised format is a whole number of blocks.
/// </summary>
internal abstract class BlockFormat
{
    private static readonly BlockFormat[] All =
    [
        new PlainFormat(WeightType.F32), new PlainFormat(WeightType.F16), new PlainFormat(WeightType.BF16),
        new PlainFormat(WeightType.F8_E4M3), new PlainFormat(WeightType.F8_E5M2),
        new BlockFormat<Q4_0>(), new BlockFormat<Q4_1>(), new BlockFormat<Q5_0>(), new BlockFormat<Q5_1>(),
        new BlockFormat<Q8_0>(), new BlockFormat<Q2_K>(), new BlockFormat<Q3_K>(), new BlockFormat<Q4_K>(),
        new BlockFormat<Q5_K>(), new BlockFormat<Q6_K>(), new BlockFormat<IQ4_NL>(), new BlockFormat<IQ4_XS>(),
        new BlockFormat<TQ1_0>(), new BlockFormat<TQ2_0>(), new BlockFormat<MXFP4>(), new BlockFormat<NVFP4>(),
        new BlockFormat<Int4>(), new BlockFormat<Int8>(),
    ];

    private static readonly Dictionary<WeightType, BlockFormat> ByType = All.ToDictionary(format => format.Type);

    /// <summary>The format of a type.</summary>
    public static BlockFormat Of(WeightType type) => ByType[type];

    /// <summary>The type of its weights.</summary>
    public abstract WeightType Type { get; }

    /// <summary>Weights in a block: 1 for plain numbers.</summary>
    public abstract int Weights { get; }

    /// <summary>Bytes of a block.</summary>
    public abstract int Bytes { get; }

    /// <summary>True if its weights have minima.</summary>
    public virtual bool HasMinimum => false;

    /// <inheritdoc cref="IBlockFormat.SharedScale"/>
    public virtual int SharedScale => -1;

    /// <inheritdoc cref="IBlockFormat.SharedMinimum"/>
    public virtual int SharedMinimum => -1;

    /// <summary>Takes one block apart.</summary>
    /// <exception cref="NotSupportedException">These are plain numbers.</exception>
    public virtual void Decode(ReadOnlySpan<byte> block, Decoded to) => throw new NotSupportedException($"{Type}");

    /// <summary>Gives each number of one block the value that the block stores in its place.</summary>
    /// <param name="block">The numbers.</param>
    /// <param name="scales">Receives the scale of each sixteen of them.</param>
    /// <returns>False if a number is not finite, or a scale beyond the format.</returns>
    /// <exception cref="NotSupportedException">These are plain numbers.</exception>
    public virtual bool Round(Span<float> block, Span<float> scales) => throw new NotSupportedException($"{Type}");

    /// <summary>True if a row of this length is a whole number of blocks.</summary>
    public bool Divides(long row) => row % Weights == 0;

    /// <summary>Bytes of a number of weights, which are whole blocks.</summary>
    public long BytesOf(long weights) => Divides(weights) ? checked(weights / Weights * Bytes)
        : throw new ArgumentException($"{weights} weights are no whole blocks of {Type}, which hold {Weights}");

    /// <summary>Whole blocks as floats.</summary>
    /// <exception cref="ArgumentException">The bytes are no whole blocks, or those of another number of weights.
    /// </exception>
    public void Dequantise(ReadOnlySpan<byte> blocks, Span<float> weights)
    {
        Check(blocks.Length, weights.Length);
        DequantiseBlocks(blocks, weights);
    }

    /// <summary>A row of floats as whole blocks.</summary>
    /// <param name="row">The row: all of it, since importance counts relative to its mean square.</param>
    /// <param name="blocks">Receives the bytes.</param>
    /// <param name="importance">The mean squared input of each column, or empty.</param>
    /// <exception cref="ArgumentException">The row is no whole number of blocks, or the bytes or the importance are
    /// those of another number of weights.</exception>
    /// <exception cref="QuantisationException">A weight is NaN or infinite, or a block is beyond the format's
    /// range.</exception>
    public void Quantise(ReadOnlySpan<float> row, Span<byte> blocks, ReadOnlySpan<float> importance = default)
    {
        Check(blocks.Length, row.Length);
        if (!importance.IsEmpty && importance.Length != row.Length)
            throw new ArgumentException($"{importance.Length} columns of importance for a row of {row.Length}");
        QuantiseBlocks(row, blocks, importance);
    }

    /// <summary>Dequantises what fits.</summary>
    protected abstract void DequantiseBlocks(ReadOnlySpan<byte> blocks, Span<float> weights);

    /// <summary>Quantises what fits.</summary>
    protected abstract void QuantiseBlocks(ReadOnlySpan<float> row, Span<byte> blocks, ReadOnlySpan<float> importance);

    private void Check(int bytes, int weights)
    {
        if (bytes % Bytes != 0 || bytes != BytesOf(weights))
            throw new ArgumentException($"{bytes} bytes are not the blocks of {weights} weights of {Type}: each holds "
                + $"{Weights} in {Bytes} bytes");
    }

    /// <summary>Numbers that are stored one by one.</summary>
    private sealed class PlainFormat(WeightType type) : BlockFormat
    {
        public override WeightType Type => type;

        public override int Weights => 1;

        public override int Bytes => WeightTypes.SizeOf(type);

        protected override void DequantiseBlocks(ReadOnlySpan<byte> blocks, Span<float> weights) =>
            WeightTypes.Widen(type, blocks, weights);

        protected override void QuantiseBlocks(ReadOnlySpan<float> row, Span<byte> blocks,
            ReadOnlySpan<float> importance) => WeightTypes.Narrow(type, row, blocks);
    }
}

/// <summary>The face of a format of blocks.</summary>
internal sealed class BlockFormat<F> : BlockFormat where F : struct, IBlockFormat
{
    public override WeightType Type => F.Type;

    public override int Weights => F.Weights;

    public override int Bytes => F.Bytes;

    protected override void DequantiseBlocks(ReadOnlySpan<byte> blocks, Span<float> weights)
    {
        Span<sbyte> codes = stackalloc sbyte[F.Weights];
        Span<float> scales = stackalloc float[F.Weights / Decoded.Part],
            minima = stackalloc float[F.Weights / Decoded.Part];
        var decoded = new Decoded(codes, scales, minima);
        for (; !blocks.IsEmpty; blocks = blocks[F.Bytes..], weights = weights[F.Weights..])
        {
            F.Decode(blocks[..F.Bytes], decoded);
            decoded.WriteTo(weights, F.HasMinimum);
        }
    }

    public override bool HasMinimum => F.HasMinimum;

    public override int SharedScale => F.SharedScale;

    public override int SharedMinimum => F.SharedMinimum;

    public override bool Round(Span<float> block, Span<float> scales)
    {
        foreach (float x in block)
            if (!float.IsFinite(x))
                return false;
        Span<byte> bytes = stackalloc byte[F.Bytes];
        if (!F.Quantise(block, default, bytes))
            return false;
        Span<sbyte> codes = stackalloc sbyte[F.Weights];
        Span<float> minima = stackalloc float[F.Weights / Decoded.Part];
        var decoded = new Decoded(codes, scales, minima);
        F.Decode(bytes, decoded);
        decoded.WriteTo(block, F.HasMinimum);
        return true;
    }

    public override void Decode(ReadOnlySpan<byte> block, Decoded to) => F.Decode(block, to);

    protected override void QuantiseBlocks(ReadOnlySpan<float> row, Span<byte> blocks, ReadOnlySpan<float> importance)
    {
        CheckFinite(row, "weight");
        CheckFinite(importance, "importance");
        float meanSquare = 0;
        if (!importance.IsEmpty)
        {
            foreach (float x in row)
                meanSquare += x * x;
            meanSquare /= row.Length;
        }
        for (int at = 0; at < row.Length; at += F.Weights, blocks = blocks[F.Bytes..])
        {
            var known = importance.IsEmpty ? default : new Importance(importance.Slice(at, F.Weights), meanSquare);
            if (!F.Quantise(row.Slice(at, F.Weights), known, blocks[..F.Bytes]))
                throw new QuantisationException(
                    $"the {F.Weights} weights from here on need a scale beyond float16, which {F.Type} stores", at);
        }
    }

    private static void CheckFinite(ReadOnlySpan<float> numbers, string name)
    {
        for (int i = 0; i < numbers.Length; i++)
            if (!float.IsFinite(numbers[i]))
                throw new QuantisationException(
                    FormattableString.Invariant($"the {name} is {numbers[i]}; {F.Type} holds finite numbers"), i);
    }
}
