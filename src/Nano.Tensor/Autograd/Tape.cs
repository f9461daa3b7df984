namespace Nano;

/// <summary>
/// Reverse-mode differentiation: ops are recorded in the order they run; walking the record backwards, each op turns the gradient of
/// its output into gradients of its inputs (the chain rule). An op's output gradient is complete when the walk reaches it, because every
/// consumer was recorded later.
/// </summary>
public sealed class Tape
{
    private readonly List<Op> ops = [];

    /// <summary>The ops recorded since the last <see cref="Clear"/>, in the order they ran.</summary>
    public IReadOnlyList<Op> Ops => ops;

    internal void Record(Op op) => ops.Add(op);

    /// <summary>Forgets everything recorded.</summary>
    public void Clear() => ops.Clear();

    /// <summary>
    /// Computes the gradient of a tensor with respect to everything it was made from.
    /// </summary>
    /// <param name="compute">Where to run.</param>
    /// <param name="output">Usually a scalar loss.</param>
    /// <param name="upstream">The gradient fed in at the output, of its shape; null means 1 in every element.</param>
    public void Backward(Compute compute, Tensor output, Tensor? upstream = null)
    {
        if (upstream is not null && upstream.Shape != output.Shape)
            throw new ArgumentException($"backward: upstream gradient {upstream.Shape} does not match the output {output.Shape}");
        if (upstream is null)
        {
            upstream = compute.New(output.Shape);
            upstream.Data.Fill(1);
        }
        output.StartGradient(compute).CopyFrom(upstream);
        for (int i = ops.Count - 1; i >= 0; i--)
            if (ops[i].Output.HasGradient)
            {
                ops[i].Backward(compute);
                compute.Profiler?.Lap(ops[i].BackwardWork);
            }
    }
}
