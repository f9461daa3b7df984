using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>Every format of blocks against ggml's bytes and floats, bit for bit.</summary>
public sealed class BlockFormatTests : IDisposable
{
    readonly QuantGoldens goldens = new();

    public void Dispose() => goldens.Dispose();

    public static TheoryData<WeightType> AllTypes => QuantGoldens.AllTypes;

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void Sizes_are_those_of_ggml(WeightType type)
    {
        BlockFormat format = BlockFormat.Of(type);
        (int number, int weights, int bytes) = goldens.Sizes(type);
        Assert.Equal((type, weights, bytes), (format.Type, format.Weights, format.Bytes));
        Assert.Equal((weights, bytes), Gguf.BlockOf((GgufTensorType)number));
        Assert.Equal((GgufTensorType)number, Gguf.TypeOf(type));
        Assert.Equal(type, Gguf.WeightTypeOf((GgufTensorType)number));
    }

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void Dequantised_rows_have_the_bits_of_ggml(WeightType type)
    {
        Assert.True(goldens.Rows(type).Count() > 30);
        foreach (QuantGoldens.Row row in goldens.Rows(type).Where(row => row.IsDefined))
        {
            var weights = new float[row.Weights.Length];
            BlockFormat.Of(type).Dequantise(row.Bytes, weights);
            Assert.Equal(Bits(row.Dequantised!), Bits(weights));
        }
    }

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void Quantised_rows_have_the_bytes_of_ggml(WeightType type)
    {
        foreach (QuantGoldens.Row row in goldens.Rows(type).Where(row => row.IsDefined))
        {
            byte[] bytes = Filled(row.Bytes.Length);
            BlockFormat.Of(type).Quantise(row.Weights, bytes);
            Assert.True(row.Bytes.AsSpan().SequenceEqual(bytes), $"{type} of a row of kind {row.Kind}, "
                + $"{row.Weights.Length}: {DifferentBlocks(type, row.Bytes, bytes)}");
        }
    }

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void A_row_quantised_with_importance_has_the_bytes_of_ggml(WeightType type)
    {
        string name = $"imatrix.{QuantGoldens.Name(type)}.bytes";
        BlockFormat format = BlockFormat.Of(type);
        float[] row = goldens.ImportantRow, importance = goldens.Floats("imatrix");
        byte[] bytes = Filled((int)format.BytesOf(row.Length));
        format.Quantise(row, bytes, importance);
        if (goldens.Has(name))
        {
            byte[] expected = goldens.Bytes(name);
            Assert.True(expected.AsSpan().SequenceEqual(bytes),
                $"{type}: {DifferentBlocks(type, expected, bytes)}");
            return;
        }
        // formats that search no scale
        byte[] without = new byte[bytes.Length];
        format.Quantise(row, without);
        Assert.Equal(without, bytes);
    }

    static string DifferentBlocks(WeightType type, byte[] expected, byte[] actual)
    {
        int size = BlockFormat.Of(type).Bytes;
        var different = Enumerable.Range(0, expected.Length / size).Where(block =>
            !expected.AsSpan(block * size, size).SequenceEqual(actual.AsSpan(block * size, size))).ToList();
        if (different.Count == 0)
            return "none";
        int at = different[0] * size;
        return $"blocks {string.Join(' ', different)} of {expected.Length / size} differ; the first: "
            + $"{Convert.ToHexString(expected.AsSpan(at, size))} expected, {Convert.ToHexString(actual.AsSpan(at, size))}";
    }

    /// <summary>Bytes that a quantiser must overwrite.</summary>
    static byte[] Filled(int length)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, (byte)0xA5);
        return bytes;
    }

    static uint[] Bits(float[] values) => MemoryMarshal.Cast<float, uint>(values).ToArray();
}
