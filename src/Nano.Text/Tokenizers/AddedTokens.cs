using System.Buffers;

namespace Nano;

/// <summary>A token that stands for a text as a whole, whatever the merges say.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Id">Its id.</param>
/// <param name="Special">Whether it steers the model, so that text becomes it only where the caller allows.</param>
internal readonly record struct AddedToken(string Text, int Id, bool Special);

/// <summary>
/// Finds added tokens in text: the leftmost first, of those that begin together the longest. Linear
/// in the text.
/// </summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, int> all = [], ordinary = [];
    private readonly SearchValues<string> anyText, ordinaryText;
    private readonly int[] lengths; // longest first

    /// <param name="tokens">Distinct, none with an empty text.</param>
    public AddedTokens(IReadOnlyCollection<AddedToken> tokens)
    {
        Tokens = tokens;
        foreach (var token in tokens)
        {
            all.Add(token.Text, token.Id);
            if (!token.Special)
                ordinary.Add(token.Text, token.Id);
        }
        anyText = SearchValues.Create([.. all.Keys], StringComparison.Ordinal);
        ordinaryText = SearchValues.Create([.. ordinary.Keys], StringComparison.Ordinal);
        lengths = [.. all.Keys.Select(text => text.Length).Distinct().OrderDescending()];
        Special = tokens.Where(token => token.Special).ToDictionary(token => token.Text, token => token.Id);
    }

    /// <summary>All of them.</summary>
    public IReadOnlyCollection<AddedToken> Tokens { get; }

    /// <summary>Those that steer the model.</summary>
    public IReadOnlyDictionary<string, int> Special { get; }

    /// <summary>Finds the next one.</summary>
    /// <returns>The start, or -1.</returns>
    public int Next(ReadOnlySpan<char> text, bool allowSpecial, out int length, out int id)
    {
        (length, id) = (0, -1);
        var known = allowSpecial ? all : ordinary;
        int at = known.Count == 0 ? -1 : text.IndexOfAny(allowSpecial ? anyText : ordinaryText);
        if (at < 0)
            return -1;
        var lookup = known.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (int candidate in lengths)
            if (candidate <= text.Length - at && lookup.TryGetValue(text.Slice(at, candidate), out id))
            {
                length = candidate;
                return at;
            }
        throw new InvalidOperationException("a token was found that is not among the tokens");
    }
}
