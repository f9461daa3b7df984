namespace Nano;

/// <summary>Text to token ids and back. Safe to use from several threads at once.</summary>
public interface ITokenizer
{
    /// <summary>V: ids run from 0 to this minus one.</summary>
    int VocabSize { get; }

    /// <summary>The tokens that steer a model, by their text, e.g. &lt;|endoftext|&gt;.</summary>
    IReadOnlyDictionary<string, int> SpecialTokens { get; }

    /// <summary>The id that the model wants in front of a prompt, or null. Encode does not add it.</summary>
    int? BeginId { get; }

    /// <summary>The ids that end a text.</summary>
    IReadOnlyList<int> EndIds { get; }

    /// <summary>The ids of a text.</summary>
    /// <param name="text">Any valid Unicode.</param>
    /// <param name="allowSpecial">Whether the text of a special token becomes its id; otherwise it
    /// is text like any other.</param>
    /// <exception cref="NanoException">The text is not valid Unicode, or holds something that the
    /// vocabulary cannot express.</exception>
    int[] Encode(ReadOnlySpan<char> text, bool allowSpecial = false);

    /// <summary>The text of some ids. Bytes that are not UTF-8 become U+FFFD.</summary>
    /// <exception cref="NanoException">An id is outside the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>
    /// The UTF-8 bytes, or part of a character's, that an id stands for; see
    /// <see cref="StreamDecoder"/> for text that grows id by id.
    /// </summary>
    /// <param name="id">The id.</param>
    /// <param name="first">Whether the text begins here: some tokenizers put a space before a text,
    /// which does not come back.</param>
    /// <exception cref="NanoException">The id is outside the vocabulary.</exception>
    ReadOnlySpan<byte> BytesOf(int id, bool first = false);

    /// <summary>
    /// Writes the tokenizer as a Hugging Face tokenizer.json; the same tokenizer gives the same
    /// bytes.
    /// </summary>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    void Save(string path);
}
