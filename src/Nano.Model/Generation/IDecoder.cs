namespace Nano;

/// <summary>
/// A model as the generator uses it, on the CPU or a device: it holds the keys and values of
/// several sequences (rows), each of its own length, and computes the logits of their next tokens.
/// </summary>
public interface IDecoder : IDisposable
{
    /// <summary>The model's.</summary>
    ModelConfig Config { get; }

    /// <summary>Forgets everything and makes room.</summary>
    /// <param name="rows">Sequences.</param>
    /// <param name="positions">Tokens of each, at most the context.</param>
    void Reserve(int rows, int positions);

    /// <summary>Tokens that a row holds.</summary>
    int LengthOf(int row);

    /// <summary>Forgets a row.</summary>
    void Clear(int row);

    /// <summary>Makes a row the same as another from a position on; before it they must be so already.</summary>
    void CopyRow(int from, int to, int start);

    /// <summary>Puts tokens behind what rows hold.</summary>
    /// <param name="rows">The rows, all different.</param>
    /// <param name="ids">The next tokens of the first row, of the second ..., equally many of each.</param>
    /// <returns>The logits [rows, V] behind the last token of each, until the next call.</returns>
    Tensor Next(ReadOnlySpan<int> rows, ReadOnlySpan<int> ids);
}
