namespace Nano;

/// <summary>A kernel of attention that can be told to work on one segment of its rows.</summary>
internal interface IAttentionKernel<K> : IKernel where K : unmanaged, IAttentionKernel<K>
{
    /// <summary>
    /// The kernel of the segment that begins at a row: what it would be if the segment were a batch
    /// of its own.
    /// </summary>
    K ForSegment(nint first, int length);
}

/// <summary>
/// Attention within segments, see <see cref="Segments"/>: the items of each segment's own kernel,
/// one segment after the other.
/// </summary>
/// <param name="kernel">For a segment of the largest size; its scratch serves all.</param>
/// <param name="starts">The first row of each segment, and the end of the last.</param>
/// <param name="itemsEach">Items of work per segment; a short segment may have nothing to do for some.</param>
/// <param name="scratchFloats">The scratch of the kernel, in floats.</param>
internal readonly unsafe struct AttentionSegments<K>(K kernel, int* starts, nint itemsEach, long scratchFloats)
    : IKernel where K : unmanaged, IAttentionKernel<K>
{
    private readonly K kernel = kernel;

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint item = begin; item < end; item++)
        {
            nint segment = item / itemsEach, own = item % itemsEach;
            int first = starts[segment];
            scratch.Begin(scratchFloats);
            kernel.ForSegment(first, starts[segment + 1] - first).Run<S, V>(own, own + 1, scratch);
        }
    }
}
