using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// 256 weights of 2 bits in parts of 16: a byte per part with the codes of its scale and minimum,
/// the codes, then the scales of both in float16; a weight is d s q - dmin m.
/// </summary>
internal readonly struct Q2_K : IBlockFormat
{
    private const int Codes = 16, Scales = 80, Part = 16;

    private static AffineRules Rules => new(Part, 3, 15, new MinimumSearch(-0.5f, 0.1f, 15, true));

    public static WeightType Type => WeightType.Q2_K;

    public static bool HasMinimum => true;

    public static int SharedScale => Scales;

    public static int SharedMinimum => Scales + 2;

    public static int Weights => 256;

    public static int Bytes => 84;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block[Scales..]), min = Rounding.ReadScale(block[(Scales + 2)..]);
        for (int part = 0; part < Weights / Part; part++)
        {
            int half = part / 8, quarter = part / 2 % 4;
            Vector128<byte> codes = Unpacking.Load(block[(Codes + (32 * half) + (16 * (part % 2)))..]);
            to.Shifted(part * Part, Unpacking.Bits(codes, 2 * quarter, 3), d * (block[part] & 15),
                -(min * (block[part] >> 4)));
        }
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights], scaleCodes = stackalloc byte[Weights / Part],
            minCodes = stackalloc byte[Weights / Part];
        bool isInRange = AffineBlock.Quantise(Rules, weights, importance, codes, scaleCodes, minCodes, block[Scales..]);
        for (int part = 0; part < scaleCodes.Length; part++)
            block[part] = (byte)(scaleCodes[part] | (minCodes[part] << 4));
        Nibbles.PackQuarters(codes, block[Codes..]);
        return isInRange;
    }
}
