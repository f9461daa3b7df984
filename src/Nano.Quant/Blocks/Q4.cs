using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>32 weights of 4 bits: a scale in float16, then the codes; a weight is d (q - 8).</summary>
internal readonly struct Q4_0 : IBlockFormat
{
    private const int Offset = 8;

    public static WeightType Type => WeightType.Q4_0;

    public static int Weights => 32;

    public static int Bytes => 18;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block);
        Vector128<byte> codes = Unpacking.Load(block[2..]);
        to.Scaled(0, Unpacking.Low(codes), Offset, d);
        to.Scaled(16, Unpacking.High(codes), Offset, d);
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights];
        float d;
        if (importance.IsNone)
        {
            d = Rounding.Largest(weights) / -Offset;
            float inverse = Rounding.Reciprocal(d);
            for (int i = 0; i < codes.Length; i++)
                codes[i] = (byte)Math.Min((2 * Offset) - 1, (int)((weights[i] * inverse) + (Offset + 0.5f)));
        }
        else
        {
            Span<float> errorWeights = stackalloc float[Weights];
            importance.ErrorWeights(weights, 0, importance.MeanSquare, errorWeights);
            d = SignedScale.Search(Offset, weights, errorWeights, codes);
        }
        Nibbles.Pack(codes, block[2..]);
        return Rounding.WriteScale(block, d);
    }
}

/// <summary>
/// 32 weights of 4 bits: a scale and a minimum in float16, then the codes; a weight is d q + m.
/// </summary>
internal readonly struct Q4_1 : IBlockFormat
{
    private const int Most = 15;

    public static WeightType Type => WeightType.Q4_1;

    public static bool HasMinimum => true;

    public static int Weights => 32;

    public static int Bytes => 20;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block), m = Rounding.ReadScale(block[2..]);
        Vector128<byte> codes = Unpacking.Load(block[4..]);
        to.Shifted(0, Unpacking.Low(codes), d, m);
        to.Shifted(16, Unpacking.High(codes), d, m);
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights];
        (float d, float m) = RangeScale.Find(Most, weights, importance, codes);
        Nibbles.Pack(codes, block[4..]);
        return Rounding.WriteScale(block, d) & Rounding.WriteScale(block[2..], m);
    }
}
