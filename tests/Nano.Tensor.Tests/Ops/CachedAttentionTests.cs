namespace Nano.Tests;

/// <summary>Attention to keys and values that a cache holds in fewer bits.</summary>
public class CachedAttentionTests
{
    private const int Keys = 200, Heads = 4, KeyHeads = 2, HeadDim = 64;

    public static TheoryData<WeightType> Types => [WeightType.F16, WeightType.Q8_0, WeightType.Q4_0];

    /// <summary>The cache only stores: what is computed is attention to the numbers that its blocks stand for.</summary>
    [Theory]
    [MemberData(nameof(Types))]
    public void Bits_are_those_of_attention_to_dequantised_numbers(WeightType type)
    {
        float[] k = KernelData.Random(1, Keys * KeyHeads * HeadDim), v = KernelData.Random(2, k.Length);
        var shape = new Shape(1, Keys, KeyHeads * HeadDim);
        foreach (var compute in KernelData.EveryCompute())
            using (compute)
                foreach (int queries in (int[])[1, 3, 9, Keys])
                    foreach (int window in (int[])[0, 50])
                    {
                        var q = Tensor.From(new Shape(1, queries, Heads * HeadDim),
                            KernelData.Random(3, queries * Heads * HeadDim));
                        float[] expected = compute.CausalAttention(q, Tensor.From(shape, Rounded(type, k)),
                            Tensor.From(shape, Rounded(type, v)), Heads, KeyHeads, window: window).Data.ToArray();
                        var actual = compute.CachedAttention(q, Table(compute, type, k),
                            Table(compute, type, v), 2, Keys, HeadDim,
                            new AttentionOptions(Heads, KeyHeads) { Window = window }).Data;
                        KernelData.AssertSameBits(expected, actual,
                            $"{type}, {queries} queries, window {window}, {KernelData.Describe(compute)}");
                        compute.NextStep();
                    }
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_number_that_no_block_can_hold_reads_as_no_number(WeightType type)
    {
        using var compute = new Compute(1);
        foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, 1e30f])
        {
            float[] v = KernelData.Random(2, Keys * KeyHeads * HeadDim);
            v[5] = bad;
            var y = compute.CachedAttention(Tensor.From(new Shape(1, 1, Heads * HeadDim),
                KernelData.Random(3, Heads * HeadDim)), Table(compute, type, KernelData.Random(1, v.Length)),
                Table(compute, type, v), 2, Keys, HeadDim, new AttentionOptions(Heads, KeyHeads)).Data;
            Assert.False(float.IsFinite(y[5]));
            Assert.True(float.IsFinite(y[Heads * HeadDim / 2])); // of the other key head
            compute.NextStep();
        }
    }

    [Fact]
    public void Rows_are_as_small_as_their_blocks()
    {
        var arena = new Arena();
        Assert.Equal([256, 136, 72],
            Types.Select(type => new CacheTable(arena, type.Data, 3, KeyHeads * HeadDim).RowBytes));
    }

    private static float[] Rounded(WeightType type, float[] x)
    {
        var format = BlockFormat.Of(type);
        byte[] blocks = new byte[format.BytesOf(x.Length)];
        float[] rounded = new float[x.Length];
        format.Quantise(x, blocks);
        format.Dequantise(blocks, rounded);
        return rounded;
    }

    /// <summary>A table whose rows from the third on are written in two pieces, then moved there from elsewhere.</summary>
    private static CacheTable Table(Compute compute, WeightType type, float[] x)
    {
        int channels = KeyHeads * HeadDim, first = 70;
        var table = new CacheTable(new Arena(), type, (2 * Keys) + 2, channels);
        var all = Tensor.From(new Shape(Keys, channels), x);
        table.Write(compute, Keys + 2, all.SliceRows(0, first));
        table.Write(compute, Keys + 2 + first, all.SliceRows(first, Keys - first));
        table.Copy(Keys + 2, 2, Keys);
        return table;
    }
}
