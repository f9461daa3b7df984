namespace Nano;

/// <summary>What a run needs besides its model to go on as if it had never stopped; a checkpoint keeps it.</summary>
/// <param name="Options">What decides the run's results: it is only resumed with equal values.</param>
/// <param name="Tensors">The optimizer's state and what else has elements, by name; loading fills them.</param>
public sealed record RunState(IReadOnlyDictionary<string, string> Options, IReadOnlyList<(string Name, Tensor Tensor)> Tensors)
{
    /// <summary>Updates done.</summary>
    public long Step { get; set; }

    /// <summary>Numbers that a run carries from step to step, exact to the last bit; loading replaces them.</summary>
    public SortedDictionary<string, double> Numbers { get; } = new(StringComparer.Ordinal);
}
