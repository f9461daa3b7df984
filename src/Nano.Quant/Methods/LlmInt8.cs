namespace Nano;

/// <summary>
/// LLM.int8() (Dettmers et al., "8-bit Matrix Multiplication for Transformers at Scale",
/// arXiv:2208.07339). A few input channels of a large model are many times larger than the rest;
/// one of them in a row of activations leaves all others a code or two. So the columns of X with a
/// magnitude of 6 or more stay numbers, with the columns of W that they meet, and only the rest is
/// a product of bytes: each row of X and each row of W by its largest magnitude.
/// <code>
/// y[t, n] = sx[t] sw[n] sum_k qx[t, k] qw[n, k]  +  sum over outliers k of x[t, k] w[n, k]
/// </code>
/// </summary>
internal static class LlmInt8
{
    /// <summary>The magnitude from which a column is an outlier.</summary>
    public const double Threshold = 6;

    /// <summary>The columns of X [tokens, columns] with a magnitude of the threshold or more.</summary>
    public static bool[] Outliers(ReadOnlySpan<double> x, int columns, double threshold = Threshold)
    {
        var outliers = new bool[columns];
        for (int i = 0; i < x.Length; i++)
            outliers[i % columns] |= Math.Abs(x[i]) >= threshold;
        return outliers;
    }

    /// <summary>X W^T by bytes except in the columns that are outliers.</summary>
    /// <param name="x">X [tokens, columns].</param>
    /// <param name="w">W [rows, columns].</param>
    /// <param name="outliers">True for each column that stays numbers.</param>
    /// <returns>[tokens, rows].</returns>
    public static double[] Multiply(ReadOnlySpan<double> x, ReadOnlySpan<double> w, bool[] outliers)
    {
        int columns = outliers.Length, tokens = x.Length / columns, rows = w.Length / columns,
            few = outliers.Count(isOutlier => !isOutlier);
        sbyte[] qx = new sbyte[tokens * few], qw = new sbyte[rows * few];
        double[] sx = Quantise(x, outliers, few, qx), sw = Quantise(w, outliers, few, qw);
        var y = new double[tokens * rows];
        for (int t = 0; t < tokens; t++)
            for (int n = 0; n < rows; n++)
            {
                int sum = 0;
                for (int k = 0; k < few; k++)
                    sum += qx[(t * few) + k] * qw[(n * few) + k];
                double exact = 0;
                for (int k = 0; k < columns; k++)
                    if (outliers[k])
                        exact += x[(t * columns) + k] * w[(n * columns) + k];
                y[(t * rows) + n] = (sum * sx[t] * sw[n]) + exact;
            }
        return y;
    }

    /// <summary>The columns that are no outliers as bytes; returns a scale for each row.</summary>
    private static double[] Quantise(ReadOnlySpan<double> matrix, bool[] outliers, int few, Span<sbyte> codes)
    {
        int columns = outliers.Length;
        var scales = new double[matrix.Length / columns];
        var row = new double[few];
        for (int r = 0; r < scales.Length; r++)
        {
            for (int k = 0, at = 0; k < columns; k++)
                if (!outliers[k])
                    row[at++] = matrix[(r * columns) + k];
            scales[r] = IntBytes.Absmax(row, codes.Slice(r * few, few));
        }
        return scales;
    }
}
