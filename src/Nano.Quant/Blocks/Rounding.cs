using System.Buffers.Binary;

namespace Nano;

/// <summary>The roundings of quantisers, and scales as float16.</summary>
internal static class Rounding
{
    // 1.5 x 2^23: a sum with it has no bits for fractions.
    private const float Shift = 12582912f;

    /// <summary>
    /// The nearest whole number, ties to even, of numbers below 2^22 in magnitude; of others some
    /// number, always the same one.
    /// </summary>
    public static int Near(float x) => (BitConverter.SingleToInt32Bits(x + Shift) & 0x7FFFFF) - 0x400000;

    /// <summary>The nearest whole number within bounds, ties to even.</summary>
    public static int Near(float x, int least, int most) => Math.Max(least, Math.Min(most, Near(x)));

    /// <summary>The nearest whole number, ties away from zero.</summary>
    public static int AwayFromZero(float x) => (int)MathF.Round(x, MidpointRounding.AwayFromZero);

    /// <summary>
    /// The reciprocal of a scale; 0 of 0, and of numbers so small that it would be infinite: their
    /// blocks become zeros.
    /// </summary>
    public static float Reciprocal(float scale) => 1 / scale is var inverse && float.IsFinite(inverse) ? inverse : 0;

    /// <summary>
    /// The first of the numbers of largest magnitude, with its sign; 0 if there is none, and NaN if
    /// one of them is.
    /// </summary>
    public static float Largest(ReadOnlySpan<float> x)
    {
        float largest = 0, magnitude = 0;
        foreach (float value in x)
            if (float.IsNaN(value))
                return value;
            else if (MathF.Abs(value) > magnitude)
                (magnitude, largest) = (MathF.Abs(value), value);
        return largest;
    }

    /// <summary>Reads a scale.</summary>
    public static float ReadScale(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);

    /// <summary>Writes a scale, rounded to float16.</summary>
    /// <returns>False if it is beyond float16, or NaN.</returns>
    public static bool WriteScale(Span<byte> bytes, float scale)
    {
        var half = (Half)scale;
        BinaryPrimitives.WriteHalfLittleEndian(bytes, half);
        return Half.IsFinite(half);
    }
}
