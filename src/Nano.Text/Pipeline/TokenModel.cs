using System.Buffers;
using System.Text;

namespace Nano;

/// <summary>Tokens and their ids as text, as tokenizer.json lists them.</summary>
internal sealed class ModelVocabulary
{
    /// <summary>The most an id may be.</summary>
    public const int MaxId = 1 << 21;

    private readonly Dictionary<string, int> ids = [];
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup;
    private readonly List<string?> tokens = [];

    public ModelVocabulary() => lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>One more than the highest id.</summary>
    public int IdEnd => tokens.Count;

    /// <summary>
    /// Number of entries; it differs from <see cref="IdEnd"/> if ids are missing or used twice.
    /// </summary>
    public int Count { get; private set; }

    /// <summary>All tokens with their ids.</summary>
    public IReadOnlyDictionary<string, int> All => ids;

    /// <summary>The token of an id, or null.</summary>
    public string? this[int id] => (uint)id < (uint)tokens.Count ? tokens[id] : null;

    /// <summary>
    /// Adds an entry, an id from 0 to <see cref="MaxId"/>; of several for the same token the last counts.
    /// </summary>
    public void Set(string token, int id)
    {
        Count++;
        ids[token] = id;
        while (tokens.Count <= id)
            tokens.Add(null);
        tokens[id] = token;
    }

    /// <summary>The id of a token, or -1.</summary>
    public int Find(ReadOnlySpan<char> token) => lookup.TryGetValue(token, out int id) ? id : -1;
}

/// <summary>Makes ids of one piece of text: a model of tokenizer.json.</summary>
internal abstract class TokenModel
{
    /// <summary>The longest token that a model may search for in a text, in UTF-16 units.</summary>
    public const int MaxTokenLength = 4096;

    /// <summary>Its tokens.</summary>
    public abstract ModelVocabulary Vocabulary { get; }

    /// <summary>Adds the ids of a piece that is not empty.</summary>
    /// <exception cref="NanoException">The vocabulary cannot express it.</exception>
    public abstract void Encode(ReadOnlySpan<char> piece, PipelineWorkspace work);

    /// <summary>An error for text that has no token.</summary>
    protected static NanoException Inexpressible(ReadOnlySpan<char> text)
    {
        bool isOne = Rune.DecodeFromUtf16(text, out Rune c, out int used) == OperationStatus.Done
            && used == text.Length;
        string code = isOne ? $" (U+{c.Value:X4})" : "";
        return new NanoException($"the vocabulary has neither {Quoted.Of(text)}{code} nor a token for the unknown",
            "leave the text out, or use another tokenizer");
    }
}
