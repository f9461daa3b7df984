namespace Nano;

/// <summary>
/// The state that a recurrence ends with, as a tensor of its own beside the output y. Backward: the gradient goes to
/// the place where the recurrence looks for it; y gets a gradient, of zeros if it has none, so that the tape walks
/// the recurrence.
/// </summary>
internal readonly record struct FinalStateOp(Tensor Y, Tensor Inner, Tensor State) : IOp
{
    public Tensor Output => State;

    public bool WantsGradient => Inner.WantsGradient;

    public Work ForwardWork => Work.Of("final state forward", 0, Inner, State);

    public Work? BackwardWork => Work.Of("final state backward", 0, State, Inner);

    public unsafe void Backward(Compute compute)
    {
        compute.Accumulate(State.Gradient, Inner.GradientFor(compute));
        var dy = Y.GradientFor(compute);
        if (!dy.Accumulate)
            compute.Clear(dy.Pointer, (nint)Y.Length);
    }

    /// <summary>The final state in the place that an op has written it to, as a tensor that gradients reach.</summary>
    internal static Tensor Of(Compute compute, Tensor y, Tensor inner)
    {
        var state = compute.New(inner.Shape);
        inner.WantsGradient = y.WantsGradient;
        state.CopyFrom(inner);
        compute.Record(new FinalStateOp(y, inner, state));
        return state;
    }
}
