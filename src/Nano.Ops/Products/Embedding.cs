namespace Nano;

/// <summary>
/// y[i] = W[ids[i]]: a row of the table W [V, C] for each id. Backward: dW[v] = sum of dy[i] over
/// all i with ids[i] = v. The sum runs in order of i; threads split the columns, so two occurrences
/// of one id never race. While <see cref="Compute.DeferredRows"/> is set, the sum waits there.
/// </summary>
internal readonly record struct EmbeddingOp(Tensor Weight, Tensor Ids, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Weight.WantsGradient;

    public Work ForwardWork => Work.Of("embedding forward", 0, Ids, Y, Y);

    public Work? BackwardWork => null;

    public void Backward(Compute compute)
    {
        if (compute.DeferredRows is { } later)
        {
            later.Add(compute, Weight, Ids, Y.Gradient);
            compute.Profiler?.Lap(Work.Of("embedding rows deferred", 0, Ids, Ids, Y, Y));
        }
        else
            DeferredRows.ScatterAdd(compute, Weight, Ids, Y.Gradient);
    }

    internal readonly unsafe struct Gather(float* rows, int* ids, int columns, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint i = begin; i < end; i++)
                new ReadOnlySpan<float>(rows + (ids[i] * (nint)columns), columns)
                    .CopyTo(new Span<float>(y + (i * columns), columns));
        }
    }

    /// <summary>Rows of a packed table.</summary>
    internal readonly unsafe struct GatherPacked(Panels table, int* ids, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint i = begin; i < end; i++)
                table.Unpack(ids[i], y + (i * table.K));
        }
    }

    /// <summary>Rows of a quantised table.</summary>
    internal readonly unsafe struct GatherQuantised(QuantPanels table, int* ids, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint i = begin; i < end; i++)
                table.Unpack(ids[i], y + (i * table.K));
        }
    }
}

/// <summary>Table lookup as a method of <see cref="Compute"/>.</summary>
public static class EmbeddingExtensions
{
    /// <summary>Looks up rows of weight [V, C], packed or not: ids [..] gives [.., C].</summary>
    /// <exception cref="ArgumentException">An id is not below V, or weight is not a table.</exception>
    public static unsafe Tensor Embedding(this Compute compute, Tensor weight, Tensor ids)
    {
        if (weight.Shape.Rank != 2 || ids.Shape.Rank > 3)
            throw new ArgumentException(
                $"embedding: weight {weight} and ids {ids} do not fit; wanted [V, C] and at most three "
                + "dimensions of ids");
        var values = ids.Ids;
        for (int i = 0; i < values.Length; i++)
            if ((uint)values[i] >= (uint)weight.Shape[0])
                throw new ArgumentException(
                    $"embedding: id {values[i]} at position {i} is not below the vocabulary size {weight.Shape[0]}");
        int columns = weight.Shape[1];
        var shape = ids.Shape.Rank switch
        {
            0 => new Shape(columns),
            1 => new Shape(ids.Shape[0], columns),
            2 => new Shape(ids.Shape[0], ids.Shape[1], columns),
            _ => new Shape(ids.Shape[0], ids.Shape[1], ids.Shape[2], columns),
        };
        var y = compute.New(shape);
        nint count = (nint)ids.Length, chunk = Compute.RowsPerChunk(columns);
        if (weight.PackedAs is { } type && WeightTypes.IsQuantised(type))
            compute.For(count, chunk, 0,
                new EmbeddingOp.GatherQuantised(QuantPanels.Of(weight), ids.IdPointer, y.Pointer));
        else if (weight.IsPacked)
            compute.For(count, chunk, 0, new EmbeddingOp.GatherPacked(Panels.Of(weight), ids.IdPointer, y.Pointer));
        else
            compute.For(count, chunk, 0,
                new EmbeddingOp.Gather(weight.Contiguous("embedding").Pointer, ids.IdPointer, columns, y.Pointer));
        compute.Record(new EmbeddingOp(weight, ids, y));
        return y;
    }
}
