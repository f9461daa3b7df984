namespace Nano;

/// <summary>
/// HQQ (Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023). No
/// inputs are needed: the scale of a group is that of its range, and its zero is moved until the
/// error has many small parts and few large ones. With p = 0.7 the norm |w - r|^p is minimised in
/// two steps that alternate,
/// <code>
/// e = shrink(w - r),  shrink(d) = sign(d) max(0, |d| - |d|^(p - 1) / beta)
/// zero = mean over the group of q - (w - e) scale,  beta grows by 1 % a step
/// </code>
/// with q = round(w scale + zero) and r = (q - zero) / scale, as long as the mean |w - r| of the
/// matrix falls, at most 20 times. Here scale counts codes per unit, the reciprocal of a grid's.
/// </summary>
internal static class Hqq
{
    private const int Steps = 20;
    private const double Power = 0.7, FirstBeta = 10, Growth = 1.01, MostScale = 2e4;

    /// <summary>Quantises a matrix [rows, columns].</summary>
    /// <param name="weights">The matrix.</param>
    /// <param name="to">Receives its codes and grids.</param>
    /// <param name="form">The numbers that grids may have.</param>
    /// <returns>The number of steps that brought an improvement.</returns>
    public static int Quantise(double[] weights, GroupedMatrix to, GridForm form = GridForm.Exact)
    {
        int groups = weights.Length / to.Group;
        double[] scales = new double[groups], zeros = new double[groups], moved = new double[groups];
        for (int group = 0; group < groups; group++)
            (scales[group], zeros[group]) = Range(weights.AsSpan(group * to.Group, to.Group), to.Most, form);
        double beta = FirstBeta, best = double.PositiveInfinity;
        int used = 0;
        for (; used < Steps; used++, beta *= Growth)
        {
            double sum = 0;
            for (int group = 0; group < groups; group++)
                sum += Step(weights.AsSpan(group * to.Group, to.Group), to.Most, scales[group], zeros[group], beta,
                    out moved[group]);
            if (sum / weights.Length >= best)
                break;
            best = sum / weights.Length;
            (zeros, moved) = (moved, zeros);
        }
        for (int group = 0; group < groups; group++)
            Write(weights, to, group, scales[group], zeros[group], form);
        return used;
    }

    private static (double Scale, double Zero) Range(ReadOnlySpan<double> weights, int most, GridForm form)
    {
        var (low, high) = GroupGrid.Range(weights);
        double scale = Math.Min(most / (high - low), MostScale);
        if (form != GridForm.Exact)
            scale = 1 / GroupGrid.ToHalf(1 / scale);
        return (scale, Math.Round(-low * scale));
    }

    /// <summary>The sum of |w - r| of a group, and the zero that follows.</summary>
    private static double Step(ReadOnlySpan<double> weights, int most, double scale, double zero, double beta,
        out double next)
    {
        double sum = 0, moved = 0;
        foreach (double w in weights)
        {
            double q = Math.Clamp(Math.Round((w * scale) + zero), 0, most), d = w - ((q - zero) / scale),
                size = Math.Abs(d);
            sum += size;
            double shrunk = size == 0 ? 0
                : Math.Sign(d) * Math.Max(size - (Math.Pow(size, Power - 1) / beta), 0);
            moved += q - ((w - shrunk) * scale);
        }
        next = moved / weights.Length;
        return sum;
    }

    private static void Write(double[] weights, GroupedMatrix to, int group, double scale, double zero, GridForm form)
    {
        if (form == GridForm.Minimum)
            zero = (double)(Half)(zero / scale) * scale;
        else if (form == GridForm.WholeZero)
            zero = Math.Clamp(Math.Round(zero), 1, to.Most);
        (int row, int inRow) = Math.DivRem(group, to.Groups);
        to[row, inRow] = new GroupGrid(1 / scale, zero, to.Most);
        Span<byte> codes = to.Row(row).Slice(inRow * to.Group, to.Group);
        for (int i = 0; i < codes.Length; i++)
            codes[i] = (byte)Math.Clamp(Math.Round((weights[(group * to.Group) + i] * scale) + zero), 0, to.Most);
    }
}
