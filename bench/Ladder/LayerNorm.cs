namespace Nano.Ladder;

/// <summary>
/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over each row. About 8 operations for
/// an element that is read once and written once, 8 bytes: memory is the ceiling that binds, if the
/// sums do not wait. The ceiling in the table is that of reading alone; what is written leaves
/// beside it, and a part of the matrix may still be in the last cache, so a step can reach more
/// than 100 %.
/// </summary>
internal sealed unsafe class LayerNorm<S, V> : Ladder where S : ISimd<V> where V : unmanaged
{
    private const float Epsilon = 1e-5f;

    /// <summary>
    /// The definition: the mean, then the variance around it, then the result. Each addition waits
    /// for the one before it, 3 or 4 cycles, twice per element: that chain binds, a tenth of what
    /// memory could deliver.
    /// </summary>
    public static void Scalar(int rows, int n, float* x, float* weight, float* bias, float* y)
    {
        for (int row = 0; row < rows; row++, x += n, y += n)
        {
            float sum = 0, squares = 0;
            for (int i = 0; i < n; i++)
                sum += x[i];
            float mean = sum / n;
            for (int i = 0; i < n; i++)
                squares += (x[i] - mean) * (x[i] - mean);
            float r = 1 / MathF.Sqrt((squares / n) + Epsilon);
            for (int i = 0; i < n; i++)
                y[i] = MathF.FusedMultiplyAdd((x[i] - mean) * r, weight[i], bias[i]);
        }
    }

    /// <summary>
    /// Tempting: sum x and sum x^2 in one loop, since variance = mean of x^2 - mean^2. Two chains
    /// run side by side and a loop is saved. But for rows around 1000 both terms are 10^6, where
    /// float32 has a spacing of 0.06, and their difference should be 1: every digit is gone, the
    /// difference may be negative and its root NaN. The check runs it on such rows and sees it
    /// fail. Rejected, however fast.
    /// </summary>
    public static void OnePass(int rows, int n, float* x, float* weight, float* bias, float* y)
    {
        for (int row = 0; row < rows; row++, x += n, y += n)
        {
            float sum = 0, squares = 0;
            for (int i = 0; i < n; i++)
            {
                sum += x[i];
                squares += x[i] * x[i];
            }
            float mean = sum / n;
            float r = 1 / MathF.Sqrt((squares / n) - (mean * mean) + Epsilon);
            for (int i = 0; i < n; i++)
                y[i] = MathF.FusedMultiplyAdd((x[i] - mean) * r, weight[i], bias[i]);
        }
    }

    /// <summary>
    /// S.Lanes partial sums in the lanes of a vector (16 with AVX-512): the chain is as many times
    /// shorter, and each partial sum is smaller, so it rounds less: look at the error column. Here
    /// as three passes over the whole matrix, as operations in a library follow each other: x comes
    /// from memory three times.
    /// </summary>
    public static void VectorsInPasses(int rows, int n, float* x, float* weight, float* bias, float* y, float* mean,
        float* inverseStd)
    {
        for (int row = 0; row < rows; row++)
            mean[row] = Sum(n, x + ((nint)row * n)) / n;
        for (int row = 0; row < rows; row++)
            inverseStd[row] = 1 / MathF.Sqrt((SquaredDistance(n, x + ((nint)row * n), mean[row]) / n) + Epsilon);
        for (int row = 0; row < rows; row++)
            Normalize(n, x + ((nint)row * n), weight, bias, mean[row], inverseStd[row], y + ((nint)row * n));
    }

    /// <summary>
    /// The three passes on one row after the other. A row of 768 is 3 KB, so the second and third
    /// find it in the first-level cache: x comes from memory once, and memory binds. (Two chains of
    /// n / S.Lanes additions per row are left, but the processor works on the next row while they
    /// wait: summing four rows side by side was tried and gained nothing from a cache, and lost two
    /// fifths from memory.)
    /// </summary>
    public static void Fused(int rows, int n, float* x, float* weight, float* bias, float* y)
    {
        for (int row = 0; row < rows; row++, x += n, y += n)
        {
            float mean = Sum(n, x) / n;
            float r = 1 / MathF.Sqrt((SquaredDistance(n, x, mean) / n) + Epsilon);
            Normalize(n, x, weight, bias, mean, r, y);
        }
    }

