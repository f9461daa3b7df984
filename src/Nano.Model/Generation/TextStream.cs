using System.Text;

namespace Nano;

/// <summary>
/// A <see cref="GeneratedText"/> as text that grows: whole characters only, and nothing of a stop
/// string, which ends it. End tokens do not show. A piece is decoded as what follows the prompt.
/// </summary>
public sealed class TextStream
{
    private readonly GeneratedText source;
    private readonly StreamDecoder decoder;
    private readonly StopFilter filter;
    private readonly HashSet<int> endIds;
    private readonly StringBuilder text = new();
    private int read;

    /// <param name="source">The tokens.</param>
    /// <param name="tokenizer">The tokenizer of the ids.</param>
    /// <param name="endIds">Ids that end the text and do not show.</param>
    /// <param name="stops">Stop strings.</param>
    public TextStream(GeneratedText source, ITokenizer tokenizer, IEnumerable<int> endIds, IReadOnlyList<string> stops)
    {
        (this.source, decoder, filter, this.endIds) =
            (source, Behind(source.Prompt, tokenizer), new StopFilter([.. stops]), [.. endIds]);
    }

    /// <summary>The text of ids that follow a prompt.</summary>
    public static string Decode(IReadOnlyList<int> prompt, IEnumerable<int> ids, ITokenizer tokenizer)
    {
        var decoder = Behind(prompt, tokenizer);
        return string.Concat(ids.Select(decoder.Push)) + decoder.Flush();
    }

    /// <summary>A decoder that has read a prompt.</summary>
    private static StreamDecoder Behind(IReadOnlyList<int> prompt, ITokenizer tokenizer)
    {
        var decoder = new StreamDecoder(tokenizer);
        foreach (int id in Prompt.WithoutBeginning(prompt, tokenizer))
            decoder.Push(id);
        return decoder;
    }

    /// <summary>All the text so far.</summary>
    public string Text => text.ToString();

    /// <summary>
    /// Takes the tokens that are new; returns the text that has become certain with them. A stop
    /// string among it ends the source.
    /// </summary>
    public string Read()
    {
        var piece = new StringBuilder();
        for (; read < source.Ids.Count && !filter.Stopped; read++)
            if (!endIds.Contains(source.Ids[read]))
                piece.Append(filter.Push(decoder.Push(source.Ids[read])));
        if (filter.Stopped)
            source.Stop();
        else if (source.Finished is not null)
        {
            piece.Append(filter.Push(decoder.Flush()));
            piece.Append(filter.Flush());
        }
        text.Append(piece);
        return piece.ToString();
    }
}
