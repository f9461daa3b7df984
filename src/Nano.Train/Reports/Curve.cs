namespace Nano;

/// <summary>
/// One number of every step of a run, in bounded memory. Up to the capacity every value is kept;
/// beyond it neighbours are merged into buckets, twice as many steps to a bucket each time all are
/// full, that keep sum, lowest, highest and last value: peaks and means stay exact, only the order
/// within a bucket is lost. What is kept depends on nothing but the values added.
/// </summary>
internal sealed class Curve(int capacity)
{
    private readonly List<Bucket> buckets = [];
    private int width = 1;

    /// <summary>
    /// Steps in <see cref="Sum"/> and the rest; of values that are not finite only
    /// <see cref="Last"/> tells.
    /// </summary>
    private readonly record struct Bucket(int LastStep, int Count, int Finite, double Sum, int LowStep, double Low,
        int HighStep, double High, double Last)
    {
        public static Bucket Of(int step, double value) => double.IsFinite(value)
            ? new Bucket(step, 1, 1, value, step, value, step, value, value)
            : new Bucket(step, 1, 0, 0, step, double.PositiveInfinity, step, double.NegativeInfinity, value);

        public Bucket With(Bucket next)
        {
            bool lower = next.Low < Low, higher = next.High > High;
            return new Bucket(next.LastStep, Count + next.Count, Finite + next.Finite, Sum + next.Sum,
                lower ? next.LowStep : LowStep, lower ? next.Low : Low,
                higher ? next.HighStep : HighStep, higher ? next.High : High, next.Last);
        }
    }

    /// <summary>Values added, without those dropped.</summary>
    public long Count { get; private set; }

    /// <summary>The first step; there must be one.</summary>
    public int FirstStep { get; private set; }

    /// <summary>The last step; there must be one.</summary>
    public int LastStep => buckets[^1].LastStep;

    /// <summary>
    /// Of each bucket the lowest and the highest value in their order; every value while there is
    /// one to a bucket.
    /// </summary>
    public IReadOnlyList<ChartPoint> Points
    {
        get
        {
            var points = new List<ChartPoint>(width == 1 ? buckets.Count : 2 * buckets.Count);
            foreach (var bucket in buckets)
                if (bucket.Finite == 0)
                    points.Add(new ChartPoint(bucket.LowStep, bucket.Count == 1 ? bucket.Last : double.NaN));
                else
                    Add(points, new ChartPoint(bucket.LowStep, bucket.Low),
                        new ChartPoint(bucket.HighStep, bucket.High));
            return points;
        }
    }

    /// <summary>The last value of each bucket: every value, or a sample at equal distances.</summary>
    public IEnumerable<double> Sample => buckets.Select(bucket => bucket.Last);

    /// <summary>
    /// Steps on either side that a running mean of a chart reaches over; 0 where there are too few
    /// steps for one.
    /// </summary>
    public int Reach => buckets.Count / 80 * width;

    /// <summary>
    /// The mean over <see cref="Reach"/> neighbours on either side, at the steps of
    /// <see cref="Points"/>.
    /// </summary>
    public IReadOnlyList<ChartPoint> Means
    {
        get
        {
            double[] means = ChartData.MovingMeans([.. buckets.Select(bucket => (bucket.Sum, bucket.Finite))],
                buckets.Count / 80);
            var points = new List<ChartPoint>();
            for (int i = 0; i < buckets.Count; i++)
                Add(points, new ChartPoint(buckets[i].LowStep, means[i]),
                    new ChartPoint(buckets[i].HighStep, means[i]));
            return points;
        }
    }

    /// <summary>Adds the value of the next step.</summary>
    public void Add(int step, double value)
    {
        if (Count++ == 0)
            FirstStep = step;
        var added = Bucket.Of(step, value);
        if (buckets.Count > 0 && buckets[^1].Count < width)
        {
            buckets[^1] = buckets[^1].With(added);
            return;
        }
        if (buckets.Count == capacity)
            Halve();
        buckets.Add(added);
    }

    /// <summary>Drops what came after a step, and a bucket that reaches beyond it.</summary>
    public void DropAfter(int step)
    {
        while (buckets.Count > 0 && buckets[^1].LastStep > step)
        {
            Count -= buckets[^1].Count;
            buckets.RemoveAt(buckets.Count - 1);
        }
    }

    private void Halve()
    {
        for (int i = 0; i < buckets.Count / 2; i++)
            buckets[i] = buckets[2 * i].With(buckets[(2 * i) + 1]);
        buckets.RemoveRange(buckets.Count / 2, buckets.Count / 2);
        width *= 2;
    }

    private static void Add(List<ChartPoint> points, ChartPoint low, ChartPoint high)
    {
        points.Add(low.X <= high.X ? low : high);
        if (low.X != high.X)
            points.Add(low.X < high.X ? high : low);
    }
}
