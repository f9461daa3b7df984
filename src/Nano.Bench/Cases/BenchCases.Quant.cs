namespace Nano;

public static partial class BenchCases
{
    private const int BaseRows = 64;

    // Of the sum of |w| |x|: what activations in 8 bits cost.
    private const double CodeTolerance = 5e-3, TernaryTolerance = 1e-2;

    /// <summary>
    /// Products with weights of every type that is not float32: one token, for which reading the
    /// weight takes the time, and 256 tokens.
    /// </summary>
    public static IEnumerable<BenchCase> Quantised()
    {
        foreach (var type in Enum.GetValues<WeightType>().Where(type =>
            WeightTypes.IsQuantised(type) || type is WeightType.F16 or WeightType.BF16))
        {
            yield return Quantised(type, 1, 8192, 2048);
            yield return Quantised(type, 256, 2048, 2048);
        }
    }

    /// <summary>Y = X W^T with weights of a type: X [M, K], W [N, K], Y [M, N].</summary>
    public static BenchCase Quantised(WeightType type, int m, int n, int k) => new("quant", $"{type}",
        m == 1 ? "one token" : "tokens", $"{m} x {n} x {k}", 2.0 * m * n * k,
        BlockFormat.Of(type).BytesOf((long)n * k) + (sizeof(float) * (((double)m * k) + ((double)m * n))),
        m == 1 ? BenchBound.Read : BenchBound.Arithmetic, () => QuantisedWork(type, m, n, k))
    {
        Codes = SharesOf(type),
    };

    /// <summary>The codes that weights of a type become in memory.</summary>
    internal static CodeShares SharesOf(WeightType type) => !WeightTypes.IsQuantised(type) ? default
        : type is WeightType.Q8_0 or WeightType.IQ4_NL or WeightType.IQ4_XS ? new(0, 1) : new(1, 0);

    private static BenchWork QuantisedWork(WeightType type, int m, int n, int k)
    {
        var format = BlockFormat.Of(type);
        var x = BenchData.Random(1, m, k);
        var rows = BenchData.Random(2, BaseRows, k); // repeated until there are n
        int rowBytes = (int)format.BytesOf(k);
        byte[] blocks = new byte[BaseRows * rowBytes];
        for (int row = 0; row < BaseRows; row++)
            format.Quantise(rows.Data.Slice(row * k, k), blocks.AsSpan(row * rowBytes, rowBytes));
        format.Dequantise(blocks, rows.Data);
        var arena = new Arena();
        int copies = m > 1 ? 1 : (int)Math.Ceiling(OutOfCache / format.BytesOf((long)n * k));
        Tensor[] weights = [.. Enumerable.Range(0, copies).Select(_ => WeightTypes.IsQuantised(type)
            ? QuantPanels.New(arena, new Shape(n, k), type) : Panels.New(arena, new Shape(n, k), type))];
        Parallel.For(0, copies * (n / BaseRows), i => Pack(weights[i / (n / BaseRows)],
            i % (n / BaseRows) * BaseRows, blocks));
        int next = 0;
        int[] shown = Spread(m, (int)Math.Clamp(ScalarFlops / (2.0 * n * k), 1, m));
        var part = shown.Length == m ? x : TakeRows(x, shown);
        Tensor? result = null, checkedRows = null;
        return new BenchWork(c =>
        {
            c.NextStep();
            result = c.Linear(x, weights[next = (next + 1) % copies], null);
            checkedRows = null;
        }, () => [new BenchOutput("product", checkedRows ??= TakeRows(result!, shown), Expected, Tolerance(type))])
        {
            Part = c =>
            {
                c.NextStep();
                checkedRows = c.Linear(part, weights[0], null);
            },
            Release = arena.Dispose,
        };

        (double, double) Expected(long i)
        {
            int row = shown[i / n] * k, column = (int)(i % n) % BaseRows * k;
            double sum = 0, size = 0;
            for (int d = 0; d < k; d++)
            {
                double term = (double)x.Data[row + d] * rows.Data[column + d];
                sum += term;
                size += Math.Abs(term);
            }
            return (sum, size);
        }
    }

    private static double Tolerance(WeightType type) => !WeightTypes.IsQuantised(type) ? 1e-5
        : type is WeightType.TQ1_0 or WeightType.TQ2_0 ? TernaryTolerance : CodeTolerance;

    private static void Pack(Tensor weight, int row, byte[] stored)
    {
        if (WeightTypes.IsQuantised(weight.PackedAs!.Value))
            QuantPanels.Of(weight).Pack(row, stored);
        else
            Panels.Pack(weight, row, stored);
    }
}
