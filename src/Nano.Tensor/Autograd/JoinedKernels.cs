namespace Nano;

/// <summary>
/// Kernels of one type, each with a range of its own, as a single job: the workers wait for each other
/// once, not after each kernel. For work on many tensors, most of which are small. Each worker begins
/// with its share of every range, the elements that it also has of a job over one tensor.
/// </summary>
/// <param name="most">The most kernels of a job.</param>
internal sealed unsafe class JoinedKernels<K>(int most) where K : unmanaged, IKernel
{
    private readonly (K Kernel, nint Items)[] added = new (K, nint)[most];
    private int count;
    private Part[] parts = [];

    /// <summary>Items [Start, End) of the job, and the number by which those of the kernel are higher.</summary>
    private readonly record struct Part(int Kernel, nint Start, nint End, nint Shift);

    /// <summary>Adds a kernel over [0, items).</summary>
    public void Add(in K kernel, nint items) => added[count++] = (kernel, items);

    /// <summary>Runs the kernels that have been added, and forgets them.</summary>
    public void Run(Compute compute, nint chunk)
    {
        int shares = compute.Threads, cut = 0;
        if (parts.Length < shares * count)
            parts = new Part[shares * count];
        nint total = 0;
        for (int share = 0; share < shares; share++)
            for (int i = 0; i < count; i++)
            {
                nint items = added[i].Items, first = ShareStart(items, share, shares),
                    end = ShareStart(items, share + 1, shares);
                parts[cut++] = new Part(i, total, total + end - first, first - total);
                total += end - first;
            }
        fixed ((K, nint)* kernels = added)
        fixed (Part* all = parts)
            compute.For(total, chunk, 0, new Job(kernels, all, cut));
        count = 0;
    }

    /// <summary>The first item of a share, at a cache line of floats, and the end of the share before it.</summary>
    private static nint ShareStart(nint items, int share, int shares) =>
        share == shares ? items : (items * share / shares) & ~15;

    private readonly struct Job((K Kernel, nint Items)* kernels, Part* parts, int count) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (Part* part = Holding(begin); part < parts + count && part->Start < end; part++)
                kernels[part->Kernel].Kernel.Run<S, V>(nint.Max(begin, part->Start) + part->Shift,
                    nint.Min(end, part->End) + part->Shift, scratch);
        }

        /// <summary>The first part that ends behind an item.</summary>
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
