using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Nano.Ladder;

/// <summary>
/// y_i = exp(x_i - max x) / sum_j exp(x_j - max x) over rows of GPT-2's vocabulary. An element must
/// be read once and written once, 8 bytes: the ceiling is memory, if exp is fast. The table
/// compares with reading alone, so a step that writes as much as it reads may come near or above
/// 100 %.
/// </summary>
internal sealed unsafe class Softmax<S, V> : Ladder where S : ISimd<V> where V : unmanaged
{
    /// <summary>
    /// Three loops over the row: its maximum, the exponentials and their sum, the division. Taking
    /// the maximum away changes nothing in exact arithmetic and keeps exp from overflowing at 89.
    /// What binds is a call of the C library's exp for each element, a chain of additions and a
    /// division, some 15 cycles in all. One sum of 50,257 small numbers also rounds 50,256 times:
    /// see the error column.
    /// </summary>
    public static void Scalar(int rows, int n, float* x, float* y)
    {
        for (int row = 0; row < rows; row++, x += n, y += n)
        {
            float max = float.NegativeInfinity, sum = 0;
            for (int i = 0; i < n; i++)
                max = x[i] > max ? x[i] : max;
            for (int i = 0; i < n; i++)
                sum += y[i] = MathF.Exp(x[i] - max);
            for (int i = 0; i < n; i++)
                y[i] /= sum;
        }
    }

    /// <summary>
    /// What the platform offers, vectors and all. It takes no maximum away: any x above 88.7 makes
    /// infinity over infinity, NaN. The check runs it on such rows and sees it fail, which is why
    /// Nano does not use it. (Its sum runs in another order at each vector width, too.)
    /// </summary>
    public static void Platform(int rows, int n, float* x, float* y)
    {
        for (int row = 0; row < rows; row++, x += n, y += n)
            TensorPrimitives.SoftMax(new ReadOnlySpan<float>(x, n), new Span<float>(y, n));
    }

    /// <summary>
    /// e^x for x at most 0, in about 16 instructions for S.Lanes numbers at once: x = n ln 2 + r
    /// with |r| at most 0.35, so e^x = 2^n e^r, where 2^n is written straight into the exponent
    /// bits and e^r is a polynomial of degree 6 (fitted by bench/fit_simdmath.py; within 1 unit of
    /// the last digit).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp(V x)
    {
        x = S.Max(S.Splat(-87f), x); // e^-87 = 1.6e-38 is as good as 0 in a sum that holds a 1
        V n = S.Round(S.Multiply(x, S.Splat(1.44269502f)));
        V r = S.Fma(n, S.Splat(-0.693147182f), x);
        V p = S.Fma(S.Splat(0.00138696795f), r, S.Splat(0.00836624857f));
        p = S.Fma(p, r, S.Splat(0.0416674465f));
        p = S.Fma(p, r, S.Splat(0.166665465f));
        p = S.Fma(p, r, S.Splat(0.49999997f));
        p = S.Fma(p, r, S.Splat(1f));
        p = S.Fma(p, r, S.Splat(1f));
        return S.Multiply(p, S.PowerOfTwo(n));
    }

    /// <summary>
    /// The three loops in vectors, exp from the polynomial above and one division per row. The
    /// arithmetic is now about 25 instructions for 16 elements: less time than memory takes to
    /// bring them. What binds: the row (200 KB) is walked three times, from memory, then from the
    /// second-level cache.
    /// </summary>
    public static void Vectors(int rows, int n, float* x, float* y)
    {
        for (int row = 0; row < rows; row++, x += n, y += n)
        {
            float sum = ExpAndSum(n, x, Max(n, x), y);
            Scale(n, y, 1 / sum);
        }
    }

    /// <summary>
    /// Online softmax (Milakov and Gimelshein, 2018) in blocks of 1024: the maximum of a block is
    /// found and its exponentials are taken while the block is in the first-level cache, relative
    /// to the largest so far; when that grows, the running sum is rescaled. The last loop brings
    /// every block to the final maximum while it divides. x is read once; attention is built on the
    /// same idea.
    /// </summary>
    public static void Online(int rows, int n, float* x, float* y, float* blockMax)
    {
        const int block = 1024;
        for (int row = 0; row < rows; row++, x += n, y += n)
        {
            float max = float.NegativeInfinity, sum = 0;
            for (int start = 0; start < n; start += block)
            {
                int count = Math.Min(block, n - start);
                float larger = MathF.Max(max, Max(count, x + start));
                sum = (sum * MathF.Exp(max - larger)) + ExpAndSum(count, x + start, larger, y + start);
                blockMax[start / block] = max = larger;
            }
            for (int start = 0; start < n; start += block)
                Scale(Math.Min(block, n - start), y + start, MathF.Exp(blockMax[start / block] - max) / sum);
        }
    }

