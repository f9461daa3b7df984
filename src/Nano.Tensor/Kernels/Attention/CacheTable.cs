namespace Nano;

/// <summary>
/// Keys or values [rows, channels] of a cache in fewer bits: each row is quantised once, when it is written, alone. So
/// nothing that is computed from them depends on how a text was cut into steps.
/// </summary>
internal sealed unsafe class CacheTable
{
    private readonly Tensor memory;
    private readonly WeightType type;
    private readonly int channels, rowBytes;

    /// <param name="arena">The memory.</param>
    /// <param name="type">F16, Q8_0 or Q4_0.</param>
    /// <param name="rows">Positions.</param>
    /// <param name="channels">KV * D; of blocks a whole number.</param>
    public CacheTable(Arena arena, WeightType type, int rows, int channels)
    {
        (this.type, this.channels) = (type, channels);
        rowBytes = (int)BlockFormat.Of(type).BytesOf(channels);
        memory = Tensor.Packed(arena, new Shape(rows, channels), type,
            (((long)rows * rowBytes) + sizeof(float) - 1) / sizeof(float));
    }

    /// <summary>Bytes of a row.</summary>
    public int RowBytes => rowBytes;

    private byte* First => (byte*)memory.PackedPointer;

    /// <summary>The rows from one on, for attention.</summary>
    public CacheRows From(int row) => new(First + (row * (nint)rowBytes), rowBytes, type);

    /// <summary>Quantises rows x [.., channels] into place.</summary>
    public void Write(Compute compute, int row, Tensor x)
    {
        compute.For((nint)x.Shape.Rows, 8, 0,
            new Narrowing(Rows.Of(x), channels, type, First + (row * (nint)rowBytes), rowBytes));
        GC.KeepAlive(x);
        GC.KeepAlive(this);
    }

    /// <summary>Copies rows to others.</summary>
    public void Copy(int from, int to, int count)
    {
        long bytes = (long)count * rowBytes;
        Buffer.MemoryCopy(First + (from * (nint)rowBytes), First + (to * (nint)rowBytes), bytes, bytes);
        GC.KeepAlive(this);
    }

    /// <summary>Quantises rows.</summary>
    private readonly struct Narrowing(Rows x, int channels, WeightType type, byte* to, int rowBytes) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            var format = BlockFormat.Of(type);
            int count = format.Weights == 1 ? channels : format.Weights, bytes = (int)format.BytesOf(count);
            for (nint row = begin; row < end; row++)
                for (int c = 0; c < channels; c += count)
                    Narrow(format, new ReadOnlySpan<float>(x.At(row) + c, count),
                        new Span<byte>(to + (row * rowBytes) + (c / count * bytes), bytes));
        }

        /// <summary>A block; of numbers that no block can hold one that reads as NaN.</summary>
        private static void Narrow(BlockFormat format, ReadOnlySpan<float> x, Span<byte> block)
        {
            try
            {
                format.Quantise(x, block);
            }
            catch (QuantisationException)
            {
                block.Clear();
                BitConverter.TryWriteBytes(block, Half.NaN);
            }
        }
    }
}
