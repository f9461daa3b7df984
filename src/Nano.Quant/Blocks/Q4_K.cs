using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// The scales and minima of the eight parts of Q4_K and Q5_K, each of 6 bits, in twelve bytes.
/// </summary>
internal static class SixBitScales
{
    /// <summary>Parts of a block.</summary>
    public const int Parts = 8;

    /// <summary>The codes of a part's scale and minimum.</summary>
    public static (int Scale, int Min) Read(ReadOnlySpan<byte> s, int part) => part < 4
        ? (s[part] & 63, s[part + 4] & 63)
        : ((s[part + 4] & 15) | (s[part - 4] >> 6 << 4), (s[part + 4] >> 4) | (s[part] >> 6 << 4));

    /// <summary>Writes all of them.</summary>
    public static void Write(ReadOnlySpan<byte> scales, ReadOnlySpan<byte> mins, Span<byte> s)
    {
        for (int part = 0; part < 4; part++)
        {
            int scale = scales[part + 4], min = mins[part + 4];
            s[part] = (byte)(scales[part] | (scale >> 4 << 6));
            s[part + 4] = (byte)(mins[part] | (min >> 4 << 6));
            s[part + 8] = (byte)((scale & 15) | (min << 4));
        }
    }
}

/// <summary>
/// 256 weights of 4 bits in parts of 32: the scales of scales and minima in float16, the codes of
/// these, the codes; a weight is d s q - dmin m.
/// </summary>
internal readonly struct Q4_K : IBlockFormat
{
    private const int Scales = 4, Codes = 16, Part = 32;

    private static AffineRules Rules => new(Part, 15, 63, new MinimumSearch(-1f, 0.1f, 20, false));

    public static WeightType Type => WeightType.Q4_K;

    public static bool HasMinimum => true;

    public static int SharedScale => 0;

    public static int SharedMinimum => 2;

    public static int Weights => 256;

    public static int Bytes => 144;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block), min = Rounding.ReadScale(block[2..]);
        for (int part = 0; part < SixBitScales.Parts; part++)
        {
            (int scaleCode, int minCode) = SixBitScales.Read(block[Scales..], part);
            float scale = d * scaleCode, least = -(min * minCode);
            for (int i = 0; i < Part; i += Unpacking.Count)
            {
                Vector128<byte> codes = Unpacking.Load(block[(Codes + (part / 2 * Part) + i)..]);
                to.Shifted((part * Part) + i, Unpacking.Bits(codes, 4 * (part % 2), 15), scale, least);
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
        return isInRange;
    }
}
