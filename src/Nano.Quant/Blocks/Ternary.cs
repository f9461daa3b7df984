using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>The codes of TQ1_0 and TQ2_0: 0, 1 and 2 for -d, 0 and d.</summary>
internal static class Trits
{
    /// <summary>Finds the scale, the largest magnitude, and the codes.</summary>
    public static float Find(ReadOnlySpan<float> x, Span<byte> codes)
    {
        float d = MathF.Abs(Rounding.Largest(x)), inverse = Rounding.Reciprocal(d);
        for (int i = 0; i < x.Length; i++)
            codes[i] = (byte)(Rounding.AwayFromZero(x[i] * inverse) + 1);
        return d;
    }
}

/// <summary>
/// 256 weights of three values, five to a byte, then their scale in float16; a weight is d (trit -
/// 1). A byte is the fraction, in 256ths and rounded up, whose first digits to base 3 are its
/// trits.
/// </summary>
internal readonly struct TQ1_0 : IBlockFormat
{
    private const int Scale = 52, Base = 3, Denominator = 243;

    public static WeightType Type => WeightType.TQ1_0;

    public static int SharedScale => Scale;

    public static int Weights => 256;

    public static int Bytes => 54;

    /// <summary>Runs of bytes: the first byte, the number of bytes, and the trits in each.</summary>
    private static readonly (int First, int Count, int Digits)[] Runs = [(0, 32, 5), (32, 16, 5), (48, 4, 4)];

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        to.Scales.Fill(Rounding.ReadScale(block[Scale..]));
        int at = 0;
        foreach ((int first, int count, int digits) in Runs)
        {
            int power = 1;
            for (int digit = 0; digit < digits; digit++, power *= Base)
                for (int i = 0; i < count; i++)
                    to.Codes[at++] = (sbyte)((((byte)(block[first + i] * power) * Base) >> 8) - 1);
        }
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights];
        float d = Trits.Find(weights, codes);
        foreach ((int first, int count, int digits) in Runs)
        {
            for (int i = 0; i < count; i++)
            {
                int number = 0;
                for (int digit = 0; digit < 5; digit++)
                    number = (number * Base) + (digit < digits ? codes[(digit * count) + i] : 0);
                block[first + i] = (byte)(((number * 256) + Denominator - 1) / Denominator);
            }
            codes = codes[(count * digits)..];
        }
        return Rounding.WriteScale(block[Scale..], d);
    }
}

/// <summary>
/// 256 weights of three values, four to a byte, then their scale in float16; a weight is d (q - 1).
/// </summary>
internal readonly struct TQ2_0 : IBlockFormat
{
    private const int Scale = 64;

    public static WeightType Type => WeightType.TQ2_0;

    public static int SharedScale => Scale;

    public static int Weights => 256;

    public static int Bytes => 66;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block[Scale..]);
        for (int at = 0; at < Weights; at += Unpacking.Count)
        {
            Vector128<byte> codes = Unpacking.Load(block[((at / 128 * 32) + (at % 32))..]);
            to.Scaled(at, Unpacking.Bits(codes, at / 32 % 4 * 2, 3), 1, d);
        }
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Weights];
        float d = Trits.Find(weights, codes);
        Nibbles.PackQuarters(codes, block);
        return Rounding.WriteScale(block[Scale..], d);
    }
}
