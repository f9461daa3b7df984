namespace Nano.Tests;

/// <summary>
/// Products with frozen quantised weights that are differentiated: the bits of dequantised weights.
/// </summary>
public sealed class QuantGradientTests : IDisposable
{
    private const int N = 37, K = 512, M = 5;

    private readonly List<Compute> computes = KernelData.EveryCompute();

    public static TheoryData<WeightType> Types =>
        [.. Enum.GetValues<WeightType>().Where(WeightTypes.IsQuantised)];

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Theory]
    [MemberData(nameof(Types))]
    public void A_linear_layer_and_its_input_gradient_are_those_of_dequantised_weights(WeightType type)
    {
        var (packed, plain) = Weights(type);
        foreach (var compute in computes)
        {
            float[] Results(Tensor weight)
            {
                compute.Tape = new Tape();
                Tensor x = Tensor.From(new Shape(M, K), KernelData.Random(4, M * K)),
                    bias = Tensor.From(new Shape(N), KernelData.Random(5, N)),
                    dy = Tensor.From(new Shape(M, N), KernelData.Random(6, M * N));
                var y = compute.Linear(x, weight, bias);
                compute.Tape.Backward(compute, y, dy);
                float[] results = [.. y.Data, .. x.Gradient.Data, .. bias.Gradient.Data];
                compute.NextStep();
                compute.Tape = null;
                return results;
            }
            KernelData.AssertSameBits(Results(plain), Results(packed), KernelData.Describe(compute));
        }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_head_and_its_input_gradient_are_those_of_dequantised_weights(WeightType type)
    {
        var (packed, plain) = Weights(type);
        var targets = Tensor.FromIds(new Shape(M), [3, 0, 36, -100, 17]);
        foreach (var compute in computes)
        {
            float[] Results(Tensor weight)
            {
                compute.Tape = new Tape();
                var x = Tensor.From(new Shape(M, K), KernelData.Random(7, M * K));
                var (loss, nll) = compute.LinearCrossEntropy(x, weight, targets, default, rowsPerChunk: 2);
                compute.Tape.Backward(compute, loss);
                float[] results = [.. loss.Data, .. nll.Data, .. x.Gradient.Data];
                compute.NextStep();
                compute.Tape = null;
                return results;
            }
            KernelData.AssertSameBits(Results(plain), Results(packed), KernelData.Describe(compute));
        }
    }

    /// <summary>
    /// Random weights that are quantised and packed, and the same ones dequantised, frozen.
    /// </summary>
    private static (Tensor Packed, Tensor Plain) Weights(WeightType type)
    {
        var format = BlockFormat.Of(type);
        float[] weights = KernelData.Random(1, N * K);
        byte[] blocks = new byte[format.BytesOf(N * K)];
        int rowBytes = (int)format.BytesOf(K);
        for (int n = 0; n < N; n++)
            format.Quantise(weights.AsSpan(n * K, K), blocks.AsSpan(n * rowBytes, rowBytes));
        format.Dequantise(blocks, weights);
        var packed = QuantPanels.New(new Arena(), new Shape(N, K), type);
        QuantPanels.Of(packed).Pack(0, blocks);
        var plain = Tensor.From(new Shape(N, K), weights);
        plain.WantsGradient = false;
        return (packed, plain);
    }
}
