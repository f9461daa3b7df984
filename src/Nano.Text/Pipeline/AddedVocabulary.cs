using System.Text;

namespace Nano;

/// <summary>One entry of added_tokens in tokenizer.json.</summary>
/// <param name="Content">Its text.</param>
/// <param name="SingleWord">Whether it is found only where no word character touches it.</param>
/// <param name="StripLeft">Whether it takes the white space before it along.</param>
/// <param name="StripRight">Whether it takes the white space behind it along.</param>
/// <param name="Normalized">Whether it is looked for, itself normalized, in normalized text.</param>
/// <param name="Special">Whether it steers the model.</param>
internal sealed record AddedEntry(
    string Content, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized, bool Special);

/// <summary>A stretch of text that is an added token, or has none in it.</summary>
/// <param name="Id">The token's id, or -1.</param>
/// <param name="Start">The start.</param>
/// <param name="End">The end.</param>
internal readonly record struct AddedSpan(int Id, int Start, int End);

/// <summary>
/// The added tokens of tokenizer.json with the ids that Hugging Face's library gives them: a text that is in the
/// model's vocabulary has its id there, and others are numbered from the vocabulary's size on, whatever ids the file
/// says. Of several entries with the same id the last counts.
/// </summary>
internal sealed class AddedVocabulary
{
    private readonly Dictionary<string, int> ids = [];
    private readonly Dictionary<int, AddedEntry> byId = [];
    private readonly Dictionary<int, string> normalizedTexts = [];
    private readonly HashSet<string> special = [];
    private readonly AddedTokens plain, normalized;

    /// <param name="entries">The entries in the file's order; those with an empty text do not count.</param>
    /// <param name="vocabulary">The model's.</param>
    /// <param name="normalize">Normalizes a text.</param>
    public AddedVocabulary(
        IReadOnlyList<AddedEntry> entries, ModelVocabulary vocabulary, Func<string, string> normalize)
    {
        int next = vocabulary.Count;
        foreach (var entry in entries.Where(entry => entry.Content.Length > 0))
        {
            if (!ids.TryGetValue(entry.Content, out int id) && (id = vocabulary.Find(entry.Content)) < 0)
                id = next;
            next = Math.Max(next, id + 1);
            (ids[entry.Content], byId[id]) = (id, entry);
            if (entry.Normalized)
                normalizedTexts[id] = normalize(entry.Content);
            if (entry.Special)
                special.Add(entry.Content);
        }
        IdEnd = byId.Keys.DefaultIfEmpty(-1).Max() + 1;
        (plain, normalized) = (Finder(inNormalized: false), Finder(inNormalized: true));
    }

    /// <summary>One more than the highest id.</summary>
    public int IdEnd { get; }

    /// <summary>
    /// The text that an id is decoded to, which is normalized where an entry says so; null if it is none of these.
    /// </summary>
    public string? TextOf(int id) => normalizedTexts.GetValueOrDefault(id) ?? byId.GetValueOrDefault(id)?.Content;

    /// <summary>The entry of each id.</summary>
    public IReadOnlyDictionary<int, AddedEntry> Entries => byId;

    /// <summary>The tokens by text, each once.</summary>
    public IReadOnlyList<AddedToken> Tokens =>
        [.. ids.OrderBy(of => of.Value).Select(of => new AddedToken(of.Key, of.Value, special.Contains(of.Key)))];

    /// <summary>Finds the added tokens in a text that is not empty, and what lies between them.</summary>
    /// <param name="text">The text.</param>
    /// <param name="inNormalized">Whether it has been normalized, so that other tokens are looked for.</param>
    /// <param name="allowSpecial">Whether special ones count.</param>
    /// <param name="into">Receives the stretches, from left to right.</param>
    public void Find(ReadOnlySpan<char> text, bool inNormalized, bool allowSpecial, List<AddedSpan> into)
    {
        var finder = inNormalized ? normalized : plain;
        int from = 0, last = 0;
        while (finder.Next(text[from..], allowSpecial: true, out int length, out int id) is >= 0 and int found)
        {
            int start = from + found, end = start + length;
            from = end;
            var entry = byId[id];
            if ((!allowSpecial && special.Contains(entry.Content))
                || (entry.SingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..]))))
                continue;
            while (entry.StripLeft && start > last && char.IsWhiteSpace(text[start - 1]))
                start--;
            if (entry.StripLeft)
                start = Math.Max(start, last);
            while (entry.StripRight && end < text.Length && char.IsWhiteSpace(text[end]))
                end++;
            if (last < start)
                into.Add(new AddedSpan(-1, last, start));
            if (start < end) // else another token has taken all of it along
                into.Add(new AddedSpan(id, start, end));
            last = end;
        }
        if (last < text.Length)
            into.Add(new AddedSpan(-1, last, text.Length));
    }

    /// <summary>Finds the tokens of a kind; of two with the same text the one with the lower id.</summary>
    private AddedTokens Finder(bool inNormalized)
    {
        var tokens = new Dictionary<string, AddedToken>();
        foreach (var (id, entry) in byId.OrderBy(of => of.Key))
        {
            string text = inNormalized && entry.Normalized ? normalizedTexts[id] : entry.Content;
            if (entry.Normalized == inNormalized && text.Length > 0)
                tokens.TryAdd(text, new AddedToken(text, id, entry.Special));
        }
        return new AddedTokens(tokens.Values);
    }

    private static bool StartsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out Rune c, out _) == System.Buffers.OperationStatus.Done && CharacterSets.IsWord(c);

    private static bool EndsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out Rune c, out _) == System.Buffers.OperationStatus.Done
        && CharacterSets.IsWord(c);
}
