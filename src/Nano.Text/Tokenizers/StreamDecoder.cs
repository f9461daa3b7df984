using System.Text;

namespace Nano;

/// <summary>
/// Ids to text, id by id. A character comes out when its last byte is there, so no piece holds half
/// of one; all pieces together are what <see cref="ITokenizer.Decode"/> makes of all ids.
/// </summary>
public sealed class StreamDecoder(ITokenizer tokenizer)
{
    private readonly Decoder utf8 = Encoding.UTF8.GetDecoder();
    private bool first = true;

    /// <summary>Takes an id and returns the text that is complete with it, often one word, sometimes nothing.</summary>
    /// <exception cref="NanoException">The id is outside the vocabulary.</exception>
    public string Push(int id)
    {
        var bytes = tokenizer.BytesOf(id, first);
        first = first && tokenizer.BytesOf(id).IsEmpty; // a control token is not text
        return Convert(bytes, flush: false);
    }

    /// <summary>
    /// Ends the stream: returns U+FFFD if a character was left incomplete, else nothing, and resets
    /// the decoder.
    /// </summary>
    public string Flush()
    {
        first = true;
        return Convert([], flush: true);
    }

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        var chars = new char[Encoding.UTF8.GetMaxCharCount(bytes.Length)];
        return new string(chars, 0, utf8.GetChars(bytes, chars, flush));
    }
}
