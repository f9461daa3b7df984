using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>32 weights of 8 bits: a scale in float16, then the codes; a weight is d q.</summary>
internal readonly struct Q8_0 : IBlockFormat
{
    private const float Most = 127;

    public static WeightType Type => WeightType.Q8_0;

    public static int Weights => 32;

    public static int Bytes => 34;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block);
        to.Scaled(0, Unpacking.Load(block[2..]).AsSByte(), d);
        to.Scaled(16, Unpacking.Load(block[18..]).AsSByte(), d);
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        float d = MathF.Abs(Rounding.Largest(weights)) / Most, inverse = Rounding.Reciprocal(d);
        Span<sbyte> codes = MemoryMarshal.Cast<byte, sbyte>(block[2..]);
        for (int i = 0; i < codes.Length; i++)
            codes[i] = (sbyte)Rounding.AwayFromZero(weights[i] * inverse);
        return Rounding.WriteScale(block, d);
    }
}
