using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// A block taken apart: a code for each weight, and for each sixteen of them a scale and a minimum; a weight is
/// scale * code + minimum, or scale * code where the format has no minimum. Codes are exact in float32 and so are their
/// products with a scale.
/// </summary>
/// <param name="codes">One per weight.</param>
/// <param name="scales">One per sixteen weights.</param>
/// <param name="minima">One per sixteen weights; not written by formats that have none.</param>
internal readonly ref struct Decoded(Span<sbyte> codes, Span<float> scales, Span<float> minima)
{
    /// <summary>Weights with one scale.</summary>
    public const int Part = Unpacking.Count;

    public readonly Span<sbyte> Codes = codes;
    public readonly Span<float> Scales = scales, Minima = minima;

    /// <summary>Weights scale * code.</summary>
    /// <param name="at">The position of the first, a multiple of 16.</param>
    /// <param name="codes">The codes.</param>
    /// <param name="scale">The scale.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Scaled(int at, Vector128<sbyte> codes, float scale)
    {
        codes.CopyTo(Codes[at..]);
        Scales[at / Part] = scale;
    }

    /// <summary>Weights scale * (code - offset).</summary>
    /// <inheritdoc cref="Scaled(int, Vector128{sbyte}, float)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Scaled(int at, Vector128<byte> codes, byte offset, float scale) =>
        Scaled(at, (codes - Vector128.Create(offset)).AsSByte(), scale);

    /// <summary>Weights scale * code + minimum.</summary>
    /// <inheritdoc cref="Scaled(int, Vector128{sbyte}, float)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Shifted(int at, Vector128<byte> codes, float scale, float minimum)
    {
        Scaled(at, codes.AsSByte(), scale);
        Minima[at / Part] = minimum;
    }

    /// <summary>The weights as floats.</summary>
    public void WriteTo(Span<float> weights, bool hasMinimum)
    {
        for (int at = 0; at < Codes.Length; at += Part)
            Unpacking.Weights(Vector128.Create<sbyte>(Codes[at..]), Scales[at / Part],
                hasMinimum ? Minima[at / Part] : null, weights[at..]);
    }
}
