using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// 32 weights of 5 bits: a scale in float16, the high bits as 32 bits, the low four of each code; a
/// weight is d (q - 16).
/// </summary>
internal readonly struct Q5_0 : IBlockFormat
{
    private const int Offset = 16;

    public static WeightType Type => WeightType.Q5_0;

    public static int Weights => 32;

    public static int Bytes => 22;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block);
        int high = BinaryPrimitives.ReadInt32LittleEndian(block[2..]);
        Vector128<byte> codes = Unpacking.Load(block[6..]);
        to.Scaled(0, Unpacking.Low(codes) | Unpacking.Spread(high, 16), Offset, d);
        to.Scaled(16, Unpacking.High(codes) | Unpacking.Spread(high >> 16, 16), Offset, d);
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
        BinaryPrimitives.WriteUInt32LittleEndian(block[2..], Nibbles.FifthBits(codes));
        Nibbles.Pack(codes, block[6..]);
        return Rounding.WriteScale(block, d);
    }
}

/// <summary>
/// 32 weights of 5 bits: a scale and a minimum in float16, the high bits, the low four of each
/// code; a weight is d q + m.
/// </summary>
internal readonly struct Q5_1 : IBlockFormat
{
    private const int Most = 31;

    public static WeightType Type => WeightType.Q5_1;

    public static bool HasMinimum => true;

    public static int Weights => 32;

    public static int Bytes => 24;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block), m = Rounding.ReadScale(block[2..]);
        int high = BinaryPrimitives.ReadInt32LittleEndian(block[4..]);
        Vector128<byte> codes = Unpacking.Load(block[8..]);
        to.Shifted(0, Unpacking.Low(codes) | Unpacking.Spread(high, 16), d, m);
        to.Shifted(16, Unpacking.High(codes) | Unpacking.Spread(high >> 16, 16), d, m);
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights];
        (float d, float m) = RangeScale.Find(Most, weights, importance, codes);
        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], Nibbles.FifthBits(codes));
        Nibbles.Pack(codes, block[8..]);
        return Rounding.WriteScale(block, d) & Rounding.WriteScale(block[2..], m);
    }
}
