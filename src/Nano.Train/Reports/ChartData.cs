namespace Nano;

/// <summary>One point of a series; a Y that is not finite is a gap in the line.</summary>
internal readonly record struct ChartPoint(double X, double Y);

/// <summary>The arithmetic behind the charts: smoothing, thinning out, medians and round tick values.</summary>
internal static class ChartData
{
    /// <summary>
    /// At most <paramref name="maxPoints"/> points: of each bucket of neighbours the lowest and the
    /// highest, in their order, so that no spike is lost. A bucket without a finite value becomes
    /// one gap.
    /// </summary>
    public static IReadOnlyList<ChartPoint> Downsample(IReadOnlyList<ChartPoint> points, int maxPoints)
    {
        if (points.Count <= maxPoints) return points;
        var kept = new List<ChartPoint>(maxPoints);
        int buckets = maxPoints / 2;
        for (int b = 0; b < buckets; b++)
        {
            int start = (int)((long)b * points.Count / buckets), end = (int)((long)(b + 1) * points.Count / buckets);
            int low = -1, high = -1;
            for (int i = start; i < end; i++)
            {
                double y = points[i].Y;
                if (!double.IsFinite(y)) continue;
                if (low < 0 || y < points[low].Y) low = i;
                if (high < 0 || y > points[high].Y) high = i;
            }
            if (low < 0) kept.Add(points[start] with { Y = double.NaN });
            else
            {
                kept.Add(points[Math.Min(low, high)]);
                if (low != high) kept.Add(points[Math.Max(low, high)]);
            }
        }
        return kept;
    }

    /// <summary>
    /// Mean over <paramref name="half"/> neighbours on either side. The window narrows towards the
    /// first point, where losses fall steeply, and is cut off at the last. Values that are not
    /// finite are left out of the mean.
    /// </summary>
    public static IReadOnlyList<ChartPoint> Smooth(IReadOnlyList<ChartPoint> points, int half)
    {
        double[] means = MovingMeans([.. points.Select(point => double.IsFinite(point.Y) ? (point.Y, 1) : (0, 0))],
            half);
        return [.. points.Select((point, i) => point with { Y = means[i] })];
    }

    /// <summary>
    /// The moving means of <see cref="Smooth"/>, for neighbours that each have a sum and a count;
    /// NaN where nothing was counted.
    /// </summary>
    public static double[] MovingMeans(IReadOnlyList<(double Sum, int Count)> values, int half)
    {
        var sums = new double[values.Count + 1];
        var counts = new long[values.Count + 1];
        for (int i = 0; i < values.Count; i++)
            (sums[i + 1], counts[i + 1]) = (sums[i] + values[i].Sum, counts[i] + values[i].Count);
        var means = new double[values.Count];
        for (int i = 0; i < means.Length; i++)
        {
            int reach = Math.Min(half, i), start = i - reach, end = Math.Min(values.Count, i + reach + 1);
            means[i] = (sums[end] - sums[start]) / (counts[end] - counts[start]);
        }
        return means;
    }

    /// <summary>The middle of the finite values (the upper of two), or NaN if there is none.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Where(double.IsFinite).Order()];
        return sorted.Length == 0 ? double.NaN : sorted[sorted.Length / 2];
    }

    /// <summary>
    /// Multiples of 1, 2 or 5 times a power of ten, about <paramref name="count"/> of them, that
    /// enclose the range.
    /// </summary>
    public static double[] Ticks(double low, double high, int count)
    {
        double size = Math.Max(Math.Abs(low), Math.Abs(high));
        if (!(high - low > Math.Max(1e-9 * size, 1e-30)))
        {
            double pad = size > 1e-30 ? 0.1 * size : 1;
            (low, high) = (low - pad, high + pad);
        }
        double raw = (high - low) / count, power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        double step = power * ((raw / power) switch { <= 1.001 => 1, <= 2.001 => 2, <= 5.001 => 5, _ => 10 });
        double first = Math.Floor(low / step + 1e-6), last = Math.Ceiling(high / step - 1e-6);
        var ticks = new double[(int)(last - first) + 1];
        for (int i = 0; i < ticks.Length; i++) ticks[i] = (first + i) * step + 0.0;
        return ticks;
    }
}
