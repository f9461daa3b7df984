namespace Nano;

/// <summary>
/// Kernels of one type, each with a range of its own, as a single job: the workers wait for each other
/// once, not after each kernel. For work on many tensors, most of which are small.
/// </summary>
/// <param name="most">The most kernels of a job.</param>
internal sealed unsafe class JoinedKernels<K>(int most) where K : unmanaged, IKernel
{
    private readonly Part[] parts = new Part[most];
    private int count;
    private nint total;

    /// <summary>A kernel, and the items [Start, End) of the job that are its range.</summary>
    private readonly record struct Part(K Kernel, nint Start, nint End);

    /// <summary>Adds a kernel over [0, items).</summary>
    public void Add(in K kernel, nint items)
    {
        parts[count++] = new Part(kernel, total, total + items);
        total += items;
    }

    /// <summary>Runs the kernels that have been added, and forgets them.</summary>
    public void Run(Compute compute, nint chunk)
    {
        fixed (Part* first = parts)
            compute.For(total, chunk, 0, new Job(first, count));
        (count, total) = (0, 0);
    }

    private readonly struct Job(Part* parts, int count) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (Part* part = Holding(begin); part < parts + count && part->Start < end; part++)
                part->Kernel.Run<S, V>(nint.Max(begin, part->Start) - part->Start,
                    nint.Min(end, part->End) - part->Start, scratch);
        }

        /// <summary>The first kernel that does not end before an item or at it.</summary>
        private Part* Holding(nint item)
        {
            int low = 0, high = count;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (parts[middle].End <= item)
                    low = middle + 1;
                else
                    high = middle;
            }
            return parts + low;
        }
    }
}