    /// <summary>The largest of n elements. Four vectors, because one would be a chain that waits.</summary>
    public static float Max(int n, float* x)
    {
        V m0 = S.Splat(float.NegativeInfinity), m1 = m0, m2 = m0, m3 = m0;
        int i = 0, w = S.Lanes;
        for (; i <= n - (4 * w); i += 4 * w)
        {
            m0 = S.Max(m0, S.Load(x + i));
            m1 = S.Max(m1, S.Load(x + i + w));
            m2 = S.Max(m2, S.Load(x + i + (2 * w)));
            m3 = S.Max(m3, S.Load(x + i + (3 * w)));
        }
        float max = Lanes.Max<S, V>(S.Max(S.Max(m0, m1), S.Max(m2, m3)));
        for (; i < n; i++)
            max = x[i] > max ? x[i] : max;
        return max;
    }

    /// <summary>
    /// y = exp(x - shift); returns the sum. The additions are a chain too, but each waits less than
    /// the exponential it adds takes.
    /// </summary>
    public static float ExpAndSum(int n, float* x, float shift, float* y)
    {
        V sums = S.Splat(0);
        int i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
        {
            V e = Exp(S.Subtract(S.Load(x + i), S.Splat(shift)));
            S.Store(y + i, e);
            sums = S.Add(sums, e);
        }
        float sum = Lanes.Sum<S, V>(sums);
        for (; i < n; i++)
            sum += y[i] = MathF.Exp(x[i] - shift);
        return sum;
    }

    /// <summary>y *= factor.</summary>
    public static void Scale(int n, float* y, float factor)
    {
        int i = 0;
        for (; i <= n - S.Lanes; i += S.Lanes)
            S.Store(y + i, S.Multiply(S.Load(y + i), S.Splat(factor)));
        for (; i < n; i++)
            y[i] *= factor;
    }

    private readonly int rows, columns;
    private readonly Tensor x;

    public Softmax(int rows, int columns) : base("softmax", $"{rows} rows of {columns}", 8.0 * rows * columns,
        Unit.Bytes, 1e-4)
    {
        (this.rows, this.columns, HardTolerance) = (rows, columns, Tolerance);
        x = Random(new Shape(rows, columns), 3);
        foreach (ref float value in x.Data)
            value *= 5;
    }

    /// <summary>
    /// Step 5 is what Nano trains with; its sums run in the same order at every width, which the
    /// ladder's do not. Step 6 shares the rows.
    /// </summary>
    public override IReadOnlyList<Step> Steps(Compute one, Compute all)
    {
        Tensor y = new(x.Shape), scratch = new(new Shape((columns / 1024) + 1));
        float* px = PointerOf(x), py = PointerOf(y), blockMax = PointerOf(scratch);
        Step With(string name, string adds, Action run) => new(name, adds, y, run, [x, y, scratch]);
        return
        [
            With("scalar", "three loops, MathF.Exp", () => Scalar(rows, columns, px, py)),
            With("TensorPrimitives", "vectors; overflows above 88",
                () => Platform(rows, columns, px, py)) with { FailsOnHardRows = true },
            With("vectors", "exp as a polynomial", () => Vectors(rows, columns, px, py)),
            With("online", "x read once, block by block", () => Online(rows, columns, px, py, blockMax)),
            Step.OfNano("Nano, one thread", "the same bits at every width", one, () => one.Softmax(x)),
            Step.OfNano("Nano, all threads", "rows shared by threads", all, () => all.Softmax(x)),
        ];
    }

    /// <summary>Rows around 100: nothing changes in exact arithmetic, but exp(100) is beyond float32.</summary>
    public override void MakeHard()
    {
        foreach (ref float value in x.Data)
            value += 100;
    }

    public override double[] Reference()
    {
        var y = new double[x.Length];
        for (int row = 0; row < rows; row++)
        {
            var from = x.Data.Slice(row * columns, columns);
            var to = y.AsSpan(row * columns, columns);
            double max = TensorPrimitives.Max<float>(from), sum = 0;
            for (int i = 0; i < columns; i++)
                sum += to[i] = Math.Exp(from[i] - max);
            foreach (ref double value in to)
                value /= sum;
        }
        return y;
    }
}
