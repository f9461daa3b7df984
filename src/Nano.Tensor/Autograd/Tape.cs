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
    private readonly List<Op> ops = [];
    private bool walked;

    /// <summary>The ops recorded since the last <see cref="Clear"/> or backward pass, in the order they ran.</summary>
    public IReadOnlyList<Op> Ops => ops;

    /// <summary>
    /// Whether a backward pass leaves the values and gradients of everything between inputs and
    /// output readable until the step ends.
    /// </summary>
    public bool KeepsAll { get; init; }

    /// <summary>Whether ops are recorded whose outputs want no gradient too: to be lowered, not walked.</summary>
    internal bool RecordsAll { get; init; }

    internal void Record(Op op)
    {
        ops.Add(op);
        walked = false;
    }

    /// <summary>Forgets everything recorded.</summary>
    public void Clear()
    {
        ops.Clear();
        walked = false;
    }

    /// <summary>
    /// Computes the gradient of a tensor with respect to everything it was made from. Uses the
    /// record up: what was computed on the way can no longer be read, except this tensor and its
    /// gradient.
    /// </summary>
    /// <param name="compute">Where to run.</param>
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
                "backward: this tape has been walked already, and what it recorded is gone; run the ops again, or "
                + "use a tape with KeepsAll");
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
    /// Walks the record backwards from outputs that have their gradients; everything but the kept
    /// tensor is released on the way.
    /// </summary>
    internal void Walk(Compute compute, Tensor? kept)
    {
        for (int i = ops.Count - 1; i >= 0; i--)
        {
            var op = ops[i];
            if (op.Output.HasGradient)
            {
                op.Backward(compute);
                compute.Profiler?.Lap(op.BackwardWork);
            }
            if (!KeepsAll && op.Output != kept)
                op.Output.Release(compute.StepArena);
        }
        if (KeepsAll)
            return;
        ops.Clear();
        walked = true;
    }
}
