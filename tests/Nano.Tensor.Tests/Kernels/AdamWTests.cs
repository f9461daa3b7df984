namespace Nano.Tests;

public sealed class AdamWTests : IDisposable
{
    private const int Length = 20011;
    private static readonly AdamWNumbers Numbers = new(LearningRate: 3e-3, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8,
        WeightDecay: 0.1, GradientScale: 0.5, Step: 1);
    private readonly List<Compute> computes = KernelData.EveryCompute();

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Fact]
    public void Steps_follow_the_formula_of_the_paper_in_double_precision()
    {
        double[] p = Array.ConvertAll(KernelData.Random(1, Length), v => (double)v), m = new double[Length],
            v = new double[Length];
        for (int step = 1; step <= 6; step++)
        {
            var gradient = KernelData.Random(100 + step, Length);
            for (int i = 0; i < Length; i++)
            {
                double g = gradient[i] * 0.5;
                m[i] = (0.9 * m[i]) + (0.1 * g);
                v[i] = (0.95 * v[i]) + (0.05 * g * g);
                double mHat = m[i] / (1 - Math.Pow(0.9, step)), vHat = v[i] / (1 - Math.Pow(0.95, step));
                p[i] = p[i] - (3e-3 * 0.1 * p[i]) - (3e-3 * mHat / (Math.Sqrt(vHat) + 1e-8));
            }
        }
        var (parameter, mean, square) = SixSteps(computes[0]);
        for (int i = 0; i < Length; i++)
        {
            Assert.InRange(Math.Abs(parameter[i] - p[i]), 0, 6e-7 * Math.Max(1, Math.Abs(p[i])));
            Assert.InRange(Math.Abs(mean[i] - m[i]), 0, 1e-6);
            Assert.InRange(Math.Abs(square[i] - v[i]), 0, 2e-6 * Math.Max(v[i], 1e-3));
        }
    }

    [Fact]
    public void Bits_depend_neither_on_width_nor_on_threads()
    {
        var first = SixSteps(computes[0]);
        foreach (var compute in computes)
        {
            var (parameter, mean, square) = SixSteps(compute);
            KernelData.AssertSameBits(first.Parameter, parameter, $"parameter, {KernelData.Describe(compute)}");
            KernelData.AssertSameBits(first.Mean, mean, $"mean, {KernelData.Describe(compute)}");
            KernelData.AssertSameBits(first.Square, square, $"square, {KernelData.Describe(compute)}");
        }
    }

    [Fact]
    public void Different_shapes_are_refused_by_name()
    {
        Tensor a = new(new Shape(2, 3)), b = new(new Shape(3, 2));
        string message = Assert.Throws<ArgumentException>(() => computes[0].AdamW(a, b, a, a, Numbers)).Message;
        Assert.Contains("adamw", message);
        Assert.Contains("[2, 3]", message);
        Assert.Contains("[3, 2]", message);
    }

    [Fact]
    public void Views_with_gaps_are_refused()
    {
        Tensor whole = new(new Shape(3, 2)), part = new Tensor(new Shape(3, 5)).SliceColumns(1, 2);
        Assert.Throws<ArgumentException>(() => computes[0].AdamW(part, whole, whole, whole, Numbers));
        Assert.Throws<ArgumentException>(() => computes[0].AdamW(whole, part, whole, whole, Numbers));
        Assert.Throws<ArgumentException>(() => computes[0].AdamW(whole, whole, part, whole, Numbers));
        Assert.Throws<ArgumentException>(() => computes[0].AdamW(whole, whole, whole, part, Numbers));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(100_003)]
    public void Sum_of_squares_is_right_and_its_bits_depend_neither_on_width_nor_on_threads(int length)
    {
        var values = KernelData.Random(length, length);
        var x = Tensor.From(new Shape(length), values);
        double exact = values.Sum(v => (double)v * v);
        double first = computes[0].SumOfSquares(x);
        Assert.InRange(first, exact * (1 - 1e-6), exact * (1 + 1e-6));
        foreach (var compute in computes)
            Assert.Equal(BitConverter.DoubleToInt64Bits(first),
                BitConverter.DoubleToInt64Bits(compute.SumOfSquares(x)));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Sum_of_squares_is_not_finite_if_an_element_is_not(float value)
    {
        var x = new Tensor(new Shape(5000));
        x.Data[4321] = value;
        Assert.All(computes, compute => Assert.False(double.IsFinite(compute.SumOfSquares(x))));
    }

    private static (float[] Parameter, float[] Mean, float[] Square) SixSteps(Compute compute)
    {
        var shape = new Shape(Length);
        Tensor parameter = Tensor.From(shape, KernelData.Random(1, Length)), mean = new(shape), square = new(shape);
        for (int step = 1; step <= 6; step++)
            compute.AdamW(parameter, Tensor.From(shape, KernelData.Random(100 + step, Length)), mean, square,
                Numbers with { Step = step });
        return (parameter.ToArray(), mean.ToArray(), square.ToArray());
    }
}
