namespace Nano;

/// <summary>
/// Floats of 8 bits (arXiv:2209.05433). E5M2 has infinities, as float16, of which it is the upper
/// byte; E4M3 has none: its largest number is 448, and a byte with all bits but the sign set is
/// NaN.
/// </summary>
internal sealed class Float8
{
    private const int Sign = 0x80, NotANumber = 0x7F;

    private static readonly Float8 E4M3 = new(4, 3, NotANumber), E5M2 = new(5, 2, 0x7C);

    private readonly float[] values = new float[2 * Sign];

    // The magnitudes of the bytes up to and with the first that stands for no finite number, as if it did.
    private readonly double[] magnitudes;

    private Float8(int exponentBits, int mantissaBits, int firstNotFinite)
    {
        int bias = (1 << (exponentBits - 1)) - 1, units = 1 << mantissaBits;
        magnitudes = new double[firstNotFinite + 1];
        for (int i = 0; i < magnitudes.Length; i++)
        {
            int exponent = i >> mantissaBits, mantissa = i % units;
            magnitudes[i] = Math.ScaleB(exponent == 0 ? mantissa : units + mantissa,
                Math.Max(1, exponent) - bias - mantissaBits);
        }
        for (int i = 0; i < Sign; i++)
        {
            values[i] = i < firstNotFinite ? (float)magnitudes[i]
                : i == firstNotFinite && i != NotANumber ? float.PositiveInfinity : float.NaN;
            values[Sign + i] = -values[i];
        }
    }

    /// <summary>The format of a type of 8 bits.</summary>
    public static Float8 Of(WeightType type) => type switch
    {
        WeightType.F8_E4M3 => E4M3,
        WeightType.F8_E5M2 => E5M2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a type of 8 bits"),
    };

    /// <summary>Bytes as floats.</summary>
    public void Widen(ReadOnlySpan<byte> stored, Span<float> to)
    {
        for (int i = 0; i < stored.Length; i++)
            to[i] = values[stored[i]];
    }

    /// <summary>
    /// Floats as the nearest bytes, ties to even; what would round to a number beyond the largest
    /// becomes infinite, or NaN in E4M3.
    /// </summary>
    public void Narrow(ReadOnlySpan<float> from, Span<byte> stored)
    {
        for (int i = 0; i < from.Length; i++)
        {
            int magnitude = float.IsNaN(from[i]) ? NotANumber : Nearest(MathF.Abs(from[i]));
            stored[i] = (byte)(float.IsNegative(from[i]) ? Sign | magnitude : magnitude);
        }
    }

    private int Nearest(float x)
    {
        int low = 0, high = magnitudes.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            double tie = (magnitudes[middle] + magnitudes[middle + 1]) / 2;
            if (x > tie || (x == tie && middle % 2 != 0))
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
