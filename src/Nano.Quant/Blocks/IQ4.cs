using System.Buffers.Binary;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// The codes of IQ4_NL and IQ4_XS: sixteen numbers that lie closer together towards zero, and the
/// search for the scale of a part of 32.
/// </summary>
internal static class IQ4Codes
{
    /// <summary>Weights that share a scale.</summary>
    public const int Part = 32;

    private const int Tries = 7;

    private static readonly Vector128<sbyte> Values =
        Vector128.Create(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

    private static ReadOnlySpan<sbyte> Table =>
        [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>Sixteen bytes of codes as 32 floats.</summary>
    public static void Decode(ReadOnlySpan<byte> bytes, float scale, int at, Decoded to)
    {
        Vector128<byte> codes = Unpacking.Load(bytes);
        to.Scaled(at, Vector128.Shuffle(Values, Unpacking.Low(codes).AsSByte()), scale);
        to.Scaled(at + 16, Vector128.Shuffle(Values, Unpacking.High(codes).AsSByte()), scale);
    }

    /// <summary>The middles between neighbours.</summary>
    private static ReadOnlySpan<float> Middles =>
        [-115.5f, -93.5f, -74, -57, -42, -28.5f, -16, -4.5f, 7, 19, 31.5f, 45.5f, 61, 79, 101];

    /// <summary>
    /// The codes of numbers under an inverse scale: those of the nearest numbers of the table, of
    /// two equally near the larger.
    /// </summary>
    private static void Encode(ReadOnlySpan<float> x, Vector256<float> inverse, Span<byte> codes)
    {
        for (int i = 0; i < x.Length; i += Vector256<float>.Count)
        {
            Vector256<float> scaled = inverse * Vector256.Create(x[i..]);
            Vector256<int> code = default;
            foreach (float middle in Middles)
                code -= Vector256.GreaterThanOrEqual(scaled, Vector256.Create(middle)).AsInt32();
            for (int lane = 0; lane < Vector256<float>.Count; lane++)
                codes[i + lane] = (byte)code[lane];
        }
    }

    /// <summary>The codes of numbers divided by a scale.</summary>
    public static void Encode(ReadOnlySpan<float> x, float scale, Span<byte> codes) =>
        Encode(x, Vector256.Create(Rounding.Reciprocal(scale)), codes);

    /// <summary>
    /// The weights of errors of a part, relative to the whole block: by the squares of the numbers,
    /// or with their importance.
    /// </summary>
    public static void ErrorWeights(ReadOnlySpan<float> block, int at, Importance importance, Span<float> errorWeights)
    {
        ReadOnlySpan<float> x = block.Slice(at, Part);
        if (importance.IsNone)
        {
            for (int i = 0; i < x.Length; i++)
                errorWeights[i] = x[i] * x[i];
            return;
        }
        float sum = 0;
        foreach (float value in block)
            sum += value * value;
        importance.ErrorWeights(x, at, sum * (2f / block.Length), errorWeights);
    }

    /// <summary>The scale of a part, of which fifteen more are tried, each fitted by least squares.</summary>
    public static float Search(ReadOnlySpan<float> x, ReadOnlySpan<float> errorWeights)
    {
        float largest = Rounding.Largest(x);
        if (MathF.Abs(largest) < SignedScale.Negligible)
            return 0;
        (float products, float squares) = Sums(x, errorWeights, 1 / (-largest / Table[0]));
        if (squares <= 0)
            return 0; // no weight of the part has any importance
        float scale = products / squares, best = scale * products;
        for (int i = -Tries; i <= Tries; i++)
        {
            (products, squares) = Sums(x, errorWeights, (i + Table[0]) / largest);
            if (squares > 0 && products * products > best * squares)
            {
                scale = products / squares;
                best = scale * products;
            }
        }
        return scale;
    }

    private static (float Products, float Squares) Sums(ReadOnlySpan<float> x, ReadOnlySpan<float> errorWeights,
        float inverse)
    {
        Span<byte> codes = stackalloc byte[Part];
        Encode(x, Vector256.Create(inverse), codes);
        float products = 0, squares = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float q = Table[codes[i]], w = errorWeights[i];
            products += w * q * x[i];
            squares += w * q * q;
        }
        return (products, squares);
    }
}

/// <summary>32 weights of 4 bits: a scale in float16, then the codes; a weight is d T[q].</summary>
internal readonly struct IQ4_NL : IBlockFormat
{
    public static WeightType Type => WeightType.IQ4_NL;

    public static int Weights => 32;

    public static int Bytes => 18;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to) =>
        IQ4Codes.Decode(block[2..], Rounding.ReadScale(block), 0, to);

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<float> errorWeights = stackalloc float[Weights];
        Span<byte> codes = stackalloc byte[Weights];
        IQ4Codes.ErrorWeights(weights, 0, importance, errorWeights);
        float d = IQ4Codes.Search(weights, errorWeights);
        IQ4Codes.Encode(weights, d, codes);
        Nibbles.Pack(codes, block[2..]);
        return Rounding.WriteScale(block, d);
    }
}

/// <summary>
/// 256 weights of 4 bits in parts of 32: the scale of the scales in float16, eight scales of 6
/// bits, the codes; a weight is d (s - 32) T[q].
/// </summary>
internal readonly struct IQ4_XS : IBlockFormat
{
    private const int High = 2, Low = 4, Codes = 8, Parts = 8, ScaleOffset = 32;

    public static WeightType Type => WeightType.IQ4_XS;

    public static int SharedScale => 0;

    public static int Weights => 256;

    public static int Bytes => 136;

    public static void Decode(ReadOnlySpan<byte> block, Decoded to)
    {
        float d = Rounding.ReadScale(block);
        int high = BinaryPrimitives.ReadUInt16LittleEndian(block[High..]);
        for (int part = 0; part < Parts; part++)
        {
            int scale = ((block[Low + (part / 2)] >> (part % 2 * 4)) & 15) | (((high >> (2 * part)) & 3) << 4);
            IQ4Codes.Decode(block[(Codes + (part * 16))..], d * (scale - ScaleOffset), part * IQ4Codes.Part, to);
        }
    }

    public static bool Quantise(ReadOnlySpan<float> weights, Importance importance, Span<byte> block)
    {
        Span<float> scales = stackalloc float[Parts], errorWeights = stackalloc float[IQ4Codes.Part];
        for (int part = 0; part < Parts; part++)
        {
            IQ4Codes.ErrorWeights(weights, part * IQ4Codes.Part, importance, errorWeights);
            scales[part] = IQ4Codes.Search(weights.Slice(part * IQ4Codes.Part, IQ4Codes.Part), errorWeights);
        }
        float d = -Rounding.Largest(scales) / ScaleOffset, inverse = Rounding.Reciprocal(d);
        Span<byte> codes = stackalloc byte[IQ4Codes.Part];
        int high = 0;
        block[Low..Codes].Clear();
        for (int part = 0; part < Parts; part++)
        {
            int scale = Rounding.Near(inverse * scales[part], -ScaleOffset, ScaleOffset - 1);
            IQ4Codes.Encode(weights.Slice(part * IQ4Codes.Part, IQ4Codes.Part), d * scale, codes);
            Nibbles.Pack(codes, block[(Codes + (part * 16))..]);
            scale += ScaleOffset;
            block[Low + (part / 2)] |= (byte)((scale & 15) << (part % 2 * 4));
            high |= scale >> 4 << (2 * part);
        }
        BinaryPrimitives.WriteUInt16LittleEndian(block[High..], (ushort)high);
        return Rounding.WriteScale(block, d);
    }
}
