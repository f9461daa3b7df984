namespace Nano;

/// <summary>Sums over the inputs of some matrices that read one vector.</summary>
/// <param name="columns">Channels of the vector.</param>
/// <param name="hasProducts">True to add up the products of all pairs of channels.</param>
internal sealed class InputStatistics(int columns, bool hasProducts)
{
    private readonly double[] products = hasProducts ? new double[checked(columns * columns)] : [];
    private readonly double[] magnitudes = new double[columns], largest = new double[columns];
    private long tokens;

    /// <summary>The largest magnitude of each channel.</summary>
    public double[] Largest => largest;

    /// <summary>The mean magnitude of each channel.</summary>
    public double[] Means => [.. magnitudes.Select(sum => sum / tokens)];

    /// <summary>X^T X / tokens.</summary>
    public double[] Gram()
    {
        var gram = new double[products.Length];
        for (int i = 0; i < gram.Length; i++)
            gram[i] = products[i] / tokens;
        return gram;
    }

    /// <summary>
    /// Adds the rows of a tensor. Products are added up in float32 over these rows, as a gradient of weights is, and in
    /// double precision over calls.
    /// </summary>
    public void Add(Compute compute, Tensor input)
    {
        ReadOnlySpan<float> x = input.Data;
        for (int start = 0; start < x.Length; start += columns)
            for (int j = 0; j < columns; j++)
            {
                double size = Math.Abs((double)x[start + j]);
                magnitudes[j] += size;
                largest[j] = Math.Max(largest[j], size);
            }
        tokens += input.Shape.Rows;
        if (products.Length == 0)
            return;
        Tensor rows = input.Reshape(new Shape((int)input.Shape.Rows, columns)),
            sums = compute.MatMul(rows, rows, transposeA: true);
        Span<float> added = sums.Data;
        for (int i = 0; i < products.Length; i++)
            products[i] += added[i];
        compute.Release(sums);
    }

    /// <summary>The first channel whose inputs are NaN or infinite, or -1.</summary>
    public int NotFinite => Array.FindIndex(magnitudes, sum => !double.IsFinite(sum));
}
