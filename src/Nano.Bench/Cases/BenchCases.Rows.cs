namespace Nano;

/// <summary>Cases over rows (softmax and the norms), and the double-precision formulas that check the ops.</summary>
public static partial class BenchCases
{
    private const float Epsilon = 1e-5f;

    private static BenchWork Softmax(int rows, int columns)
    {
        var x = BenchData.Random(1, rows, columns);
        return Forward(c => c.Softmax(x), i => Sized(Math.Exp(At(x, i) - LogSumExp(x, i / columns))), x);
    }

    private static BenchWork SoftmaxBackward(int rows, int columns)
    {
        Tensor x = BenchData.Random(1, rows, columns), dy = BenchData.Random(3, rows, columns);
        return Backward(c => c.Softmax(x), dy, () => [new("dx", x.Gradient, i =>
        {
            double normalizer = LogSumExp(x, i / columns),
                mean = Row(i / columns, columns).Sum(j => Math.Exp(At(x, j) - normalizer) * At(dy, j));
            double y = Math.Exp(At(x, i) - normalizer);
            return (y * (At(dy, i) - mean), y * (Math.Abs(At(dy, i)) + 1));
        })]);
    }

    private static BenchWork Norm(int rows, int columns, bool rms)
    {
        Tensor x = BenchData.Random(1, rows, columns), weight = BenchData.Random(2, columns),
            bias = BenchData.Random(4, columns);
        return Forward(c => rms ? c.RmsNorm(x, weight, Epsilon) : c.LayerNorm(x, weight, bias, Epsilon), i =>
        {
            var (mean, scale) = Moments(x, i / columns, rms);
            double h = (At(x, i) - mean) * scale * At(weight, i % columns), b = rms ? 0 : At(bias, i % columns);
            return (h + b, Math.Abs(h) + Math.Abs(b) + 1e-3);
        }, x, weight, bias);
    }

    private static BenchWork NormBackward(int rows, int columns, bool rms)
    {
        Tensor x = BenchData.Random(1, rows, columns), weight = BenchData.Random(2, columns),
            bias = BenchData.Random(4, columns), dy = BenchData.Random(3, rows, columns);
        double H(long i, (double Mean, double Scale) of) => (At(x, i) - of.Mean) * of.Scale;
        double G(long i) => (double)At(dy, i) * At(weight, i % columns);
        (double, double) Dx(long i)
        {
            var moments = Moments(x, i / columns, rms);
            double meanG = rms ? 0 : Row(i / columns, columns).Average(G),
                meanGh = Row(i / columns, columns).Average(j => G(j) * H(j, moments));
            return (moments.Scale * (G(i) - meanG - (H(i, moments) * meanGh)), Math.Abs(G(i)) + 1);
        }
        (double, double) OverRows(Func<long, double> term)
        {
            double sum = 0, size = 0;
            for (int row = 0; row < rows; row++)
            {
                double value = term(row);
                sum += value;
                size += Math.Abs(value);
            }
            return (sum, size);
        }
        (double, double) Dw(long c) =>
            OverRows(row => At(dy, (row * columns) + c) * H((row * columns) + c, Moments(x, row, rms)));
        (double, double) Db(long c) => OverRows(row => At(dy, (row * columns) + c));
        return Backward(c => rms ? c.RmsNorm(x, weight, Epsilon) : c.LayerNorm(x, weight, bias, Epsilon), dy, () => rms
            ? [new("dx", x.Gradient, Dx), new("dweight", weight.Gradient, Dw)]
            : [new("dx", x.Gradient, Dx), new("dweight", weight.Gradient, Dw), new("dbias", bias.Gradient, Db)]);
    }

    private static float At(Tensor tensor, long i) => tensor.Data[(int)i];

    private static IEnumerable<long> Row(long row, int columns)
    {
        for (long i = row * columns; i < (row + 1) * columns; i++)
            yield return i;
    }

    /// <summary>A value whose error is judged by its own size.</summary>
    private static (double Value, double Scale) Sized(double value) => (value, Math.Abs(value) + 1e-10);

    private static double Square(double x) => x * x;

    private static double Gelu(double x) =>
        0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x))));

    private static double Silu(double x) => x / (1 + Math.Exp(-x));

    /// <summary>f'(x) by central differences of fourth order: good to 1e-11 for these functions.</summary>
    private static double Slope(Func<double, double> f, double x)
    {
        const double h = 1e-3;
        return ((8 * (f(x + h) - f(x - h))) - (f(x + (2 * h)) - f(x - (2 * h)))) / (12 * h);
    }

    private static double LogSumExp(Tensor x, long row)
    {
        double sum = 0;
        foreach (float value in x.Data.Slice((int)(row * x.Shape.Columns), x.Shape.Columns))
            sum += Math.Exp(value); // normal numbers: nothing overflows
        return Math.Log(sum);
    }

    /// <summary>Mean (0 for RMS) and inverse root of the mean square distance from it, epsilon included.</summary>
    private static (double Mean, double Scale) Moments(Tensor x, long row, bool rms)
    {
        var values = x.Data.Slice((int)(row * x.Shape.Columns), x.Shape.Columns);
        double mean = 0, squares = 0;
        foreach (float value in values)
            mean += value;
        mean = rms ? 0 : mean / values.Length;
        foreach (float value in values)
            squares += Square(value - mean);
        return (mean, 1 / Math.Sqrt((squares / values.Length) + Epsilon));
    }
}
