using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// 32 weights of 4 bits: a scale in float16, a byte for the code of 0, then the codes; a weight is
/// d (q - zero). Groups of GPTQ and AWQ are rows of such blocks, exactly.
/// </summary>
internal readonly struct Int4 : IBlockFormat
{
    public static WeightType Type => WeightType.Int4;

    public static bool HasMinimum => true;

    public static int Weights => 32;

    public static int Bytes => 19;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block);
        Vector128<byte> codes = Unpacking.Load(block[3..]);
        // Both products and their difference have fewer than 24 bits.
        to.Shifted(0, Unpacking.Low(codes), d, -d * block[2]);
        to.Shifted(16, Unpacking.High(codes), d, -d * block[2]);
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights];
        bool fits = ZeroInt.Find(15, weights, codes, block);
        Nibbles.Pack(codes, block[3..]);
        return fits;
    }
}

/// <summary>32 weights of 8 bits: a scale in float16, a byte for the code of 0, then the codes; a weight is
/// d (q - zero).</summary>
internal readonly struct Int8 : IBlockFormat
{
    private const int Middle = 128;

    public static WeightType Type => WeightType.Int8;

    public static bool HasMinimum => true;

    public static int Weights => 32;

    public static int Bytes => 35;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block), minimum = d * (Middle - block[2]);
        for (int at = 0; at < Weights; at += Decoded.Part)
            to.Shifted(at, Unpacking.Load(block[(3 + at)..]) - Vector128.Create((byte)Middle), d, minimum);
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block) =>
        ZeroInt.Find(255, weights, block[3..], block);
}

/// <summary>The quantiser of both.</summary>
internal static class ZeroInt
{
    /// <summary>The codes of a block, and its scale and zero as its first three bytes.</summary>
    /// <returns>False if the scale is beyond float16.</returns>
    public static bool Find(int most, ReadOnlySpan<float> weights, Span<byte> codes, Span<byte> block)
    {
        float low = 0, high = 0;
        foreach (float weight in weights)
            (low, high) = (MathF.Min(low, weight), MathF.Max(high, weight));
        bool fits = Rounding.WriteScale(block, (high - low) / most);
        float inverse = Rounding.Reciprocal(Rounding.ReadScale(block));
        int zero = Rounding.Near(MathF.Min(most, -low * inverse), 0, most);
        block[2] = (byte)zero;
        for (int i = 0; i < codes.Length; i++)
            codes[i] = (byte)Math.Clamp((int)MathF.Round(weights[i] * inverse) + zero, 0, most);
        return fits;
    }
}
