using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Rows of keys or values as attention reads them: floats as they lie, or a cache's float16 numbers or blocks of 32 in
/// Q8_0 or Q4_0, along the channels of a position. Numbers of fewer bits are widened, exactly, where a kernel copies
/// rows anyway, so the arithmetic behind that is one.
/// </summary>
internal readonly unsafe struct CacheRows
{
    private const int BlockWeights = 32, ScaleBytes = 2;

    private readonly byte* first;
    private readonly nint stride; // bytes
    private readonly WeightType type;
    private readonly int blockBytes; // of 32 numbers

    private CacheRows(byte* first, nint stride, WeightType type, int blockBytes)
    {
        this.first = first;
        (this.stride, this.type, this.blockBytes) = (stride, type, blockBytes);
    }

    /// <param name="first">The first row.</param>
    /// <param name="stride">Bytes to the next.</param>
    /// <param name="type">F32, F16, Q8_0 or Q4_0.</param>
    public CacheRows(byte* first, nint stride, WeightType type)
        : this(first, stride, type, (int)BlockFormat.Of(type).BytesOf(BlockWeights))
    {
    }

    /// <summary>The rows of a tensor of floats.</summary>
    public static CacheRows Of(Tensor tensor) =>
        new((byte*)tensor.Pointer, tensor.RowStride * sizeof(float), WeightType.F32);

    /// <summary>True for floats, which need no copy.</summary>
    public bool AreFloats => type == WeightType.F32;

    /// <summary>Rows of floats as they lie.</summary>
    public Rows Floats => new((float*)first, stride / sizeof(float));

    private byte* At(nint row) => first + (row * stride);

    /// <summary>The part that begins at an element; of blocks its column is a whole number of them.</summary>
    public CacheRows From(nint row, int column) =>
        new(At(row) + (column * (nint)blockBytes / BlockWeights), stride, type, blockBytes);

    /// <summary>A contiguous copy of the first rows as floats, each padded with zeros.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Numbers of a row.</param>
    /// <param name="padded">Floats of a row of the copy.</param>
    /// <param name="ahead">The distance to the rows that are wanted next, which are fetched meanwhile; or 0.</param>
    /// <param name="to">Receives the copy.</param>
    public Rows Copied<S, V>(int rows, int columns, int padded, int ahead, float* to) where S : ISimd<V>
        where V : unmanaged
    {
        if (AreFloats)
            return Floats.Copied<S, V>(rows, columns, padded, to);
        int bytes = columns * blockBytes / BlockWeights;
        sbyte* unpacked = stackalloc sbyte[BlockWeights];
        for (int r = 0; r < rows; r++)
        {
            for (int i = 0; i < bytes && ahead > 0; i += CacheSizes.Line)
                FetchList.FetchLater(At(r + ahead) + i);
            float* row = to + (r * (nint)padded);
            if (type == WeightType.F16)
                Widen<S, V>((ushort*)At(r), columns, row);
            else
                for (int c = 0; c < columns; c += BlockWeights)
                    WidenBlock<S, V>(At(r) + (c / BlockWeights * blockBytes), unpacked, row + c);
            new Span<float>(row + columns, padded - columns).Clear();
        }
        return new Rows(to, padded);
    }

    private static void Widen<S, V>(ushort* from, int count, float* to) where S : ISimd<V> where V : unmanaged
    {
        int i = 0;
        for (; i <= count - S.Lanes; i += S.Lanes)
            S.Store(to + i, S.LoadHalves(from + i));
        for (; i < count; i++)
            to[i] = SimdScalar.LoadHalves(from + i);
    }

    private void WidenBlock<S, V>(byte* block, sbyte* unpacked, float* to) where S : ISimd<V> where V : unmanaged
    {
        V scale = S.Splat(SimdScalar.LoadHalves((ushort*)block));
        sbyte* codes = (sbyte*)block + ScaleBytes;
        if (type == WeightType.Q4_0)
        {
            Vector128<byte> pairs = Vector128.Load((byte*)codes), offset = Vector128.Create((byte)8);
            (Unpacking.Low(pairs) - offset).Store((byte*)unpacked);
            (Unpacking.High(pairs) - offset).Store((byte*)unpacked + 16);
            codes = unpacked;
        }
        for (int i = 0; i < BlockWeights; i += S.Lanes)
            S.Store(to + i, S.Multiply(scale, S.LoadBytes(codes + i)));
    }
}
