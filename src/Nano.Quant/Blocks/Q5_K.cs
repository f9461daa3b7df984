using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// 256 weights of 5 bits in parts of 32: the scales of scales and minima in float16, the codes of
/// these, the high bits, the low four of each code; a weight is d s q - dmin m.
/// </summary>
internal readonly struct Q5_K : IBlockFormat
{
    private const int Scales = 4, High = 16, Codes = 48, Part = 32;

    private static AffineRules Rules => new(Part, 31, 63, new MinimumSearch(-0.5f, 0.1f, 15, false));

    public static WeightType Type => WeightType.Q5_K;

    public static bool HasMinimum => true;

    public static int SharedScale => 0;

    public static int SharedMinimum => 2;

    public static int Weights => 256;

    public static int Bytes => 176;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block), min = Rounding.ReadScale(block[2..]);
        for (int part = 0; part < SixBitScales.Parts; part++)
        {
            (int scaleCode, int minCode) = SixBitScales.Read(block[Scales..], part);
            float scale = d * scaleCode, least = -(min * minCode);
            for (int i = 0; i < Part; i += Unpacking.Count)
            {
                Vector128<byte> codes = Unpacking.Load(block[(Codes + (part / 2 * Part) + i)..]),
                    high = Unpacking.Bits(Unpacking.Load(block[(High + i)..]), part, 1);
                to.Shifted((part * Part) + i, Unpacking.Bits(codes, 4 * (part % 2), 15) | (high << 4), scale, least);
            }
        }
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights], scaleCodes = stackalloc byte[SixBitScales.Parts],
            minCodes = stackalloc byte[SixBitScales.Parts];
        bool isInRange = AffineBlock.Quantise(Rules, weights, importance, codes, scaleCodes, minCodes, block);
        SixBitScales.Write(scaleCodes, minCodes, block[Scales..]);
        for (int pair = 0; pair < Weights / (2 * Part); pair++)
            Nibbles.Pack(codes.Slice(pair * 2 * Part, 2 * Part), block[(Codes + (pair * Part))..]);
        for (int i = 0; i < Part; i++)
        {
            int bits = 0;
            for (int part = 0; part < SixBitScales.Parts; part++)
                bits |= codes[(part * Part) + i] >> 4 << part;
            block[High + i] = (byte)bits;
        }
        return isInRange;
    }
}
