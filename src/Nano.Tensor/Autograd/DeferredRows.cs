namespace Nano;

/// <summary>
/// Gradients of looked-up rows that wait until all micro-batches of an update are through. A table
/// that is also the head gets a dense gradient from the head; were lookups added after each
/// micro-batch, the order of the additions would depend on how the batch was split. Only the
/// gradients of the rows are retained, [tokens, C].
/// </summary>
public sealed class DeferredRows : IDisposable
{
    private readonly Arena arena = new();
    private readonly List<(Tensor Weight, Tensor Ids, Tensor DY)> waiting = [];

    /// <summary>The memory of the deferred gradients.</summary>
    public Arena Arena => arena;

    internal unsafe void Add(Compute compute, Tensor weight, Tensor ids, Tensor dy)
    {
        var (idsCopy, dyCopy) = (new Tensor(arena, ids.Shape, DType.Int32), new Tensor(arena, dy.Shape));
        ids.Ids.CopyTo(idsCopy.Ids);
        compute.Accumulate(dy, new(dyCopy.Pointer, false));
        waiting.Add((weight, idsCopy, dyCopy));
    }

    /// <summary>
    /// Adds all deferred gradients to those of their tables, in order of arrival, and clears the
    /// list.
    /// </summary>
    public void Run(Compute compute)
    {
        foreach (var (weight, ids, dy) in waiting)
            ScatterAdd(compute, weight, ids, dy);
        Clear();
    }

    /// <summary>Drops all deferred gradients.</summary>
    public void Clear()
    {
        waiting.Clear();
        arena.Reset();
    }

    /// <inheritdoc/>
    public void Dispose() => arena.Dispose();

    /// <summary>dW[ids[i]] += dy[i], in order of i.</summary>
    internal static unsafe void ScatterAdd(Compute compute, Tensor weight, Tensor ids, Tensor dy)
    {
        int columns = weight.Shape.Columns;
        var dw = weight.GradientFor(compute);
        if (!dw.Accumulate)
            compute.Clear(dw.Pointer, (nint)weight.Length);
        compute.For(columns, 64, 0, new Scatter(ids.IdPointer, (nint)ids.Length, columns, dy.Pointer, dw.Pointer));
        compute.Profiler?.Lap(Work.Of("embedding backward", dy.Length, ids, dy, dy, dy));
    }

    private readonly unsafe struct Scatter(int* ids, nint count, int columns, float* dy, float* dw) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint i = 0; i < count; i++)
            {
                float* from = dy + (i * columns), to = dw + ((nint)ids[i] * columns);
                nint c = begin;
                for (; c <= end - S.Lanes; c += S.Lanes)
                    S.Store(to + c, S.Add(S.Load(to + c), S.Load(from + c)));
                for (; c < end; c++)
                    to[c] += from[c];
            }
        }
    }
}
