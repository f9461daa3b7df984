using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Quantised weights W [N, K] of a model that runs, packed once from any block format: panels of 16 rows. A panel has
/// a unit of codes for each 32 steps of k, then the scales of all units, then their minima if the format has them: one
/// float32 for each row, and for each 32 or 16 steps.
/// <code>
/// codes of 4 bits: 4 x 64 bytes; byte 4 r + i of the v-th 64 is row r, its low half k = 4 v + i, its high half k + 16
/// codes of 8 bits: 16 x 32 bytes; byte 2 r + i of the j-th 32 is row r, k = 2 j + i
/// </code>
/// N is padded to a multiple of 16 with scales of zero.
/// </summary>
internal readonly unsafe struct QuantPanels
{
    /// <summary>Rows of a panel.</summary>
    public const int Width = 16;

    /// <summary>Steps of a unit.</summary>
    public const int Unit = 32;

    private readonly byte* first;

    private QuantPanels(byte* first, int n, int k, WeightType type)
    {
        (N, K, Type) = (n, k, type);
        this.first = first;
        (IsNibbles, Offset, PartsPerUnit) = type switch
        {
            WeightType.Q4_0 => (true, 8, 1),
            WeightType.Q4_1 or WeightType.Q4_K or WeightType.Int4 => (true, 0, 1),
            WeightType.Q2_K => (true, 0, 2),
            WeightType.Q3_K => (true, 4, 2),
            WeightType.TQ1_0 or WeightType.TQ2_0 => (true, 1, 1),
            WeightType.Q6_K or WeightType.NVFP4 => (false, 0, 2),
            _ => (false, 0, 1),
        };
        HasMinimum = BlockFormat.Of(type).HasMinimum;
    }

    public int N { get; }

    public int K { get; }

    /// <summary>The format they were packed from.</summary>
    public WeightType Type { get; }

    /// <summary>True for codes of 4 bits, false for 8.</summary>
    public bool IsNibbles { get; }

    /// <summary>The number that is added to codes of 4 bits, which hold no sign.</summary>
    public int Offset { get; }

    /// <summary>Scales of a row in a unit: 1 or 2.</summary>
    public int PartsPerUnit { get; }

    /// <summary>True if there are minima.</summary>
    public bool HasMinimum { get; }

    /// <summary>Units of a panel.</summary>
    public int Units => K / Unit;

    /// <summary>Panels.</summary>
    public int Panels => (N + Width - 1) / Width;

    /// <summary>Bytes of a unit's codes.</summary>
    public int UnitBytes => IsNibbles ? Width * Unit / 2 : Width * Unit;

    private long PanelBytes =>
        (long)Units * (UnitBytes + (PartsPerUnit * Width * sizeof(float) * (HasMinimum ? 2 : 1)));

    /// <summary>The codes of a panel.</summary>
    public byte* Codes(int panel) => first + (panel * (nint)PanelBytes);

    /// <summary>The scales of a panel, [units, parts, 16].</summary>
    public float* Scales(int panel) => (float*)(Codes(panel) + ((nint)Units * UnitBytes));

    /// <summary>The minima of a panel, [units, parts, 16].</summary>
    public float* Minima(int panel) => Scales(panel) + ((nint)Units * PartsPerUnit * Width);

    /// <summary>Weights [N, K] in the memory of an arena; K must be whole blocks.</summary>
    public static Tensor New(Arena arena, Shape shape, WeightType type)
    {
        var panels = new QuantPanels(null, shape[0], shape[1], type);
        return Tensor.Packed(arena, shape, type, panels.PanelBytes * panels.Panels / sizeof(float));
    }

    /// <summary>The panels of packed weights.</summary>
    public static QuantPanels Of(Tensor weight) =>
        new((byte*)weight.PackedPointer, weight.Shape[0], weight.Shape[1], weight.PackedAs!.Value);

    /// <summary>Packs whole rows as a file holds them, blocks of the weights' format.</summary>
    /// <param name="row">The number of the first.</param>
    /// <param name="stored">The blocks.</param>
    public void Pack(int row, ReadOnlySpan<byte> stored)
    {
        var format = BlockFormat.Of(Type);
        Span<sbyte> codes = stackalloc sbyte[format.Weights];
        int parts = format.Weights / Decoded.Part;
        Span<float> scales = stackalloc float[parts], minima = stackalloc float[parts];
        var decoded = new Decoded(codes, scales, minima);
        for (; !stored.IsEmpty; row++)
            for (int k = 0; k < K; k += format.Weights, stored = stored[format.Bytes..])
            {
                format.Decode(stored[..format.Bytes], decoded);
                for (int at = 0; at < format.Weights; at += Unit)
                    Put(row, (k + at) / Unit, codes.Slice(at, Unit), scales[(at / Decoded.Part)..],
                        minima[(at / Decoded.Part)..]);
            }
    }

    /// <summary>A row of a unit.</summary>
    private void Put(int row, int unit, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> scales,
        ReadOnlySpan<float> minima)
    {
        var (panel, r) = Math.DivRem(row, Width);
        byte* to = Codes(panel) + (unit * (nint)UnitBytes);
        if (IsNibbles)
            for (int i = 0; i < Unit / 2; i++)
                to[(i / 4 * 64) + (4 * r) + (i % 4)] = (byte)((codes[i] + Offset) | ((codes[i + 16] + Offset) << 4));
        else
            for (int i = 0; i < Unit; i++)
                to[(i / 2 * 32) + (2 * r) + (i % 2)] = (byte)codes[i];
        for (int part = 0; part < PartsPerUnit; part++)
        {
            nint at = (((nint)unit * PartsPerUnit) + part) * Width + r;
            Scales(panel)[at] = scales[part];
            if (HasMinimum)
                Minima(panel)[at] = minima[part];
        }
    }

    /// <summary>A row of W as floats [K], the bits that dequantising its blocks gives.</summary>
    public void Unpack(int row, float* to)
    {
        var (panel, r) = Math.DivRem(row, Width);
        byte* from = Codes(panel);
        Span<sbyte> codes = stackalloc sbyte[Unit];
        for (int unit = 0; unit < Units; unit++, from += UnitBytes, to += Unit)
        {
            for (int i = 0; i < Unit; i++)
                codes[i] = !IsNibbles ? (sbyte)from[(i / 2 * 32) + (2 * r) + (i % 2)]
                    : (sbyte)(((from[(i % 16 / 4 * 64) + (4 * r) + (i % 4)] >> (i / 16 * 4)) & 15) - Offset);
            for (int half = 0; half < 2; half++)
            {
                nint at = (((nint)unit * PartsPerUnit) + (half * (PartsPerUnit - 1))) * Width + r;
                Unpacking.Weights(Vector128.Create<sbyte>(codes[(16 * half)..]), Scales(panel)[at],
                    HasMinimum ? Minima(panel)[at] : null, new Span<float>(to + (16 * half), 16));
            }
        }
    }
}
