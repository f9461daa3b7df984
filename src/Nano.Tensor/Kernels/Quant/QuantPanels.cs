using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Quantised weights W [N, K] of a model that runs, packed once from any block format: panels of 16 rows. A panel has
/// a unit of codes for each 32 steps of k (<see cref="ICodes"/>), then its scales (<see cref="ScaleTable"/>).
/// N is padded to a multiple of 16 with scales of zero.
/// </summary>
internal readonly unsafe struct QuantPanels
{
    /// <summary>Rows of a panel.</summary>
    public const int Width = 16;

    /// <summary>Steps of a unit.</summary>
    public const int Unit = 32;

    private const int Vector = Nano.Codes.VectorBytes / sizeof(uint);

    private readonly byte* first;

    private QuantPanels(byte* first, int n, int k, WeightType type)
    {
        (N, K, Type) = (n, k, type);
        this.first = first;
        (Bits, Offset) = type switch
        {
            WeightType.TQ1_0 or WeightType.TQ2_0 => (2, 1),
            WeightType.Q2_K => (2, 0),
            WeightType.Q3_K => (3, 4),
            WeightType.Q4_0 => (4, 8),
            WeightType.Q4_1 or WeightType.Q4_K or WeightType.Int4 => (4, 0),
            WeightType.Q5_0 => (5, 16),
            WeightType.Q5_1 or WeightType.Q5_K => (5, 0),
            WeightType.MXFP4 => (5, 16), // codes from -12 to 12
            WeightType.NVFP4 => (6, 16), // the same
            WeightType.Q6_K => (6, 32),
            _ => (8, 128),
        };
        LowBits = Bits switch { < 4 => 2, < 8 => 4, _ => 8 };
        Scales = new ScaleTable(BlockFormat.Of(type), k / Unit, parts: Bits is 2 or 3 or 6 ? 2 : 1);
    }

    public int N { get; }

    public int K { get; }

    /// <summary>The format they were packed from.</summary>
    public WeightType Type { get; }

    /// <summary>Bits of a code.</summary>
    public int Bits { get; }

    /// <summary>Bits of the first plane of codes, see <see cref="ICodes"/>.</summary>
    public int LowBits { get; }

    /// <summary>Bits of the second plane of codes.</summary>
    public int HighBits => Bits - LowBits;

    /// <summary>The number that is added to a code, so that none is below zero.</summary>
    public int Offset { get; }

    /// <summary>The form of a panel's scales.</summary>
    public ScaleTable Scales { get; }

    /// <summary>Units of a panel.</summary>
    public int Units => K / Unit;

    /// <summary>Panels.</summary>
    public int Panels => (N + Width - 1) / Width;

    /// <summary>Bytes of a unit's codes.</summary>
    public int UnitBytes => Nano.Codes.VectorBytes * Bits;

    /// <summary>Bytes of a panel: whole cache lines.</summary>
    public nint PanelBytes => ((nint)Units * UnitBytes) + ((Scales.Bytes + CacheSizes.Line - 1) & -CacheSizes.Line);

    /// <summary>The codes of a panel.</summary>
    public byte* Codes(int panel) => first + (panel * PanelBytes);

    /// <summary>The scales of a panel, behind its codes.</summary>
    public byte* ScalesOf(int panel) => Codes(panel) + ((nint)Units * UnitBytes);

    /// <summary>Weights [N, K] in the memory of an arena; K must be whole blocks.</summary>
    public static Tensor New(Arena arena, Shape shape, WeightType type)
    {
        var panels = new QuantPanels(null, shape[0], shape[1], type);
        return Tensor.Packed(arena, shape, type, (long)panels.PanelBytes * panels.Panels / sizeof(float));
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
        {
            var (panel, r) = Math.DivRem(row, Width);
            for (int k = 0; k < K; k += format.Weights, stored = stored[format.Bytes..])
            {
                format.Decode(stored[..format.Bytes], decoded);
                for (int at = 0; at < format.Weights; at += Unit)
                    PutCodes(Codes(panel) + ((k + at) / Unit * (nint)UnitBytes), r, codes.Slice(at, Unit));
                Scales.Put(ScalesOf(panel), k / Unit, r, stored[..format.Bytes], decoded);
            }
        }
    }

    /// <summary>A row of a unit: the low bits of each code in the first plane, the others in the second.</summary>
    private void PutCodes(byte* unit, int r, ReadOnlySpan<sbyte> codes)
    {
        var stored = Vector256.Create<sbyte>(codes).AsByte() + Vector256.Create((byte)Offset);
        uint* row = (uint*)unit + r;
        PutPlane(row, LowBits, stored.AsUInt32());
        if (HighBits > 0)
            PutPlane(row + (LowBits * Vector), HighBits, stored.AsUInt32() >>> LowBits);
    }

    /// <summary>A row of a plane: the lowest bits of 32 codes, of which each number has four.</summary>
    private static void PutPlane(uint* row, int bits, Vector256<uint> codes)
    {
        uint* fours = stackalloc uint[Vector256<uint>.Count];
        (codes & Vector256.Create((byte)((1 << bits) - 1)).AsUInt32()).Store(fours);
        for (int vector = 0; vector < bits; vector++)
        {
            uint together = 0;
            for (int turn = 0; turn * bits < 8; turn++)
                together |= fours[(turn * bits) + vector] << (turn * bits);
            row[vector * Vector] = together;
        }
    }

    /// <summary>The byte and the lowest bit of a row's step in a plane.</summary>
    /// <param name="vectors">Vectors before the plane.</param>
    /// <param name="bits">Bits of the plane.</param>
    /// <param name="row">The row in the panel.</param>
    /// <param name="step">The step in the unit.</param>
    private static (int At, int Shift) Place(int vectors, int bits, int row, int step)
    {
        var (turn, vector) = Math.DivRem(step / 4, bits);
        return (((vectors + vector) * Nano.Codes.VectorBytes) + (4 * row) + (step % 4), turn * bits);
    }

    private int CodeAt(byte* unit, int row, int step)
    {
        var (at, shift) = Place(0, LowBits, row, step);
        int code = (unit[at] >> shift) & ((1 << LowBits) - 1);
        if (HighBits == 0)
            return code - Offset;
        (at, shift) = Place(LowBits, HighBits, row, step);
        return (code | (((unit[at] >> shift) & ((1 << HighBits) - 1)) << LowBits)) - Offset;
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
                codes[i] = (sbyte)CodeAt(from, r, i);
            for (int half = 0; half < 2; half++)
            {
                var (scale, minimum) = Scales.At(ScalesOf(panel), unit, half, r);
                Unpacking.Weights(Vector128.Create<sbyte>(codes[(16 * half)..]), scale, minimum,
                    new Span<float>(to + (16 * half), 16));
            }
        }
    }
}
