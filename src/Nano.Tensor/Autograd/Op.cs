namespace Nano;

/// <summary>
/// One recorded operation: its inputs, its output, its attributes, and how a gradient at the output
/// becomes gradients at the inputs. The set of ops is closed; every model is made of them.
/// </summary>
public abstract record Op(Tensor Output)
{
    /// <summary>
    /// True if one of the inputs wants a gradient, and therefore the output does.
    /// </summary>
    internal abstract bool WantsGradient { get; }

    /// <summary>
    /// Adds this op's contribution to the gradients of the inputs that want one. The output's
    /// gradient is complete when this is called.
    /// </summary>
    internal abstract void Backward(Compute compute);

    /// <summary>The work of the forward pass, for the profiler.</summary>
    internal abstract Work ForwardWork { get; }

    /// <summary>The work of <see cref="Backward"/>; null if it records its laps itself.</summary>
    internal abstract Work? BackwardWork { get; }
}
