namespace Nano;

/// <summary>
/// AWQ (Lin et al., "Activation-aware Weight Quantization", arXiv:2306.00978). The weights of the
/// few channels with large inputs matter most. Multiplied by s > 1 before rounding, and their input
/// divided by it, their error shrinks by s as long as the grids of their groups stay as wide:
/// <code>
/// s_j = mean |x_j|^a / sqrt(max s min s)   W ~ round(W s) / s   a = 0, 0.05 .. 0.95
/// </code>
/// The a with the smallest error of the outputs is chosen. With D the errors of the weights that is
/// the trace of D (X^T X) D^T, so the inputs themselves are not needed.
/// </summary>
internal static class Awq
{
    /// <summary>The number of powers that are tried.</summary>
    public const int Tries = 20;

    private const double Least = 1e-4;

    /// <summary>The choice of a power.</summary>
    /// <param name="Scales">The scale of each channel.</param>
    /// <param name="Power">The power of the mean input.</param>
    /// <param name="Errors">The mean squared error of the outputs for each power.</param>
    public sealed record Choice(double[] Scales, double Power, double[] Errors);

    /// <summary>Chooses the scales of the channels that some matrices read.</summary>
    /// <param name="matrices">The matrices, each [rows, columns].</param>
    /// <param name="gram">X^T X / tokens, [columns, columns].</param>
    /// <param name="means">The mean magnitude of each channel.</param>
    /// <param name="group">Columns of a group.</param>
    /// <param name="bits">Bits of a code.</param>
    /// <param name="threads">The threads to use.</param>
    /// <param name="form">The numbers that grids may have.</param>
    public static Choice Choose(IReadOnlyList<double[]> matrices, double[] gram, double[] means, int group, int bits,
        ParallelOptions threads, GridForm form = GridForm.Exact)
    {
        int rows = matrices.Sum(matrix => matrix.Length / means.Length);
        var errors = new double[Tries];
        for (int i = 0; i < Tries; i++)
        {
            double[] scales = Scales(means, i / (double)Tries);
            foreach (double[] matrix in matrices)
                errors[i] += Error(matrix, gram, scales, group, bits, threads, form) / rows;
        }
        int best = Array.IndexOf(errors, errors.Min());
        double power = best / (double)Tries;
        return new Choice(Scales(means, power), power, errors);
    }

    private static double[] Scales(double[] means, double power)
    {
        double[] scales = [.. means.Select(mean => Math.Pow(Math.Max(Least, mean), power))];
        double middle = Math.Sqrt(scales.Max() * scales.Min());
        return [.. scales.Select(scale => scale / middle)];
    }

    /// <summary>The sum over rows of the mean squared error of their outputs.</summary>
    private static double Error(double[] matrix, double[] gram, double[] scales, int group, int bits,
        ParallelOptions threads, GridForm form)
    {
        int columns = scales.Length;
        var ofRows = new double[matrix.Length / columns];
        Parallel.For(0, ofRows.Length, threads, row =>
        {
            ReadOnlySpan<double> weights = matrix.AsSpan(row * columns, columns);
            double[] scaled = new double[columns], error = new double[columns];
            for (int j = 0; j < columns; j++)
                scaled[j] = weights[j] * scales[j];
            var codes = new GroupedMatrix(1, columns, group, bits);
            RoundToNearest.Quantise(scaled, codes, 0, form);
            codes.Dequantise(0, error);
            for (int j = 0; j < columns; j++)
                error[j] = (error[j] / scales[j]) - weights[j];
            var product = new double[columns];
            for (int i = 0; i < columns; i++)
                Triangular.Subtract(product, -error[i], gram.AsSpan(i * columns, columns));
            for (int j = 0; j < columns; j++)
                ofRows[row] += error[j] * product[j];
        });
        double sum = 0;
        foreach (double error in ofRows)
            sum += error;
        return sum;
    }
}
