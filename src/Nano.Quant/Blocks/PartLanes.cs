using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Parts of a block side by side in the lanes of vectors, number i of each in vector i, so that one
/// search serves eight parts. A lane computes what a loop over its part alone would, in the same
/// order.
/// </summary>
internal static class PartLanes
{
    /// <summary>Parts that are searched together.</summary>
    public const int Count = 8;

    /// <summary>The most numbers of a part.</summary>
    public const int MaxLength = 32;

    // 1.5 x 2^23, see Rounding.Near.
    private const float Shift = 12582912f;

    /// <summary>Lays parts side by side; lanes without a part stay as they are.</summary>
    public static void Gather(ReadOnlySpan<float> parts, int length, Span<Vector256<float>> lanes)
    {
        for (int part = 0; part < parts.Length / length; part++)
            for (int i = 0; i < length; i++)
                lanes[i] = lanes[i].WithElement(part, parts[(part * length) + i]);
    }

    /// <summary>The codes of parts behind each other.</summary>
    public static void Scatter(ReadOnlySpan<Vector256<int>> lanes, Span<byte> codes)
    {
        for (int i = 0; i < lanes.Length; i++)
            for (int part = 0; part < codes.Length / lanes.Length; part++)
                codes[(part * lanes.Length) + i] = (byte)lanes[i][part];
    }

    /// <summary>The nearest whole numbers within bounds, as <see cref="Rounding.Near(float, int, int)"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Near(Vector256<float> x, int least, int most)
    {
        Vector256<int> near = ((x + Vector256.Create(Shift)).AsInt32() & Vector256.Create(0x7FFFFF))
            - Vector256.Create(0x400000);
        return Vector256.Max(Vector256.Create(least), Vector256.Min(Vector256.Create(most), near));
    }

    /// <summary>All bits of the lanes whose number is infinite.</summary>
    public static Vector256<float> IsInfinite(Vector256<float> x) =>
        Vector256.Equals(Vector256.Abs(x), Vector256.Create(float.PositiveInfinity));
}
