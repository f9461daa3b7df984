namespace Nano;

/// <summary>
/// y = f(x) in float32 throughout; but what the backward pass needs of the inside waits for it as
/// bfloat16, in half the memory (Micikevicius et al., "Mixed Precision Training", 2018, store
/// activations so). Statistics of rows stay float32: a normaliser is an exponent, where eight bits
/// are too few. Backward: everything stored becomes float32 again, then the inner tape is walked.
/// So of a stack of such ops one is in float32 at a time. The loss is that of float32 to the bit,
/// the gradients are those at activations with a relative error of at most 2^-9.
/// </summary>
internal readonly record struct BFloat16StorageOp(Tensor X, Tape Inner, List<(Tensor Tensor, Tensor Words)> Stored,
    Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Y.WantsGradient;

    /// <summary>Nothing of its own: the ops inside take their laps, and so does each tensor that is stored.</summary>
    public Work ForwardWork => Work.Of("bfloat16 storage", 0);

    public Work? BackwardWork => null;

    public unsafe void Backward(Compute compute)
    {
        foreach (var (tensor, words) in Stored)
        {
            tensor.Reallocate();
            BFloat16.Widen(compute, (nint)tensor.Length, words.Pointer, tensor.Pointer);
            compute.Release(words);
            compute.Profiler?.Lap(Work.Of("bfloat16 to float32", 0, words, tensor));
        }
        Stored.Clear();
        Inner.Walk(compute, retained: Y);
    }
}

/// <summary>Storage as bfloat16 as a method of <see cref="Compute"/>.</summary>
public static class BFloat16StorageExtensions
{
    /// <summary>
    /// body(x), what happens inside being stored as bfloat16 until the backward pass. Without a
    /// tape, nothing inside is stored at all.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">The tensor that body depends on, besides parameters; it stays as it is.</param>
    /// <param name="body">Returns x or a tensor it made, not a view.</param>
    /// <exception cref="ArgumentException">The result is a view.</exception>
    public static unsafe Tensor StoringBFloat16(this Compute compute, Tensor x, Func<Compute, Tensor, Tensor> body)
    {
        if (compute.Tape is not { } outer)
            return compute.Checkpoint(x, body);
        var inner = new Tape { RetainsAll = outer.RetainsAll };
        var held = new List<Tensor>();
        Tensor y;
        compute.Tape = inner;
        try
        {
            y = compute.TrackAllocations(() => body(compute, x), held);
        }
        finally
        {
            compute.Tape = outer;
        }
        if (y == x)
            return x;
        if (y.Root != y)
            throw new ArgumentException(
                $"bfloat16 storage: the result {y} is a view of {y.Root}; wanted a tensor of its own");
        var stored = new List<(Tensor, Tensor)>(held.Count);
        foreach (var tensor in held)
        {
            if (!y.WantsGradient) // nothing inside is read again
                compute.Release(tensor);
            if (!y.WantsGradient || tensor.Type != DType.Float32 || tensor.IsStatistic)
                continue;
            var words = compute.New(new Shape(checked((int)BFloat16.Words((nint)tensor.Length))));
            BFloat16.Narrow(compute, (nint)tensor.Length, tensor.Pointer, words.Pointer);
            compute.Release(tensor);
            stored.Add((tensor, words));
            compute.Profiler?.Lap(Work.Of("float32 to bfloat16", 0, tensor, words));
        }
        compute.Record(new BFloat16StorageOp(x, inner, stored, y));
        return y;
    }
}
