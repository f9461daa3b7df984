namespace Nano;

/// <summary>
/// One recorded operation: its inputs, its output, its attributes, and how a gradient at the output
/// becomes gradients at the inputs. The set of ops is closed; every model is made of them.
/// </summary>
public abstract record Op(Tensor Output)
{
    /// <summary>Whether one of the inputs wants a gradient, and so the output does.</summary>
    internal abstract bool WantsGradient { get; }

    /// <summary>
    /// Adds this op's contribution to the gradients of the inputs that want one. The output's
    /// gradient is complete when this is called.
    /// </summary>
    internal abstract void Backward(Compute compute);

    /// <summary>What the forward pass costs, for the profiler.</summary>
    internal abstract Work ForwardWork { get; }

    /// <summary>What <see cref="Backward"/> costs; null if it takes its laps itself.</summary>
    internal abstract Work? BackwardWork { get; }
}
