namespace Nano.Tests;

/// <summary>
/// Linear layers and the head with products of bfloat16 operands, forward and backward:
/// double-precision products of the rounded operands, at every width.
/// </summary>
public class RoundedProductsTests
{
    public static TheoryData<SimdWidth> Widths => TestTensors.Widths;

    private static double[] Rounded(Tensor x) =>
        [.. x.Data.ToArray().Select(value => (double)BFloat16Tests.Expected(value))];

    /// <summary>Within one rounding of float32 for each term of the longest chain.</summary>
    private static void AssertClose(double[] expected, ReadOnlySpan<float> actual, int depth, string what)
    {
        double scale = Math.Max(1, expected.Max(Math.Abs));
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= depth * Math.Pow(2, -24) * scale,
                $"{what}: element {i} is {actual[i]}, expected {expected[i]}");
    }

    [Theory, MemberData(nameof(Widths))]
    public void A_linear_layer_multiplies_rounded_operands_both_ways(SimdWidth width)
    {
        const int rows = 21, inputs = 35, outputs = 50;
        using var compute = TestTensors.Dirty(2, width);
        compute.RoundsProducts = true;
        compute.Tape = new Tape();
        var random = new Random(4);
        Tensor x = random.Normal(rows, inputs), w = random.Normal(outputs, inputs), b = random.Normal(outputs),
            dy = random.Normal(rows, outputs);
        var y = compute.Linear(x, w, b);
        double[] bias = [.. b.Data.ToArray().Select(value => (double)value)];
        AssertClose(Reference.Linear(Rounded(x), Rounded(w), bias, outputs, inputs), y.Data, inputs + 1, "output");
        compute.Tape.Backward(compute, y, dy);
        AssertClose(Reference.MatMul(Rounded(dy), Rounded(w), 1, rows, inputs, outputs, false, false), x.Gradient.Data,
            outputs, "dx");
        AssertClose(Reference.MatMul(Rounded(dy), Rounded(x), 1, outputs, inputs, rows, true, false), w.Gradient.Data,
            rows, "dw");
        var sums = new double[outputs]; // of dy as it is
        for (int i = 0; i < dy.Data.Length; i++)
            sums[i % outputs] += dy.Data[i];
        AssertClose(sums, b.Gradient.Data, rows, "db");
    }

    [Theory, MemberData(nameof(Widths))]
    public void A_head_has_the_loss_of_rounded_operands(SimdWidth width)
    {
        using var compute = TestTensors.Dirty(2, width);
        compute.RoundsProducts = true;
        var random = new Random(4);
        Tensor x = random.Normal(40, 19), w = random.Normal(37, 19);
        int[] targets = random.Ids(40, 37);
        var loss = compute.LinearCrossEntropy(x, w, Tensor.FromIds(new Shape(40), targets)).Loss;
        double[] expected = Reference.CrossEntropy(Reference.Linear(Rounded(x), Rounded(w), null, 37, 19), targets, 0);
        Assert.Equal(expected[0], loss.Data[0], 1e-5);
    }

    [Fact]
    public void Chunks_of_the_head_change_no_bit()
    {
        using var compute = new Compute(3) { RoundsProducts = true };
        int[]? expected = null;
        foreach (int rowsPerChunk in new[] { 0, 32, 11 })
        {
            compute.Tape = new Tape();
            var random = new Random(4);
            Tensor x = random.Normal(75, 20), w = random.Normal(37, 20);
            var loss = compute.LinearCrossEntropy(x, w, Tensor.FromIds(new Shape(75), random.Ids(75, 37)), default,
                rowsPerChunk).Loss;
            compute.Tape.Backward(compute, loss);
            int[] bits = [.. loss.Bits(), .. x.Gradient.Bits(), .. w.Gradient.Bits()];
            expected ??= bits;
            Assert.Equal(expected, bits);
        }
    }
}
