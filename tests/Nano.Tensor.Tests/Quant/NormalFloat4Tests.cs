namespace Nano.Tests;

/// <summary>NF4 and double quantisation against bitsandbytes' rules, computed by another implementation.</summary>
public sealed class NormalFloat4Tests : IDisposable
{
    readonly SafetensorsReader goldens = SafetensorsReader.Open(Goldens.Path("quant/methods.safetensors"));

    public void Dispose() => goldens.Dispose();

    float[] Floats(string name)
    {
        var values = new float[goldens.Entries[name].Count];
        goldens.ReadFloat32(name, values);
        return values;
    }

    byte[] Bytes(string name)
    {
        var values = new long[goldens.Entries[name].Count];
        goldens.ReadInt64(name, values);
        return [.. values.Select(value => (byte)value)];
    }

    [Fact]
    public void Codes_and_magnitudes_are_those_of_the_goldens()
    {
        float[] weights = Floats("W"), magnitudes = new float[weights.Length / NormalFloat4.Block];
        var codes = new byte[NormalFloat4.BytesOf(weights.Length)];
        NormalFloat4.Quantise(weights, codes, magnitudes);
        Assert.Equal(Bytes("nf4.packed"), codes);
        Assert.Equal(Floats("nf4.absmax"), magnitudes);
        var back = new float[weights.Length];
        NormalFloat4.Dequantise(codes, magnitudes, back);
        Assert.Equal(Floats("nf4.dequantized"), back);
    }

    [Fact]
    public void Double_quantisation_gives_the_bits_of_the_goldens()
    {
        float[] magnitudes = Floats("nf4.absmax"), scales = new float[1], back = new float[magnitudes.Length];
        var codes = new byte[magnitudes.Length];
        float mean = NormalFloat4.QuantiseMagnitudes(magnitudes, codes, scales);
        Assert.Equal(Floats("double.offset")[0], mean);
        Assert.Equal(Floats("double.absmax"), scales);
        Assert.Equal(Bytes("double.codes"), codes);
        NormalFloat4.DequantiseMagnitudes(codes, scales, mean, back);
        Assert.Equal(Floats("double.absmax_dequantized"), back);
        var weights = new float[NormalFloat4.Block * magnitudes.Length];
        NormalFloat4.Dequantise(Bytes("nf4.packed"), back, weights);
        Assert.Equal(Floats("double.nf4_dequantized"), weights);
    }

    [Fact]
    public void Bytes_stand_for_the_numbers_of_the_dynamic_table()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(code => (byte)code)];
        var values = new float[256];
        NormalFloat4.DequantiseMagnitudes(all, [1f], 0, values);
        Assert.Equal(Floats("dynamic8.table"), values);
    }

    [Fact]
    public void Zeros_subnormal_numbers_and_equal_blocks_stay_what_they_are()
    {
        float[] weights = new float[192], magnitudes = new float[3], back = new float[192], scales = new float[1];
        weights.AsSpan(64, 64).Fill(float.Epsilon);
        weights.AsSpan(128, 64).Fill(-2);
        var codes = new byte[96];
        NormalFloat4.Quantise(weights, codes, magnitudes);
        NormalFloat4.Dequantise(codes, magnitudes, back);
        Assert.Equal([.. new float[128], .. Enumerable.Repeat(-2f, 64)], back);
        var equal = new byte[2];
        Assert.Equal(3, NormalFloat4.QuantiseMagnitudes([3, 3], equal, scales));
        NormalFloat4.DequantiseMagnitudes(equal, scales, 3, magnitudes.AsSpan(0, 2));
        Assert.Equal([3f, 3f], magnitudes[..2]);
    }

    [Fact]
    public void Lengths_and_numbers_that_it_cannot_hold_are_refused()
    {
        Assert.Throws<ArgumentException>(() => NormalFloat4.BytesOf(63));
        Assert.Throws<ArgumentException>(() => NormalFloat4.Quantise(new float[64], new byte[31], new float[1]));
        Assert.Throws<ArgumentException>(() => NormalFloat4.Dequantise(new byte[32], new float[2], new float[64]));
        Assert.Throws<ArgumentException>(() =>
            NormalFloat4.QuantiseMagnitudes(new float[257], new byte[257], new float[1]));
        var weights = new float[128];
        weights[70] = float.NaN;
        var e = Assert.Throws<QuantisationException>(() =>
            NormalFloat4.Quantise(weights, new byte[64], new float[2]));
        Assert.Equal(70, e.Index);
    }
}
