namespace Nano;

/// <summary>Text to token ids and back.</summary>
public interface ITokenizer
{
    /// <summary>V: ids run from 0 to this minus one.</summary>
    int VocabSize { get; }

    /// <summary>The ids of a text.</summary>
    /// <exception cref="NanoException">The text holds something the vocabulary cannot express.</exception>
    int[] Encode(ReadOnlySpan<char> text);

    /// <summary>The text of some ids.</summary>
    /// <exception cref="NanoException">An id is outside the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> ids);
}
