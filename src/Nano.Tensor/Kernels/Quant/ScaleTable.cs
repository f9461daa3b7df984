namespace Nano;

/// <summary>
/// The scales and minima of a panel of 16 rows in about as many bytes as the file has, since a product reads all of
/// them. Products expand them to floats first, one for each row and part of a unit. For each 32 steps, or for each 256
/// where the scales of a block are multiples of one number, memory holds:
/// <code>
/// float16 (float32 for MXFP4, Int4 and Int8, whose numbers are no float16): scales [parts, 16], minima [parts, 16]
/// shared: float16 d [16], min [16]; a byte each, scales [8, parts, 16], minima [8, parts, 16]
/// </code>
/// </summary>
internal readonly unsafe struct ScaleTable
{
    private const int Width = QuantPanels.Width, UnitsOfBlock = 8;

    private readonly int sharedScale, sharedMinimum; // bytes of a block, or -1

    /// <param name="format">The format of the weights.</param>
    /// <param name="units">Units of a panel.</param>
    /// <param name="parts">Scales of a row in a unit: 1 or 2.</param>
    public ScaleTable(BlockFormat format, int units, int parts)
    {
        (Units, Parts, HasMinimum) = (units, parts, format.HasMinimum);
        IsFloat32 = format.Type is WeightType.MXFP4 or WeightType.Int4 or WeightType.Int8;
        (sharedScale, sharedMinimum) = (format.SharedScale, format.SharedMinimum);
    }

    /// <summary>Units of a panel.</summary>
    public int Units { get; }

    /// <summary>Scales of a row in a unit: 1 or 2.</summary>
    public int Parts { get; }

    /// <summary>True if there are minima.</summary>
    public bool HasMinimum { get; }

    /// <summary>Floats of an expanded unit: scales [parts, 16], then minima likewise.</summary>
    public int FloatsOfUnit => Kinds * Parts * Width;

    /// <summary>Floats of an expanded panel.</summary>
    public int Floats => Units * FloatsOfUnit;

    /// <summary>Bytes of a panel.</summary>
    public nint Bytes => IsShared ? (nint)(Units / UnitsOfBlock) * BlockBytes
        : (nint)Floats * (IsFloat32 ? sizeof(float) : sizeof(Half));

    private bool IsShared => sharedScale >= 0;

    private bool IsFloat32 { get; }

    /// <summary>1: scales, 2: minima too.</summary>
    private int Kinds => HasMinimum ? 2 : 1;

    private int BlockBytes => Kinds * Width * (sizeof(Half) + (UnitsOfBlock * Parts));

    /// <summary>Puts the scales of a row of a block where they belong.</summary>
    /// <param name="table">The panel's scales.</param>
    /// <param name="unit">The block's first unit.</param>
    /// <param name="r">The row in the panel.</param>
    /// <param name="block">The block as the file holds it.</param>
    /// <param name="decoded">The block taken apart.</param>
    public void Put(byte* table, int unit, int r, ReadOnlySpan<byte> block, Decoded decoded)
    {
        int units = decoded.Codes.Length / QuantPanels.Unit;
        for (int kind = 0; kind < Kinds; kind++)
        {
            var values = kind == 0 ? decoded.Scales : decoded.Minima;
            float shared = 0;
            if (IsShared)
            {
                Half stored = BitConverter.ToHalf(block[(kind == 0 ? sharedScale : sharedMinimum)..]);
                *SharedAt(table, kind, unit, r) = stored;
                shared = kind == 0 ? (float)stored : -(float)stored;
            }
            for (int part = 0; part < units * Parts; part++)
            {
                float value = values[2 * part / Parts];
                if (IsShared)
                    *CodeAt(table, kind, unit, part, r) = Multiple(value, shared);
                else if (IsFloat32)
                    ((float*)table)[NumberAt(kind, unit, part) + r] = value;
                else
                    ((Half*)table)[NumberAt(kind, unit, part) + r] = (Half)value;
            }
        }
    }

    /// <summary>The whole number times which the shared one gives a scale, with its sign where it is zero.</summary>
    private static sbyte Multiple(float scale, float shared) => (sbyte)(shared != 0 ? scale / shared
        : float.IsNegative(scale) == float.IsNegative(shared) ? 0 : -1);

    /// <summary>The scale and the minimum of a row's sixteen steps.</summary>
    public (float Scale, float? Minimum) At(byte* table, int unit, int half, int r)
    {
        int part = half * (Parts - 1);
        return (At(table, 0, unit, part, r), HasMinimum ? At(table, 1, unit, part, r) : null);
    }

    private float At(byte* table, int kind, int unit, int part, int r) =>
        IsShared ? (kind == 0 ? 1 : -1) * (float)*SharedAt(table, kind, unit, r) * *CodeAt(table, kind, unit, part, r)
            : IsFloat32 ? ((float*)table)[NumberAt(kind, unit, part) + r]
            : (float)((Half*)table)[NumberAt(kind, unit, part) + r];

    /// <summary>Expands a panel: for each unit scales [parts, 16], then minima likewise.</summary>
    public void Expand<S, V>(byte* table, float* to) where S : ISimd<V> where V : unmanaged
    {
        if (IsShared)
            for (int unit = 0; unit < Units; unit += UnitsOfBlock, to += UnitsOfBlock * FloatsOfUnit)
                for (int kind = 0; kind < Kinds; kind++)
                    for (int lane = 0; lane < Width; lane += S.Lanes)
                        ExpandBlock<S, V>(SharedAt(table, kind, unit, lane), CodeAt(table, kind, unit, 0, lane),
                            S.Splat(kind == 0 ? 1 : -1), to + (kind * Parts * Width) + lane);
        else // as they lie in memory
            for (int i = 0; i < Floats; i += S.Lanes)
                S.Store(to + i, IsFloat32 ? S.Load((float*)table + i) : S.LoadHalves((ushort*)table + i));
    }

    /// <summary>The scales or minima of a block of eight units.</summary>
    private void ExpandBlock<S, V>(Half* shared, sbyte* codes, V sign, float* to) where S : ISimd<V>
        where V : unmanaged
    {
        V number = S.Multiply(sign, S.LoadHalves((ushort*)shared));
        for (int unit = 0; unit < UnitsOfBlock; unit++, codes += Parts * Width, to += FloatsOfUnit)
            for (int part = 0; part < Parts * Width; part += Width)
                S.Store(to + part, S.Multiply(number, S.LoadBytes(codes + part)));
    }

    private Half* SharedAt(byte* table, int kind, int unit, int r) =>
        (Half*)(table + (unit / UnitsOfBlock * (nint)BlockBytes)) + (kind * Width) + r;

    private sbyte* CodeAt(byte* table, int kind, int unit, int part, int r)
    {
        int group = (kind * UnitsOfBlock) + (unit % UnitsOfBlock);
        return (sbyte*)SharedAt(table, Kinds, unit, 0) + (((group * Parts) + part) * Width) + r;
    }

    private int NumberAt(int kind, int unit, int part) =>
        ((((unit + (part / Parts)) * Kinds) + kind) * Parts + (part % Parts)) * Width;
}
