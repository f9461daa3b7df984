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

    internal readonly unsafe struct Gather(Matrix weight, int* ids, int columns, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint i = begin; i < end; i++)
            {
                float* row = weight.From(ids[i], 0).Pointer, to = y + (i * columns);
                if (weight.Form == WeightForm.Float32)
                    new ReadOnlySpan<float>(row, columns).CopyTo(new Span<float>(to, columns));
                else
                    Widening.Row(weight.Form, columns, (ushort*)row, to);
            }
        }
    }
}

/// <summary>Table lookup as a method of <see cref="Compute"/>.</summary>
public static class EmbeddingExtensions
{
    /// <summary>Looks up rows of weight [V, C], of 32 or 16 bits: ids [..] gives [.., C].</summary>
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
        compute.For((nint)ids.Length, Compute.RowsPerChunk(columns), 0,
            new EmbeddingOp.Gather(Matrix.Of(compute, weight, "embedding"), ids.IdPointer, columns, y.Pointer));
        compute.Record(new EmbeddingOp(weight, ids, y));
        return y;
    }
}
