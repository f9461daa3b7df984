namespace Nano;

/// <summary>
/// NF4 of QLoRA (arXiv:2305.14314): blocks of 64 weights of a flat tensor, each coded relative to
/// its largest magnitude by sixteen numbers at the quantiles of a normal distribution. Two codes to
/// a byte, the first in the high bits. Double quantisation stores the largest magnitudes in bytes.
/// </summary>
internal static class NormalFloat4
{
    /// <summary>Weights in a block.</summary>
    public const int Block = 64;

    /// <summary>Blocks whose largest magnitudes are quantised together.</summary>
    public const int Group = 256;

    private static ReadOnlySpan<float> Table =>
    [
        -1f, -0.6961928f, -0.52507305f, -0.3949175f, -0.28444138f, -0.18477343f, -0.091050036f, 0f, 0.0795803f,
        0.1609302f, 0.2461123f, 0.33791524f, 0.44070983f, 0.562617f, 0.72295684f, 1f,
    ];

    private static readonly float[] Dynamic = DynamicTable();

    /// <summary>Bytes of the codes of a number of weights.</summary>
    public static int BytesOf(int weights) => weights % Block == 0 ? weights / 2
        : throw new ArgumentException($"{weights} weights are no whole blocks of NF4, which hold {Block}");

    /// <summary>Quantises a tensor.</summary>
    /// <param name="weights">Its elements, a multiple of 64.</param>
    /// <param name="codes">Receives half as many bytes.</param>
    /// <param name="magnitudes">Receives the largest magnitude of each block.</param>
    /// <exception cref="QuantisationException">A weight is NaN or infinite.</exception>
    public static void Quantise(ReadOnlySpan<float> weights, Span<byte> codes, Span<float> magnitudes)
    {
        Check(weights.Length, codes.Length, magnitudes.Length);
        for (int block = 0; block < magnitudes.Length; block++)
        {
            ReadOnlySpan<float> x = weights.Slice(block * Block, Block);
            for (int i = 0; i < x.Length; i++)
                if (!float.IsFinite(x[i]))
                    throw new QuantisationException(
                        FormattableString.Invariant($"the weight is {x[i]}; NF4 holds finite numbers"),
                        (block * Block) + i);
            magnitudes[block] = MathF.Abs(Rounding.Largest(x));
            float inverse = Rounding.Reciprocal(magnitudes[block]);
            Span<byte> bytes = codes.Slice(block * Block / 2, Block / 2);
            for (int i = 0; i < bytes.Length; i++)
                bytes[i] = (byte)((Nearest(Table, x[2 * i] * inverse) << 4)
                    | Nearest(Table, x[(2 * i) + 1] * inverse));
        }
    }

    /// <summary>A tensor as floats.</summary>
    public static void Dequantise(ReadOnlySpan<byte> codes, ReadOnlySpan<float> magnitudes, Span<float> weights)
    {
        Check(weights.Length, codes.Length, magnitudes.Length);
        for (int i = 0; i < codes.Length; i++)
        {
            float magnitude = magnitudes[i / (Block / 2)];
            weights[2 * i] = Table[codes[i] >> 4] * magnitude;
            weights[(2 * i) + 1] = Table[codes[i] & 15] * magnitude;
        }
    }

    /// <summary>
    /// Quantises the largest magnitudes: their distances from the mean, relative to the largest
    /// distance of each group of 256, by the 256 numbers of the dynamic table.
    /// </summary>
    /// <param name="magnitudes">One per block.</param>
    /// <param name="codes">Receives one byte per block.</param>
    /// <param name="scales">Receives the largest distance of each group.</param>
    /// <returns>The mean.</returns>
    public static float QuantiseMagnitudes(ReadOnlySpan<float> magnitudes, Span<byte> codes, Span<float> scales)
    {
        CheckGroups(magnitudes.Length, codes.Length, scales.Length);
        double sum = 0;
        foreach (float magnitude in magnitudes)
            sum += magnitude;
        float mean = magnitudes.IsEmpty ? 0 : (float)(sum / magnitudes.Length);
        for (int group = 0; group < scales.Length; group++)
        {
            int first = group * Group, end = Math.Min(magnitudes.Length, first + Group);
            float largest = 0;
            for (int i = first; i < end; i++)
                largest = MathF.Max(largest, MathF.Abs(magnitudes[i] - mean));
            scales[group] = largest;
            for (int i = first; i < end; i++)
                codes[i] = (byte)Nearest(Dynamic, largest > 0 ? (magnitudes[i] - mean) / largest : 0);
        }
        return mean;
    }

    /// <summary>The largest magnitudes as floats.</summary>
    public static void DequantiseMagnitudes(ReadOnlySpan<byte> codes, ReadOnlySpan<float> scales, float mean,
        Span<float> magnitudes)
    {
        CheckGroups(magnitudes.Length, codes.Length, scales.Length);
        for (int i = 0; i < codes.Length; i++)
            magnitudes[i] = (Dynamic[codes[i]] * scales[i / Group]) + mean;
    }

    private static void Check(int weights, int bytes, int blocks)
    {
        if (bytes != BytesOf(weights) || blocks != weights / Block)
            throw new ArgumentException(
                $"{bytes} bytes and {blocks} magnitudes are not those of {weights} weights of NF4");
    }

    private static void CheckGroups(int blocks, int codes, int groups)
    {
        if (codes != blocks || groups != (blocks + Group - 1) / Group)
            throw new ArgumentException($"{codes} codes and {groups} scales are not those of {blocks} magnitudes");
    }

    /// <summary>The nearest number of an ascending table; of two equally near the lower.</summary>
    private static int Nearest(ReadOnlySpan<float> table, float x)
    {
        int low = 0, high = table.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (x > ((double)table[middle] + table[middle + 1]) / 2)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    /// <summary>
    /// Numbers of seven orders of magnitude with both signs, twice as dense in each order as in the
    /// one below; 0 and 1.
    /// </summary>
    private static float[] DynamicTable()
    {
        var table = new List<float> { 0, 1 };
        for (int order = 0; order < 7; order++)
        {
            int count = 1 << order;
            double step = 0.9 / count;
            for (int i = 0; i < count; i++)
            {
                // The middle between two of the equally spaced numbers from 0.1 to 1.
                double low = 0.1 + (i * step), high = i + 1 == count ? 1 : 0.1 + ((i + 1) * step);
                var middle = (float)((low + high) / 2 * Math.Pow(10, order - 6));
                table.Add(middle);
                table.Add(-middle);
            }
        }
        table.Sort();
        return [.. table];
    }
}
