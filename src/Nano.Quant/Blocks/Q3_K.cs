using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// 256 weights of 3 bits in parts of 16: the high bits, the low two of each code, sixteen scales of
/// 6 bits in twelve bytes, their scale in float16; a weight is d (s - 32) (q - 4).
/// </summary>
internal readonly struct Q3_K : IBlockFormat
{
    private const int Codes = 32, Scales = 96, Scale = 108, Part = 16, Parts = 16, Offset = 4, ScaleOffset = 32;

    public static WeightType Type => WeightType.Q3_K;

    public static int SharedScale => Scale;

    public static int Weights => 256;

    public static int Bytes => 110;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block[Scale..]);
        for (int part = 0; part < Parts; part++)
        {
            int half = part / 8, quarter = part / 2 % 4, side = 16 * (part % 2);
            Vector128<byte> low = Unpacking.Bits(Unpacking.Load(block[(Codes + (32 * half) + side)..]), 2 * quarter, 3),
                high = Unpacking.Bits(Unpacking.Load(block[side..]), part / 2, 1);
            to.Scaled(part * Part, low | (high << 2), Offset, d * (ReadScale(block[Scales..], part) - ScaleOffset));
        }
    }

    private static int ReadScale(ReadOnlySpan<byte> s, int part) =>
        (part < 8 ? s[part] & 15 : s[part - 8] >> 4) | (((s[8 + (part % 4)] >> (2 * (part / 4))) & 3) << 4);

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights], scaleCodes = stackalloc byte[Parts];
        float d = importance.IsNone ? Search(weights, codes, scaleCodes)
            : Search(weights, importance, codes, scaleCodes);
        bool isInRange = Rounding.WriteScale(block[Scale..], d);
        d = Rounding.ReadScale(block[Scale..]);
        for (int part = 0; part < Parts; part++)
        {
            float scale = d * (scaleCodes[part] - ScaleOffset);
            if (scale == 0)
                continue;
            for (int i = part * Part; i < (part + 1) * Part; i++)
                codes[i] = (byte)(Rounding.Near(weights[i] / scale, -Offset, Offset - 1) + Offset);
        }
        Pack(codes, scaleCodes, block);
        return isInRange;
    }

    /// <summary>The codes and their scales without importance; returns the scale of the scales.</summary>
    private static float Search(ReadOnlySpan<float> x, Span<byte> codes, Span<byte> scaleCodes)
    {
        Span<float> scales = stackalloc float[Parts];
        for (int part = 0; part < Parts; part++)
            scales[part] = SignedScale.Descend(Offset, x.Slice(part * Part, Part), codes.Slice(part * Part, Part));
        float inverse = -ScaleOffset / Rounding.Largest(scales);
        scaleCodes.Clear();
        if (float.IsInfinity(inverse))
            return 0;
        for (int part = 0; part < Parts; part++)
            scaleCodes[part] = (byte)(Rounding.Near(inverse * scales[part], -ScaleOffset, ScaleOffset - 1)
                + ScaleOffset);
        return 1 / inverse;
    }

    /// <summary>The codes and their scales with importance; returns the scale of the scales.</summary>
    private static float Search(ReadOnlySpan<float> x, Importance importance, Span<byte> codes, Span<byte> scaleCodes)
    {
        Span<float> scales = stackalloc float[Parts], partWeights = stackalloc float[Parts],
            errorWeights = stackalloc float[Weights];
        float sum = 0;
        foreach (float value in x)
            sum += value * value;
        importance.ErrorWeights(x, 0, 2 * sum / Weights, errorWeights);
        for (int part = 0; part < Parts; part++)
            foreach (float weight in errorWeights.Slice(part * Part, Part))
                partWeights[part] += weight;
        for (int part = 0; part < Parts; part += PartLanes.Count)
        {
            int start = part * Part, count = PartLanes.Count * Part;
            SignedScale.Search(Offset, Part, x.Slice(start, count), errorWeights.Slice(start, count),
                codes.Slice(start, count), scales[part..]);
        }
        return SignedScale.Search(ScaleOffset, scales, partWeights, scaleCodes);
    }

    private static void Pack(Span<byte> codes, ReadOnlySpan<byte> scaleCodes, Span<byte> block)
    {
        block[..Scale].Clear();
        for (int part = 0; part < Parts; part++)
        {
            int code = scaleCodes[part];
            block[Scales + (part % 8)] |= (byte)((code & 15) << (part / 8 * 4));
            block[Scales + 8 + (part % 4)] |= (byte)(code >> 4 << (part / 4 * 2));
        }
        for (int i = 0; i < Weights; i++)
        {
            block[i % 32] |= (byte)(codes[i] >> 2 << (i / 32));
            codes[i] &= 3;
        }
        Nibbles.PackQuarters(codes, block[Codes..]);
    }
}
