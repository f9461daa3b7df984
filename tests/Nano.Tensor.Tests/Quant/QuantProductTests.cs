namespace Nano.Tests;

/// <summary>Products with quantised weights.</summary>
public sealed class QuantProductTests : IDisposable
{
    private const int N = 37, K = 512, M = 5;

    private readonly List<Compute> computes = [.. KernelData.EveryCompute(), new Compute(2) { BytesProblem = "off" }];

    public static TheoryData<WeightType> Types =>
        [.. Enum.GetValues<WeightType>().Where(WeightTypes.IsQuantised)];

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Theory]
    [MemberData(nameof(Types))]
    public void Products_are_those_of_dequantised_weights_and_activations_in_8_bits(WeightType type)
    {
        var (packed, weights) = Weights(type);
        float[] x = KernelData.Random(2, M * K), bias = KernelData.Random(3, N);
        var (codes, scales) = InEightBits(x);
        using var compute = new Compute(1);
        var actual = compute.Linear(Tensor.From(new Shape(M, K), x), packed, Tensor.From(new Shape(N), bias)).Data;
        for (int m = 0; m < M; m++)
            for (int n = 0; n < N; n++)
            {
                double sum = bias[n], magnitude = Math.Abs(bias[n]);
                for (int k = 0; k < K; k++)
                {
                    double product = (double)weights[(n * K) + k] * codes[(m * K) + k] * scales[((m * K) + k) / 32];
                    sum += product;
                    magnitude += Math.Abs(product);
                }
                Assert.InRange(actual[(m * N) + n], sum - (1e-6 * magnitude), sum + (1e-6 * magnitude));
            }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Every_width_number_of_threads_and_batch_gives_the_same_bits(WeightType type)
    {
        var (packed, _) = Weights(type);
        float[] x = KernelData.Random(4, M * K);
        float[] expected = computes[0].Linear(Tensor.From(new Shape(M, K), x), packed, null).Data.ToArray();
        foreach (var compute in computes)
        {
            KernelData.AssertSameBits(expected,
                compute.Linear(Tensor.From(new Shape(M, K), x), packed, null).Data, KernelData.Describe(compute));
            for (int m = 0; m < M; m++)
                KernelData.AssertSameBits(expected.AsSpan(m * N, N), compute.Linear(
                    Tensor.From(new Shape(1, K), x.AsSpan(m * K, K)), packed, null).Data, $"row {m}");
            compute.NextStep();
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_table_gives_the_bits_of_dequantised_rows(WeightType type)
    {
        var (packed, weights) = Weights(type);
        using var compute = new Compute(2);
        var rows = compute.Embedding(packed, Tensor.FromIds(new Shape(N), [.. Enumerable.Range(0, N)])).Data;
        KernelData.AssertSameBits(weights, rows, "rows");
    }

    [Fact]
    public void Extreme_codes_do_not_overflow()
    {
        // 32 x 15 x 127 in 16-bit sums, and -128 x 127 in products of 16 bits.
        foreach (var (type, weight) in ((WeightType, float)[])[(WeightType.Q4_1, 15), (WeightType.Q8_0, -127)])
        {
            var format = BlockFormat.Of(type);
            float[] row = new float[64];
            row.AsSpan().Fill(weight);
            row[0] = row[32] = type == WeightType.Q4_1 ? 0 : weight; // codes from 0 to 15
            byte[] blocks = new byte[format.BytesOf(64)];
            format.Quantise(row, blocks);
            var packed = QuantPanels.New(new Arena(), new Shape(1, 64), type);
            QuantPanels.Of(packed).Pack(0, blocks);
            foreach (var compute in computes)
            {
                var x = new Tensor(new Shape(1, 64));
                x.Data.Fill(127);
                Assert.Equal(row.Sum() * 127, compute.Linear(x, packed, null).Data[0]);
                compute.NextStep();
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void An_activation_that_is_no_number_shows_in_every_result_of_its_row(float bad)
    {
        var (packed, _) = Weights(WeightType.Q4_0);
        float[] x = KernelData.Random(5, 2 * K);
        x[7] = bad;
        using var compute = new Compute(2);
        var y = compute.Linear(Tensor.From(new Shape(2, K), x), packed, null).Data;
        Assert.True(y[..N].ToArray().All(float.IsNaN));
        Assert.True(y[N..].ToArray().All(float.IsFinite));
    }

    /// <summary>Random weights that are quantised, packed, and as dequantised floats.</summary>
    private static (Tensor Packed, float[] Weights) Weights(WeightType type)
    {
        var format = BlockFormat.Of(type);
        float[] weights = KernelData.Random(1, N * K);
        byte[] blocks = new byte[format.BytesOf(N * K)];
        int rowBytes = (int)format.BytesOf(K);
        for (int n = 0; n < N; n++)
            format.Quantise(weights.AsSpan(n * K, K), blocks.AsSpan(n * rowBytes, rowBytes));
        format.Dequantise(blocks, weights);
        var packed = QuantPanels.New(new Arena(), new Shape(N, K), type);
        QuantPanels.Of(packed).Pack(0, blocks.AsSpan(0, 20 * rowBytes));
        QuantPanels.Of(packed).Pack(20, blocks.AsSpan(20 * rowBytes));
        return (packed, weights);
    }

    private static (int[] Codes, float[] Scales) InEightBits(float[] x)
    {
        int[] codes = new int[x.Length];
        float[] scales = new float[x.Length / 32];
        for (int unit = 0; unit < scales.Length; unit++)
        {
            float max = x.AsSpan(32 * unit, 32).ToArray().Max(MathF.Abs);
            scales[unit] = max / 127;
            for (int i = 32 * unit; i < 32 * (unit + 1); i++)
                codes[i] = (int)MathF.Round(x[i] * (127 / max), MidpointRounding.ToEven);
        }
        return (codes, scales);
    }
}
