using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>Tokens and ids as text, such as the JSON object in encoder.json and tokenizer.json, checked.</summary>
internal sealed class TokenTable
{
    private const int MaxTokens = 1 << 21;

    private readonly Dictionary<string, int> ids = [];
    private readonly List<string?> tokens = [];
    private readonly string path;

    /// <summary>No tokens yet.</summary>
    /// <param name="path">The file to name.</param>
    public TokenTable(string path) => this.path = path;

    /// <summary>Reads the object.</summary>
    /// <param name="vocabulary">The object.</param>
    /// <param name="path">Its file.</param>
    /// <param name="where">The name of the table in errors.</param>
    public TokenTable(JsonElement vocabulary, string path, string where) : this(path)
    {
        if (vocabulary.ValueKind != JsonValueKind.Object)
            throw new BadFileException(path, $"{where} is not a JSON object of token and id");
        int most = (int)Math.Min(MaxTokens, (2L * vocabulary.GetPropertyCount()) + 4096); // holes are few
        foreach (var property in vocabulary.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetInt32(out int id) || id < 0
                || id >= most)
                throw new BadFileException(path,
                    $"the id {Quoted.Of(property.Value.GetRawText())} of {Quoted.Of(property.Name)} is not from 0 "
                    + $"to {most - 1}");
            Add(property.Name, id);
        }
    }

    /// <summary>V of what is here: one more than the highest id.</summary>
    public int Count => tokens.Count;

    /// <summary>The token of an id, or null.</summary>
    public string? this[int id] => tokens[id];

    /// <summary>The id of a token, or null.</summary>
    public int? Find(string token) => ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>Adds a token; one that is here already must have the same id.</summary>
    public void Add(string token, int id)
    {
        if (ids.TryGetValue(token, out int known) && known == id)
            return;
        if (token.Length == 0)
            throw new BadFileException(path, $"the token of id {id} is empty");
        while (tokens.Count <= id)
            tokens.Add(null);
        if (tokens[id] is { } other || !ids.TryAdd(token, id))
            throw new BadFileException(path,
                $"the id {id} of {Quoted.Of(token)} is taken, or the token has another id already");
        tokens[id] = token;
    }

    /// <summary>
    /// The bytes of a token written in GPT-2's alphabet; one with other characters is taken as it
    /// is.
    /// </summary>
    public byte[]? Bytes(int id) => tokens[id] is not { } token ? null
        : ByteAlphabet.ToBytes(token) ?? Encoding.UTF8.GetBytes(token);

    /// <summary>Reads "left right" as a rule.</summary>
    public Merge Merge(string pair, int rank, string source, string where)
    {
        int space = pair.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && space == pair.LastIndexOf(' ')
            ? Merge(pair[..space], pair[(space + 1)..], rank, source, where)
            : throw new BadFileException(source,
                $"{where} is {Quoted.Of(pair)}, not two tokens with a space between them");
    }

    /// <summary>The rule for two tokens; they and what they make must be tokens.</summary>
    public Merge Merge(string left, string right, int rank, string source, string where)
    {
        if (Find(left) is { } leftId && Find(right) is { } rightId && Find(left + right) is { } id)
            return new Merge(leftId, rightId, rank, id);
        throw new BadFileException(source,
            $"{where} merges {Quoted.Of(left)} and {Quoted.Of(right)}, but they or what they make are not in the "
            + "vocabulary");
    }
}
