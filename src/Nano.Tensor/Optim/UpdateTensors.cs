namespace Nano;

/// <summary>The checks that every update kernel makes on its tensors.</summary>
internal static class UpdateTensors
{
    /// <summary>
    /// Refuses tensors of other shapes than the parameter's, with gaps between their rows or, in
    /// debug builds, in the same memory.
    /// </summary>
    /// <exception cref="ArgumentException">They do not fit.</exception>
    public static void Check(string op, Tensor parameter, Tensor gradient, params ReadOnlySpan<Tensor> state)
    {
        CheckGradient(op, parameter, gradient);
        for (int i = 0; i < state.Length; i++)
        {
            if (state[i].Shape != parameter.Shape)
                throw new ArgumentException($"{op}: parameter {parameter} and its state {state[i]} differ in shape");
            _ = state[i].Contiguous(op);
            Overlap.Refuse(op, state[i], gradient, parameter);
            Overlap.Refuse(op, state[i], state[(i + 1)..]);
        }
    }

    /// <summary>Checks the gradient alone, for state of other shapes.</summary>
    /// <exception cref="ArgumentException">They do not fit.</exception>
    public static void CheckGradient(string op, Tensor parameter, Tensor gradient)
    {
        if (gradient.Shape != parameter.Shape)
            throw new ArgumentException($"{op}: parameter {parameter} and gradient {gradient} differ in shape");
        _ = parameter.Contiguous(op);
        _ = gradient.Contiguous(op);
        Overlap.Refuse(op, parameter, gradient);
    }
}
