using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>Packed weights against the same ones in rows, widened by the framework.</summary>
public sealed class PanelTests : IDisposable
{
    private readonly List<Compute> computes = KernelData.EveryCompute();

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Fact]
    public void Every_float16_is_widened_as_the_framework_does()
    {
        foreach (var compute in computes.Where(compute => compute.Threads == 1))
        {
            var table = Packed<ushort>(1 << 12, 16, WeightType.F16, [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)]);
            var ids = Tensor.FromIds(new Shape(1 << 12), [.. Enumerable.Range(0, 1 << 12)]);
            var widened = compute.Embedding(table, ids).Data;
            for (int i = 0; i < widened.Length; i++)
            {
                float expected = (float)BitConverter.UInt16BitsToHalf((ushort)i);
                Assert.True(float.IsNaN(expected) ? float.IsNaN(widened[i])
                    : KernelData.Bits(expected) == KernelData.Bits(widened[i]), $"{i:x4}: {widened[i]:R}, not {expected:R}");
            }
        }
    }

    [Theory]
    [InlineData(1, 16, 64)]
    [InlineData(1, 33, 257)]
    [InlineData(1, 100, 32)]
    [InlineData(1, 48, 3)]
    [InlineData(1, 1, 1)]
    [InlineData(1, 640, 1024)] // shared among threads, rows that would crowd a cache set
    [InlineData(2, 37, 65)]
    [InlineData(5, 130, 600)]
    [InlineData(40, 33, 129)]
    [InlineData(200, 20, 70)] // fewer weights than tokens
    public void Products_have_the_bits_of_widened_weights(int m, int n, int k)
    {
        foreach (var type in (WeightType[])[WeightType.F16, WeightType.BF16, WeightType.F32])
            foreach (bool finite in (bool[])[true, false])
            {
                var (packed, wide) = Weights(n, k, type, finite);
                var x = Tensor.From(new Shape(m, k), KernelData.Random(3, m * k));
                var bias = Tensor.From(new Shape(n), KernelData.Random(4, n));
                foreach (var compute in computes)
                    foreach (var b in (Tensor?[])[bias, null])
                    {
                        var expected = compute.Linear(x, wide, b).Data;
                        var actual = compute.Linear(x, packed, b).Data;
                        for (int i = 0; i < expected.Length; i++)
                            Assert.True(float.IsNaN(expected[i]) ? float.IsNaN(actual[i])
                                : KernelData.Bits(expected[i]) == KernelData.Bits(actual[i]),
                                $"{type}, {m} x {n} x {k}, {KernelData.Describe(compute)}: {i}");
                        compute.NextStep();
                    }
            }
    }

    [Fact]
    public void A_loss_over_packed_weights_has_the_bits_of_widened_ones_and_no_gradient()
    {
        var (packed, wide) = Weights(50, 24, WeightType.BF16, finite: true);
        var x = Tensor.From(new Shape(9, 24), KernelData.Random(5, 9 * 24));
        var targets = Tensor.FromIds(new Shape(9), [.. Enumerable.Range(0, 9)]);
        using var compute = new Compute(2);
        KernelData.AssertSameBits(compute.LinearCrossEntropy(x, wide, targets).Nll.Data,
            compute.LinearCrossEntropy(x, packed, targets).Nll.Data, "nll");
        compute.Tape = new Tape();
        Assert.Throws<InvalidOperationException>(() => compute.LinearCrossEntropy(x, packed, targets));
        Assert.Throws<InvalidOperationException>(() => packed.Data.Length);
        Assert.Throws<InvalidOperationException>(() => packed.WantsGradient = true);
    }

    [Fact]
    public void A_packed_table_gives_its_rows_and_no_views()
    {
        float[] values = KernelData.Random(8, 70 * 5);
        var table = Packed<float>(70, 5, WeightType.F32, values);
        using var compute = new Compute(2);
        Assert.Equal(values[(69 * 5)..], compute.Embedding(table, Tensor.FromIds(new Shape(1), [69])).Data.ToArray());
        Assert.Throws<InvalidOperationException>(() => table.SliceRows(0, 1));
    }

    private static (Tensor Packed, Tensor Wide) Weights(int n, int k, WeightType type, bool finite)
    {
        var wide = new Tensor(new Shape(n, k));
        var random = new Random(7);
        ushort[] halves = new ushort[n * k];
        for (int i = 0; i < halves.Length; i++)
        {
            ushort bits = (ushort)random.Next(1 << 16);
            bool special = type == WeightType.F16 ? (bits & 0x7c00) == 0x7c00 : (bits & 0x7f80) == 0x7f80;
            if (special && (finite || i % 64 != 0))
                bits = (ushort)(bits & 0x83ff); // zero or subnormal
            halves[i] = bits;
            wide.Data[i] = type == WeightType.F16 ? (float)BitConverter.UInt16BitsToHalf(bits)
                : BitConverter.UInt32BitsToSingle((uint)bits << 16);
        }
        return (type == WeightType.F32 ? Packed<float>(n, k, type, wide.Data) : Packed<ushort>(n, k, type, halves), wide);
    }

    /// <summary>Weights packed in two parts, the first of 32 rows.</summary>
    private static Tensor Packed<T>(int n, int k, WeightType type, ReadOnlySpan<T> values) where T : unmanaged
    {
        var tensor = Panels.New(new Arena(), new Shape(n, k), type);
        int first = Math.Min(n, 32);
        Panels.Pack(tensor, 0, MemoryMarshal.AsBytes(values[..(first * k)]));
        Panels.Pack(tensor, first, MemoryMarshal.AsBytes(values[(first * k)..]));
        return tensor;
    }
}
