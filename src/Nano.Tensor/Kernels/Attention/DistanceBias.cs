namespace Nano;

/// <summary>
/// The biases of scores, [H, distances]: a function of the head and of the distance between a key
/// and a query, r = j - i, both counted from the start of their text. The sum of slope r (ALiBi) and
/// of a table's entry for the bucket of r (T5). They lie in the order in which a kernel's lanes read
/// them: along queries, or along keys. An item of work is a head.
/// </summary>
internal readonly unsafe struct DistanceBias(AttentionSizes sizes, bool alongKeys, float* slopes, Rows table,
    int* buckets, int farthest, float* bias) : IKernel
{
    /// <summary>Floats of a head: every distance, and lanes behind the last.</summary>
    public static int Stride(AttentionSizes s) => s.Queries + s.Keys + AttentionSizes.Block;

    /// <summary>The place of the bias between query 0 and key 0, each counted from the first that is given.</summary>
    public static int Origin(AttentionSizes s, bool alongKeys) => Math.Max(0, (alongKeys ? s.Queries : s.Keys) - 1);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        int stride = Stride(sizes), origin = Origin(sizes, alongKeys);
        for (nint head = begin; head < end; head++)
        {
            float* row = bias + (head * stride);
            for (int i = 0; i < stride; i++)
            {
                int distance = (alongKeys ? i - origin : origin - i) - sizes.FirstPosition;
                float value = slopes == null ? 0 : slopes[head] * distance;
                row[i] = table.First == null ? value
                    : value + table.At(buckets[Math.Clamp(distance, -farthest, farthest) + farthest])[head];
            }
        }
    }
}

/// <summary>
/// The gradient of a table of biases: for each bucket and head the sum of ds over all pairs of a
/// query and a key whose distance falls into it. The backward pass has summed each block of queries
/// by distance; here these are added in the order of entries of the batch, blocks and distances. An
/// item of work is a head.
/// </summary>
internal readonly unsafe struct DistanceBiasBackward(AttentionSizes sizes, float* sums, int* buckets, int farthest,
    int bucketCount, GradientTarget table, nint tableStride) : IKernel
{
    /// <summary>Floats of a head's block of queries.</summary>
    public static int Stride(AttentionSizes s) => s.Keys + AttentionSizes.Block;

    public static long ScratchFloats(int bucketCount) => Scratch.RoundUp(2 * (long)bucketCount);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        double* ofBuckets = (double*)scratch.Allocate(2 * (long)bucketCount);
        int stride = Stride(sizes), origin = DistanceBias.Origin(sizes, false);
        for (nint head = begin; head < end; head++)
        {
            new Span<double>(ofBuckets, bucketCount).Clear();
            for (int batch = 0; batch < sizes.Batch; batch++)
                for (int block = 0; block < sizes.QueryBlocks; block++)
                {
                    float* row = sums + ((((batch * (nint)sizes.Heads) + head) * sizes.QueryBlocks + block) * stride);
                    int first = (block * AttentionSizes.Block) + sizes.FirstPosition;
                    for (int i = 0; i < stride; i++)
                        ofBuckets[buckets[Math.Clamp(origin - i - first, -farthest, farthest) + farthest]] += row[i];
                }
            for (int bucket = 0; bucket < bucketCount; bucket++)
                table.Put<SimdScalar, float>((bucket * tableStride) + head, (float)ofBuckets[bucket]);
        }
    }
}
