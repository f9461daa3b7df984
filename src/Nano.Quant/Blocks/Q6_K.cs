using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// 256 weights of 6 bits in parts of 16: the low four bits of each code, the high two, sixteen
/// scales of 8 bits, their scale in float16; a weight is d s (q - 32).
/// </summary>
internal readonly struct Q6_K : IBlockFormat
{
    private const int High = 128, Scales = 192, Scale = 208, Part = 16, Parts = 16, Offset = 32;
    private const float ScaleRange = 128;

    public static WeightType Type => WeightType.Q6_K;

    public static int SharedScale => Scale;

    public static int Weights => 256;

    public static int Bytes => 210;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block[Scale..]);
        for (int part = 0; part < Parts; part++)
        {
            int half = part / 8, group = part / 2 % 4, side = 16 * (part % 2);
            Vector128<byte> low = Unpacking.Load(block[((64 * half) + (32 * (group % 2)) + side)..]),
                high = Unpacking.Load(block[(High + (32 * half) + side)..]),
                codes = Unpacking.Bits(low, group / 2 * 4, 15) | (Unpacking.Bits(high, 2 * group, 3) << 4);
            to.Scaled(part * Part, codes, Offset, d * (sbyte)block[Scales + part]);
        }
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights];
        Span<float> scales = stackalloc float[Parts], squares = stackalloc float[Weights];
        for (int i = 0; i < Weights; i++)
            squares[i] = weights[i] * weights[i];
        ReadOnlySpan<float> errorWeights = importance.IsNone ? squares : importance.Columns;
        for (int part = 0; part < Parts; part += PartLanes.Count)
        {
            int start = part * Part, count = PartLanes.Count * Part;
            SignedScale.Search(Offset, Part, weights.Slice(start, count), errorWeights.Slice(start, count),
                codes.Slice(start, count), scales[part..]);
        }
        float largest = Rounding.Largest(scales);
        if (MathF.Abs(largest) < SignedScale.Negligible)
        {
            block.Clear();
            return true;
        }
        float inverse = -ScaleRange / largest;
        bool isInRange = Rounding.WriteScale(block[Scale..], 1 / inverse);
        Recode(weights, scales, inverse, codes, block);
        Pack(codes, block);
        return isInRange;
    }

    /// <summary>The scales' codes, and the weights' again for scales as they are stored.</summary>
    private static void Recode(ReadOnlySpan<float> x, ReadOnlySpan<float> scales, float inverse, Span<byte> codes,
        Span<byte> block)
    {
        Span<sbyte> scaleCodes = MemoryMarshal.Cast<byte, sbyte>(block.Slice(Scales, Parts));
        float d = Rounding.ReadScale(block[Scale..]);
        for (int part = 0; part < Parts; part++)
        {
            scaleCodes[part] = (sbyte)Math.Min(sbyte.MaxValue, Rounding.Near(inverse * scales[part]));
            float scale = d * scaleCodes[part];
            if (scale == 0)
                continue;
            for (int i = part * Part; i < (part + 1) * Part; i++)
                codes[i] = (byte)(Rounding.Near(x[i] / scale, -Offset, Offset - 1) + Offset);
        }
    }

    private static void Pack(ReadOnlySpan<byte> codes, Span<byte> block)
    {
        Span<byte> high = stackalloc byte[Weights];
        for (int half = 0; half < 2; half++)
            Nibbles.Pack(codes.Slice(128 * half, 128), block[(64 * half)..]);
        for (int i = 0; i < Weights; i++)
            high[i] = (byte)(codes[i] >> 4);
        Nibbles.PackQuarters(high, block[High..]);
    }
}
