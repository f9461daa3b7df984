namespace Nano;

/// <summary>
/// One recorded operation: its inputs, its output, its attributes, and how a gradient at the output
/// becomes gradients at the inputs. The set of ops is closed; every model is made of them. An op is a
/// struct, which the tape stores where that of the previous step was.
/// </summary>
public interface IOp
{
    /// <summary>The tensor that it computed.</summary>
    Tensor Output { get; }

    /// <summary>
    /// True if one of the inputs wants a gradient, and therefore the output does.
    /// </summary>
    bool WantsGradient { get; }

    /// <summary>The work of the forward pass, for the profiler.</summary>
    Work ForwardWork { get; }

    /// <summary>The work of <see cref="Backward"/>; null if it records its laps itself.</summary>
    Work? BackwardWork { get; }

    /// <summary>
    /// Adds this op's contribution to the gradients of the inputs that want one. The output's
    /// gradient is complete when this is called.
    /// </summary>
    void Backward(Compute compute);
}
