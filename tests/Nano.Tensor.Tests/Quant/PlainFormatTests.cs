namespace Nano.Tests;

/// <summary>Numbers that are stored one by one: float16, bfloat16 and floats of 8 bits.</summary>
public sealed class PlainFormatTests : IDisposable
{
    readonly QuantGoldens goldens = new();

    public void Dispose() => goldens.Dispose();

    [Theory]
    [InlineData(WeightType.F16)]
    [InlineData(WeightType.BF16)]
    public void Sixteen_bits_have_the_bytes_of_ggml(WeightType type)
    {
        foreach (QuantGoldens.Row row in goldens.Rows(type))
            Assert.Equal(row.Bytes, Quantised(type, row.Weights));
    }

    [Theory]
    [InlineData(WeightType.F16)]
    [InlineData(WeightType.BF16)]
    public void Sixteen_bits_have_the_bits_of_ggml_at_the_edges(WeightType type)
    {
        float[] x = goldens.Floats("half.x");
        ushort[] expected = goldens.Words($"half.{QuantGoldens.Name(type)}");
        byte[] bytes = Quantised(type, x);
        for (int i = 0; i < x.Length; i++)
        {
            ushort bits = BitConverter.ToUInt16(bytes, 2 * i);
            Assert.True(float.IsNaN(x[i]) ? IsNaN(type, bits) && IsNaN(type, expected[i]) : bits == expected[i],
                $"{x[i]} as {type}: {bits:X4}, expected {expected[i]:X4}");
        }
    }

    static bool IsNaN(WeightType type, ushort bits)
    {
        var widened = new float[1];
        BlockFormat.Of(type).Dequantise(BitConverter.GetBytes(bits), widened);
        return float.IsNaN(widened[0]);
    }

    static byte[] Quantised(WeightType type, params float[] x)
    {
        var bytes = new byte[BlockFormat.Of(type).BytesOf(x.Length)];
        BlockFormat.Of(type).Quantise(x, bytes);
        return bytes;
    }

    /// <summary>The number of a byte by the definition in arXiv:2209.05433.</summary>
    static double Value(WeightType type, int bits)
    {
        (int mantissaBits, int bias) = type == WeightType.F8_E4M3 ? (3, 7) : (2, 15);
        int units = 1 << mantissaBits, exponent = (bits & 0x7F) / units, mantissa = bits % units;
        double size = exponent == 0 ? mantissa * Math.Pow(2, 1 - bias) / units
            : (1 + (mantissa / (double)units)) * Math.Pow(2, exponent - bias);
        bool isLast = exponent == (type == WeightType.F8_E4M3 ? 15 : 31);
        if (isLast && type == WeightType.F8_E5M2)
            size = mantissa == 0 ? double.PositiveInfinity : double.NaN;
        if (isLast && type == WeightType.F8_E4M3 && mantissa == 7)
            size = double.NaN;
        return bits >= 128 ? -size : size;
    }

    [Theory]
    [InlineData(WeightType.F8_E4M3, 448)]
    [InlineData(WeightType.F8_E5M2, 57344)]
    public void Every_byte_is_the_number_of_its_definition_and_that_is_the_byte(WeightType type, float largest)
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(bits => (byte)bits)];
        var values = new float[256];
        BlockFormat.Of(type).Dequantise(all, values);
        for (int bits = 0; bits < 256; bits++)
        {
            Assert.Equal((float)Value(type, bits), values[bits]);
            Assert.Equal(bits >= 128, float.IsNaN(values[bits]) ? bits >= 128 : float.IsNegative(values[bits]));
        }
        Assert.Equal(largest, values.Where(float.IsFinite).Max());
        for (int bits = 0; bits < 256; bits++)
            if (!float.IsNaN(values[bits]))
                Assert.Equal([(byte)bits], Quantised(type, values[bits]));
    }

    [Theory]
    [InlineData(WeightType.F8_E4M3)]
    [InlineData(WeightType.F8_E5M2)]
    public void Numbers_become_the_nearest_of_eight_bits_and_ties_the_even_one(WeightType type)
    {
        var finite = Enumerable.Range(0, 128).Select(bits => Value(type, bits)).TakeWhile(double.IsFinite).ToList();
        for (int bits = 0; bits + 1 < finite.Count; bits++)
        {
            var middle = (float)((finite[bits] + finite[bits + 1]) / 2);
            int even = bits % 2 == 0 ? bits : bits + 1;
            Assert.Equal([(byte)even, (byte)(even + 128)], Quantised(type, middle, -middle));
            Assert.Equal([(byte)bits, (byte)(bits + 1)],
                Quantised(type, MathF.BitDecrement(middle), MathF.BitIncrement(middle)));
        }
    }

    [Fact]
    public void Numbers_too_large_for_eight_bits_become_infinite_or_NaN()
    {
        // half a step beyond the largest, which is even in E4M3 and odd in E5M2
        Assert.Equal([0x7E, 0x7F, 0xFF, 0x7F, 0x7F], Quantised(WeightType.F8_E4M3, 464, 464.1f, -1e9f,
            float.PositiveInfinity, MathF.Abs(float.NaN)));
        Assert.Equal([0x7B, 0x7C, 0xFC, 0x7C, 0x7F], Quantised(WeightType.F8_E5M2, 61439, 61440, -1e9f,
            float.PositiveInfinity, MathF.Abs(float.NaN)));
    }
}
