namespace Nano;

/// <summary>Matrices that read one vector, and what makes it.</summary>
/// <param name="Weights">The names of the matrices [out, in].</param>
/// <param name="Makers">
/// The names of parameters, a norm's or a linear layer's, with an element or row for each channel of the vector:
/// dividing these divides the vector. Empty if there are none.
/// </param>
/// <param name="FirstRow">The row of the makers that makes the first channel.</param>
internal sealed record SharedInput(IReadOnlyList<string> Weights, IReadOnlyList<string> Makers, int FirstRow);
