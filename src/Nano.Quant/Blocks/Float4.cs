using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Floats of 4 bits (E2M1): a sign and 0, 0.5, 1, 1.5, 2, 3, 4 or 6. They are counted in halves,
/// and the scales of MXFP4 and NVFP4 are halved for it.
/// </summary>
internal static class Float4
{
    private static readonly Vector128<sbyte> Halves =
        Vector128.Create(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

    /// <summary>The middles between neighbours, in halves.</summary>
    private static ReadOnlySpan<float> Middles => [0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10];

    /// <summary>Sixteen codes as whole numbers of halves.</summary>
    public static Vector128<sbyte> Twice(Vector128<byte> codes) => Vector128.Shuffle(Halves, codes.AsSByte());

    /// <summary>The nearest codes; of two equally near numbers the smaller in magnitude.</summary>
    /// <param name="x">Eight or a multiple.</param>
    /// <param name="scale">The scale, halved; 0 makes all codes 0.</param>
    /// <param name="codes">Receives one code per number.</param>
    public static void Encode(ReadOnlySpan<float> x, float scale, Span<byte> codes)
    {
        if (scale == 0)
        {
            codes.Clear();
            return;
        }
        for (int i = 0; i < x.Length; i += Vector256<float>.Count)
        {
            Vector256<float> numbers = Vector256.Create(x[i..]), magnitudes = Vector256.Abs(numbers);
            Vector256<int> code = default;
            foreach (float middle in Middles)
                code -= Vector256.GreaterThan(magnitudes, Vector256.Create(middle * scale)).AsInt32();
            // no code of -0
            Vector256<int> isNegative = Vector256.LessThan(numbers, default).AsInt32()
                & Vector256.GreaterThan(code, default);
            code += isNegative & Vector256.Create(8);
            for (int lane = 0; lane < Vector256<float>.Count; lane++)
                codes[i + lane] = (byte)code[lane];
        }
    }
}

/// <summary>
/// 32 weights as floats of 4 bits with a power of two as their scale (OCP microscaling): its
/// exponent in a byte, then the codes.
/// </summary>
internal readonly struct MXFP4 : IBlockFormat
{
    private const int Bias = 127, LargestExponent = 2;

    public static WeightType Type => WeightType.MXFP4;

    public static int Weights => 32;

    public static int Bytes => 17;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Scale(block[0]);
        Vector128<byte> codes = Unpacking.Load(block[1..]);
        to.Scaled(0, Float4.Twice(Unpacking.Low(codes)), d);
        to.Scaled(16, Float4.Twice(Unpacking.High(codes)), d);
    }

    /// <summary>Half of 2^(e - 127).</summary>
    private static float Scale(int e) => MathF.ScaleB(1, e - Bias - 1);

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        float largest = MathF.Abs(Rounding.Largest(weights));
        // The logarithm is rounded to float32 first, up at numbers just below a power of two.
        int e = largest > 0 ? (int)MathF.Floor((float)Math.Log2(largest)) - LargestExponent + Bias : 0;
        block[0] = (byte)Math.Max(0, e);
        Span<byte> codes = stackalloc byte[Weights];
        Float4.Encode(weights, e < 0 ? 0 : Scale(e), codes);
        Nibbles.Pack(codes, block[1..]);
        return true;
    }
}

/// <summary>
/// 64 weights as floats of 4 bits in parts of 16, each with a scale that is an unsigned float of 8
/// bits (E4M3): the scales, then the codes. Numbers beyond 2688 become that.
/// </summary>
internal readonly struct NVFP4 : IBlockFormat
{
    private const int Parts = 4, Part = 16, Bias = 7, MantissaBits = 3, NotANumber = 0x7F;
    private const float LargestCode = 6;

    public static WeightType Type => WeightType.NVFP4;

    public static int Weights => 64;

    public static int Bytes => 36;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        for (int pair = 0; pair < Parts; pair += 2)
        {
            Vector128<byte> bytes = Unpacking.Load(block[(Parts + (pair * Part / 2))..]),
                low = Unpacking.Low(bytes), high = Unpacking.High(bytes);
            to.Scaled(pair * Part, Float4.Twice(Halves(low, high, 0)), Scale(block[pair]));
            to.Scaled((pair + 1) * Part, Float4.Twice(Halves(low, high, 1)), Scale(block[pair + 1]));
        }
    }

    /// <summary>A half of each of two vectors.</summary>
    private static Vector128<byte> Halves(Vector128<byte> low, Vector128<byte> high, int half) =>
        Vector128.Create(low.AsUInt64()[half], high.AsUInt64()[half]).AsByte();

    /// <summary>Half of the number that a byte stands for.</summary>
    private static float Scale(byte e)
    {
        int exponent = (e >> MantissaBits) & 15, mantissa = e & 7;
        return e == NotANumber ? 0 : exponent == 0 ? MathF.ScaleB(mantissa, -MantissaBits - Bias)
            : MathF.ScaleB(8 + mantissa, exponent - Bias - MantissaBits - 1);
    }

    /// <summary>
    /// The byte nearest to a number that is not negative; the largest is 448. Ties go up.
    /// </summary>
    private static byte Encode(float x)
    {
        const int MantissaOfFloat = 23, BiasOfFloat = 127, Largest = 0x7E;
        const float LeastNormal = 1f / 64, UnitsPerOne = 512;
        if (x < LeastNormal)
            return (byte)Math.Min(7, (int)((x * UnitsPerOne) + 0.5f));
        // Half of the last kept place, added to the bits, carries into the exponent as it should.
        int bits = BitConverter.SingleToInt32Bits(x) + (1 << (MantissaOfFloat - MantissaBits - 1));
        return (byte)Math.Min(Largest,
            (bits >> (MantissaOfFloat - MantissaBits)) - ((BiasOfFloat - Bias) << MantissaBits));
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[Part];
        for (int part = 0; part < Parts; part++)
        {
            ReadOnlySpan<float> x = weights.Slice(part * Part, Part);
            block[part] = Encode(MathF.Abs(Rounding.Largest(x)) / LargestCode);
            Float4.Encode(x, Scale(block[part]), codes);
            Nibbles.Pack(codes, block[(Parts + (part * Part / 2))..]);
        }
        return true;
    }
}
