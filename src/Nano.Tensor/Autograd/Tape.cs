namespace Nano;

/// <summary>
/// Reverse-mode differentiation: ops are recorded in the order they run; walking the record
/// backwards, each op turns the gradient of its output into gradients of its inputs (the chain
/// rule). An op's output gradient is complete when the walk reaches it, because every consumer was
/// recorded later; for the same reason nobody reads the op's output or that gradient afterwards,
/// and their memory goes back to the step.
/// </summary>
public sealed class Tape
{
    private readonly List<Entry> entries = [];
    private bool walked;

    /// <summary>Number of ops recorded since the last <see cref="Clear"/> or backward pass.</summary>
    public int Count { get; private set; }

    /// <summary>A copy of these ops, in the order they ran.</summary>
    public IReadOnlyList<IOp> Ops => [.. entries.Take(Count).Select(entry => entry.Op)];

    /// <summary>
    /// True to leave the values and gradients of all intermediate tensors readable after the
    /// backward pass, until the step ends.
    /// </summary>
    public bool RetainsAll { get; init; }

    /// <summary>
    /// True to record all ops, even those whose outputs want no gradient: for lowering, not for a
    /// backward pass.
    /// </summary>
    internal bool RecordsAll { get; init; }

    /// <summary>
    /// A place of the tape. Steps that repeat have the same type of op in it each time, so it stays and
    /// costs no memory again.
    /// </summary>
    private abstract class Entry
    {
        public abstract IOp Op { get; }
        public abstract Tensor Output { get; }
        public abstract void Backward(Compute compute);
        public abstract void Clear();
    }

    private sealed class Entry<T> : Entry where T : struct, IOp
    {
        public T Recorded;

        public override IOp Op => Recorded;
        public override Tensor Output => Recorded.Output;
        public override void Clear() => Recorded = default;

        public override void Backward(Compute compute)
        {
            Recorded.Backward(compute);
            compute.Profiler?.Lap(Recorded.BackwardWork);
        }
    }

    internal void Record<T>(in T op) where T : struct, IOp
    {
        if (Count == entries.Count)
            entries.Add(new Entry<T>());
        if (entries[Count] is not Entry<T> entry)
            entries[Count] = entry = new Entry<T>();
        entry.Recorded = op;
        Count++;
        walked = false;
    }

    /// <summary>Forgets everything recorded.</summary>
    public void Clear()
    {
        for (int i = 0; i < Count; i++)
            entries[i].Clear();
        Count = 0;
        walked = false;
    }

    /// <summary>
    /// Computes the gradient of a tensor with respect to everything it was made from. Uses the
    /// record up: what was computed on the way can no longer be read, except this tensor and its
    /// gradient.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="output">Usually a scalar loss.</param>
    /// <param name="upstream">The gradient fed in at the output, of its shape; null means 1 in every element.</param>
    /// <exception cref="InvalidOperationException">The record has been used up already, or nothing
    /// in it wants a gradient.</exception>
    public void Backward(Compute compute, Tensor output, Tensor? upstream = null)
    {
        if (upstream is not null && upstream.Shape != output.Shape)
            throw new ArgumentException(
                $"backward: upstream gradient {upstream.Shape} does not match the output {output.Shape}");
        if (walked)
            throw new InvalidOperationException(
                "backward: the backward pass of this tape has run already and released its record; run the ops "
                + "again, or use a tape with RetainsAll");
        if (!output.WantsGradient)
            throw new InvalidOperationException(
                $"backward: {output} was made without a tape, or from nothing that wants a gradient");
        if (upstream is null)
        {
            upstream = compute.New(output.Shape);
            upstream.Data.Fill(1);
        }
        output.StartGradient(compute).CopyFrom(upstream);
        Walk(compute, output.Root);
    }

    /// <summary>
    /// Runs the record backwards from outputs that have their gradients; everything but one
    /// retained tensor is released on the way.
    /// </summary>
    internal void Walk(Compute compute, Tensor? retained)
    {
        for (int i = Count - 1; i >= 0; i--)
        {
            var output = entries[i].Output;
            if (output.HasGradient)
                entries[i].Backward(compute);
            if (!RetainsAll && output != retained)
                output.Release(compute.StepArena);
        }
        if (RetainsAll)
            return;
        Clear();
        walked = true;
    }
}