    private static float Sum(int n, float* x)
    {
        V sums = S.Splat(0);
        int i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
            sums = S.Add(sums, S.Load(x + i));
        float sum = Lanes.Sum<S, V>(sums);
        for (; i < n; i++)
            sum += x[i];
        return sum;
    }

    private static float SquaredDistance(int n, float* x, float mean)
    {
        V sums = S.Splat(0), m = S.Splat(mean);
        int i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            V d = S.Subtract(S.Load(x + i), m);
            sums = S.Fma(d, d, sums);
        }
        float sum = Lanes.Sum<S, V>(sums);
        for (; i < n; i++)
            sum += (x[i] - mean) * (x[i] - mean);
        return sum;
    }

    private static void Normalize(int n, float* x, float* weight, float* bias, float mean, float r, float* y)
    {
        V m = S.Splat(mean), s = S.Splat(r);
        int i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
            S.Store(y + i, S.Fma(S.Multiply(S.Subtract(S.Load(x + i), m), s), S.Load(weight + i), S.Load(bias + i)));
        for (; i < n; i++)
            y[i] = MathF.FusedMultiplyAdd((x[i] - mean) * r, weight[i], bias[i]);
    }

    private readonly int rows, columns;
    private readonly Tensor x, weight, bias;

    /// <summary>
    /// Around 1000 the scalar sum of 768 numbers is off by some thousandths of a standard
    /// deviation; that is allowed there.
    /// </summary>
    public LayerNorm(int rows, int columns) : base("layernorm", $"{rows} rows of {columns}", 8.0 * rows * columns,
        Unit.Bytes, 1e-5)
    {
        (this.rows, this.columns, HardTolerance) = (rows, columns, 5e-3);
        (x, weight, bias) = (Random(new Shape(rows, columns), 4), Random(new Shape(columns), 5),
            Random(new Shape(columns), 6));
    }

    /// <summary>Step 5 is what Nano trains with, step 6 shares the rows.</summary>
    public override IReadOnlyList<Step> Steps(Compute one, Compute all)
    {
        Tensor y = new(x.Shape), means = new(new Shape(rows)), stds = new(new Shape(rows));
        float* px = PointerOf(x), w = PointerOf(weight), b = PointerOf(bias), py = PointerOf(y),
            mean = PointerOf(means), std = PointerOf(stds);
        Step With(string name, string adds, Action run) => new(name, adds, y, run, [x, weight, bias, y, means, stds]);
        return
        [
            With("scalar", "mean, variance, result", () => Scalar(rows, columns, px, w, b, py)),
            With("one-pass variance", "a loop less; wrong around 1000",
                () => OnePass(rows, columns, px, w, b, py)) with { FailsOnHardRows = true },
            With("vectors in passes", $"{S.Lanes} partial sums",
                () => VectorsInPasses(rows, columns, px, w, b, py, mean, std)),
            With("fused", "x comes from memory once", () => Fused(rows, columns, px, w, b, py)),
            Step.OfNano("Nano, one thread", "the same bits at every width", one,
                () => one.LayerNorm(x, weight, bias, Epsilon)),
            Step.OfNano("Nano, all threads", "rows shared by threads", all,
                () => all.LayerNorm(x, weight, bias, Epsilon)),
        ];
    }

    /// <summary>Rows around 1000.</summary>
    public override void MakeHard()
    {
        foreach (ref float value in x.Data)
            value += 1000;
    }

    public override double[] Reference()
    {
        var y = new double[x.Length];
        for (int row = 0; row < rows; row++)
        {
            var from = x.Data.Slice(row * columns, columns);
            double mean = 0, variance = 0;
            foreach (float value in from)
                mean += value / (double)columns;
            foreach (float value in from)
                variance += (value - mean) * (value - mean) / columns;
            for (int i = 0; i < columns; i++)
                y[(row * columns) + i] = ((from[i] - mean) / Math.Sqrt(variance + Epsilon) * weight.Data[i])
                    + bias.Data[i];
        }
        return y;
    }
}
