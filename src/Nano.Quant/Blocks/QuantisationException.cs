namespace Nano;

/// <summary>A weight, or a block of weights, that a format cannot hold.</summary>
/// <param name="problem">The problem in words, without the place.</param>
/// <param name="index">The position in the row: of the weight, or of the first weight of the block.</param>
public sealed class QuantisationException(string problem, int index)
    : NanoException($"at position {index} of a row: {problem}")
{
    /// <summary>The problem in words, without the place.</summary>
    public string Problem { get; } = problem;

    /// <summary>The position in the row: of the weight, or of the first weight of the block.</summary>
    public int Index { get; } = index;
}
