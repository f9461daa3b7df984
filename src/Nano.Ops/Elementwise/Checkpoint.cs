namespace Nano;

/// <summary>
/// y = f(x), of which only x and y are retained (Chen et al., "Training Deep Nets with Sublinear
/// Memory Cost", 2016). Backward: f runs again, this time with a tape, and the gradient goes
/// through that; the same operations in the same order, so the same bits.
/// </summary>
internal readonly record struct CheckpointOp(Tensor X, Func<Compute, Tensor, Tensor> Body, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Y.WantsGradient;

    /// <summary>Nothing of its own: the ops inside take their laps, both times.</summary>
    public Work ForwardWork => Work.Of("checkpoint", 0);

    public Work? BackwardWork => null;

    public void Backward(Compute compute)
    {
        var (outer, inner, op) = (compute.Tape, new Tape(), this);
        compute.Tape = inner;
        try
        {
            compute.ReleasingIntermediates(() =>
            {
                var y = op.Body(compute, op.X);
                y.TryAdoptGradient(op.Y.Gradient);
                inner.Walk(compute, retained: null);
                return null;
            });
        }
        finally
        {
            compute.Tape = outer;
        }
    }
}

/// <summary>Recomputation as a method of <see cref="Compute"/>.</summary>
public static class CheckpointExtensions
{
    /// <summary>
    /// body(x), forgetting everything on the way: what the backward pass needs of it is computed a
    /// second time then. Without a tape it is just the way to run something whose inner tensors do
    /// not pile up.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">The tensor that body depends on, besides parameters.</param>
    /// <param name="body">Runs twice and must do the same both times. Returns x or a tensor it
    /// made, not a view.</param>
    /// <exception cref="ArgumentException">The result is a view.</exception>
    public static Tensor Checkpoint(this Compute compute, Tensor x, Func<Compute, Tensor, Tensor> body)
    {
        var y = compute.Untaped(() => compute.ReleasingIntermediates(() => body(compute, x)),
            recordsLater: compute.Differentiates)!;
        if (y == x)
            return x;
        if (y.Root != y)
            throw new ArgumentException(
                $"checkpoint: the result {y} is a view of {y.Root}; wanted a tensor of its own");
        compute.Record(new CheckpointOp(x, body, y));
        return y;
    }
}
