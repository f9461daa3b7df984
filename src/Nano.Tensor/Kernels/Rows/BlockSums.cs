namespace Nano;

/// <summary>A stretch of elements as one number of a sum; may write what belongs to these elements alone.</summary>
internal interface IBlock
{
    /// <summary>The sum over elements [start, start + count).</summary>
    float Sum<S, V>(nint start, nint count) where S : ISimd<V> where V : unmanaged;
}

/// <summary>Sums of blocks of 1,024 elements: cut by position, so the split over threads does not show.</summary>
internal readonly unsafe struct BlockSums<T>(T block, nint length, double* sums) : IKernel where T : unmanaged, IBlock
{
    private const int Block = 1024;

    /// <summary>The sum over all elements; blocks in float32, their sum in double, in order.</summary>
    public static double Run(Compute compute, long length, in T block)
    {
        nint blocks = (nint)((length + Block - 1) / Block);
        var memory = compute.New(new Shape(checked((int)blocks), 2));
        double* sums = (double*)memory.Pointer;
        compute.For(blocks, 16, 0, new BlockSums<T>(block, (nint)length, sums));
        double total = 0;
        for (nint i = 0; i < blocks; i++)
            total += sums[i];
        compute.Release(memory);
        return total;
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint i = begin; i < end; i++)
            sums[i] = block.Sum<S, V>(i * Block, nint.Min(Block, length - (i * Block)));
    }
}

/// <summary>
/// Sums of squares of blocks of 1,024 elements: cut by position, so the split over threads does not
/// show.
/// </summary>
internal readonly unsafe struct BlockSquares(float* x, nint length, double* sums) : IKernel
{
    /// <summary>Blocks of a chunk.</summary>
    public const int PerChunk = 16;

    private const int Block = 1024;

    /// <summary>Number of blocks of a tensor.</summary>
    public static nint CountOf(long length) => (nint)((length + Block - 1) / Block);

    /// <summary>The sum over blocks, in order.</summary>
    public static double Total(double* sums, nint count)
    {
        double total = 0;
        for (nint block = 0; block < count; block++)
            total += sums[block];
        return total;
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint block = begin; block < end; block++)
        {
            float* from = x + (block * Block);
            sums[block] = RowReduce.Sum<S, V, ProductTerm>(nint.Min(Block, length - (block * Block)),
                new ProductTerm(from, from));
        }
    }
}

/// <summary>Sums of squares over whole tensors.</summary>
public static class SumOfSquaresExtensions
{
    /// <summary>
    /// The sum of the squares of all elements; blocks in float32, their sum in double. Not finite
    /// if an element is not.
    /// </summary>
    public static unsafe double SumOfSquares(this Compute compute, Tensor x)
    {
        nint blocks = BlockSquares.CountOf(x.Length);
        var blockSums = compute.New(new Shape(checked((int)blocks), 2));
        double* sums = (double*)blockSums.Pointer;
        compute.For(blocks, BlockSquares.PerChunk, 0,
            new BlockSquares(x.Contiguous("sum of squares").Pointer, (nint)x.Length, sums));
        double total = BlockSquares.Total(sums, blocks);
        GC.KeepAlive(x);
        GC.KeepAlive(blockSums);
        return total;
    }
}
