namespace Nano.Tests;

/// <summary>Results that go around the caches are the same and stay within their bounds, wherever they begin.</summary>
public sealed class StreamingTests : IDisposable
{
    private const float Canary = 4321.5f;
    private readonly List<Compute> computes = KernelData.EveryCompute();

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Fact]
    public unsafe void Every_length_and_alignment_at_every_width()
    {
        foreach (var compute in computes)
            for (int length = 0; length <= 33; length++)
                for (int offset = 0; offset <= 16; offset++)
                {
                    var x = KernelData.Random(length + offset, length);
                    var expected = KernelData.Filled(64, Canary);
                    for (int i = 0; i < length; i++)
                        expected[offset + i] = 2 * x[i];
                    using var memory = new NativeBuffer(64);
                    var actual = new Span<float>(memory.Pointer, 64);
                    actual.Fill(Canary);
                    fixed (float* px = x)
                        compute.For(length, 16, 0,
                            new ElementwiseLoop<Scaled>(new(px, 2, new(memory.Pointer + offset, false)), stream: true));
                    KernelData.AssertSameBits(expected, actual.ToArray(),
                        $"length {length}, offset {offset}, {KernelData.Describe(compute)}");
                }
    }

    [Theory]
    [InlineData(2049, 4096)] // above the size from which results stream
    [InlineData(17, 33)]
    public void An_op_gives_the_same_bits_whether_its_result_streams(int rows, int columns)
    {
        Tensor a = new(new Shape(rows, columns)), b = new(new Shape(rows, columns));
        for (int i = 0; i < a.Data.Length; i++)
            (a.Data[i], b.Data[i]) = (i % 1009 - 500, 1f / (1 + (i % 997)));
        foreach (var compute in computes.Where(c => c.Threads <= 2))
        {
            var sum = compute.Add(a, b).Data;
            for (int i = 0; i < sum.Length; i++)
                if (sum[i] != a.Data[i] + b.Data[i])
                    Assert.Fail($"element {i} is {sum[i]}, {KernelData.Describe(compute)}");
            compute.NextStep();
        }
    }
}
