namespace Nano.Tests;

/// <summary>Weights rounded to the numbers of a type, and the gradient that passes straight through.</summary>
public sealed class FakeQuantiseTests : IDisposable
{
    const int N = 37, K = 512;

    readonly List<Compute> computes = KernelData.EveryCompute();

    public static TheoryData<WeightType> Types =>
    [
        WeightType.Q4_0, WeightType.Q4_1, WeightType.Q5_0, WeightType.Q5_1, WeightType.Q8_0, WeightType.Q2_K,
        WeightType.Q3_K, WeightType.Q4_K, WeightType.Q5_K, WeightType.Q6_K, WeightType.TQ2_0,
    ];

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    static (Tensor Weights, Tensor Kept, Tensor Steps) New(float[] x) => (Tensor.From(new Shape(N, K), x),
        Tensor.From(new Shape(N, K), new float[N * K]), Tensor.From(new Shape(N, K / 16), new float[N * K / 16]));

    [Theory]
    [MemberData(nameof(Types))]
    public void Weights_become_what_blocks_hold_at_every_width_and_number_of_threads(WeightType type)
    {
        float[] x = KernelData.Random(5, N * K), expected = new float[N * K];
        BlockFormat format = BlockFormat.Of(type);
        byte[] blocks = new byte[format.BytesOf(K)];
        for (int row = 0; row < N; row++)
        {
            format.Quantise(x.AsSpan(row * K, K), blocks);
            format.Dequantise(blocks, expected.AsSpan(row * K, K));
        }
        foreach (var compute in computes)
        {
            var (weights, kept, steps) = New(x);
            compute.FakeQuantise(weights, kept, steps, type);
            KernelData.AssertSameBits(expected, weights.Data, KernelData.Describe(compute));
            KernelData.AssertSameBits(x, kept.Data, KernelData.Describe(compute));
        }
    }

    /// <summary>Within the range of its block a weight is at most half a step from its number.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void Most_gradients_pass_and_those_beyond_the_range_of_a_block_do_not(WeightType type)
    {
        float[] x = KernelData.Random(6, N * K), dy = KernelData.Random(7, N * K);
        var (weights, kept, steps) = New(x);
        var gradient = Tensor.From(new Shape(N, K), dy);
        computes[0].FakeQuantise(weights, kept, steps, type);
        computes[0].FakeQuantiseBackward(kept, weights, steps, gradient);
        int passed = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float distance = Math.Abs(x[i] - weights.Data[i]), step = Math.Abs(steps.Data[i / 16]);
            if (distance <= step / 2)
                Assert.Equal(dy[i], gradient.Data[i]);
            else if (distance > 0.75f * step && step > 0)
                Assert.Equal(0, gradient.Data[i]);
            passed += gradient.Data[i] == dy[i] ? 1 : 0;
        }
        Assert.InRange(passed, (int)(0.9 * x.Length), x.Length);
        foreach (var compute in computes)
        {
            var again = Tensor.From(new Shape(N, K), dy);
            compute.FakeQuantiseBackward(kept, weights, steps, again);
            KernelData.AssertSameBits(gradient.Data, again.Data, KernelData.Describe(compute));
        }
    }

    /// <summary>Q4_0 has the codes -8 to 7 times a scale whose sign is that of the largest weight.</summary>
    [Fact]
    public void A_weight_opposite_to_the_largest_lies_beyond_the_range_of_q4_0()
    {
        float[] x = new float[32], dy = new float[32];
        (x[0], x[1], x[2], x[3]) = (8, -8, -7.4f, 7.6f);
        Array.Fill(dy, 3);
        Tensor weights = Tensor.From(new Shape(1, 32), x), kept = Tensor.From(new Shape(1, 32), x),
            steps = Tensor.From(new Shape(1, 2), new float[2]), gradient = Tensor.From(new Shape(1, 32), dy);
        computes[0].FakeQuantise(weights, kept, steps, WeightType.Q4_0);
        Assert.Equal([8, -7, -7, 8, 0], weights.Data[..5].ToArray());
        computes[0].FakeQuantiseBackward(kept, weights, steps, gradient);
        Assert.Equal([3, 0, 3, 3, 3], gradient.Data[..5].ToArray());
    }

    /// <summary>
    /// Inside the range the derivative is that of the identity on average: the mean of y over many x follows x.
    /// </summary>
    [Fact]
    public void Over_many_weights_the_rounded_sum_changes_as_fast_as_the_weights()
    {
        float[] x = KernelData.Random(8, N * K);
        double Sum(float shift)
        {
            // The largest weight of each block stays, and so does the grid.
            float[] moved = [.. x.Select((value, i) => i % 32 == 0 ? 4f : (0.5f * value) + shift)];
            var (weights, kept, steps) = New(moved);
            computes[0].FakeQuantise(weights, kept, steps, WeightType.Q4_0);
            double sum = 0;
            foreach (float y in weights.Data)
                sum += y;
            return sum;
        }
        const float Shift = 0.25f;
        double slope = (Sum(Shift) - Sum(-Shift)) / (2 * Shift) / (N * K * 31 / 32);
        Assert.InRange(slope, 0.97, 1.03);
    }

    [Fact]
    public void Blocks_that_hold_no_such_numbers_become_nan_and_wrong_shapes_are_refused()
    {
        float[] x = KernelData.Random(9, N * K);
        x[40] = float.PositiveInfinity;
        x[K] = 1e9f;
        var (weights, kept, steps) = New(x);
        computes[0].FakeQuantise(weights, kept, steps, WeightType.Q4_0);
        Assert.All(weights.Data[32..64].ToArray(), y => Assert.True(float.IsNaN(y)));
        Assert.All(weights.Data.Slice(K, 32).ToArray(), y => Assert.True(float.IsNaN(y)));
        Assert.DoesNotContain(float.NaN, weights.Data[..32].ToArray());
        Assert.Throws<ArgumentException>(() => computes[0].FakeQuantise(weights, kept, kept, WeightType.Q4_0));
        Assert.Throws<ArgumentException>(() => computes[0].FakeQuantise(weights, kept, steps, WeightType.F16));
        Assert.Throws<ArgumentException>(() => computes[0].FakeQuantiseBackward(kept, weights, steps, steps));
    }
}
