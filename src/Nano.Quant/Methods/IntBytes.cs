namespace Nano;

/// <summary>
/// Bytes with one scale, for whole tensors or for each row (Jacob et al., "Quantization and Training
/// of Neural Networks for Efficient Integer-Arithmetic-Only Inference", arXiv:1712.05877).
/// <code>
/// absmax       s = max |w| / 127          q = round(w / s)       w ~ s q
/// zero point   s = (max - min) / 255      q = round(w / s) + z   w ~ s (q - z), z = round(-min / s)
/// </code>
/// Absmax needs no sum of the inputs beside the product; the zero point wastes no code where weights
/// have one sign. Ties go to even.
/// </summary>
internal static class IntBytes
{
    /// <summary>The largest code of absmax.</summary>
    public const int Most = 127;

    /// <summary>The scale of absmax, 0 for zeros alone.</summary>
    public static double Scale(ReadOnlySpan<double> weights)
    {
        double largest = 0;
        foreach (double weight in weights)
            largest = Math.Max(largest, Math.Abs(weight));
        return largest / Most;
    }

    /// <summary>Quantises numbers by their largest magnitude.</summary>
    /// <returns>The scale.</returns>
    public static double Absmax(ReadOnlySpan<double> weights, Span<sbyte> codes)
    {
        double scale = Scale(weights);
        for (int i = 0; i < weights.Length; i++)
            codes[i] = (sbyte)Math.Round(weights[i] / (scale == 0 ? 1 : scale));
        return scale;
    }

    /// <summary>Quantises numbers by their range, widened to hold 0.</summary>
    /// <returns>The grid.</returns>
    public static GroupGrid ZeroPoint(ReadOnlySpan<double> weights, Span<byte> codes)
    {
        var grid = GroupGrid.Of(weights, GroupGrid.MostOf(8), GridForm.Exact);
        for (int i = 0; i < weights.Length; i++)
            codes[i] = (byte)grid.Code(weights[i]);
        return grid;
    }

    /// <summary>
    /// A row by absmax as a group of codes from 1 to 255 around 128: the form in which files hold
    /// bytes without a sign.
    /// </summary>
    /// <param name="weights">The row.</param>
    /// <param name="to">Receives it; its groups may be parts of a row, and then all have one grid.</param>
    /// <param name="row">The number of the row there.</param>
    public static void AbsmaxRow(ReadOnlySpan<double> weights, GroupedMatrix to, int row)
    {
        double scale = Scale(weights);
        // float16 may round down, which would take the largest weight beyond the last code.
        var grid = new GroupGrid(scale == 0 ? 1 : GroupGrid.ToHalf(scale), Most + 1, GroupGrid.MostOf(8));
        for (int group = 0; group < to.Groups; group++)
            to[row, group] = grid;
        Span<byte> codes = to.Row(row);
        for (int i = 0; i < codes.Length; i++)
            codes[i] = (byte)Math.Max(1, grid.Code(weights[i]));
    }
}
