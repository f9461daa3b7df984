namespace Nano;

/// <summary>One token for each piece.</summary>
internal sealed class WordLevelModel(ModelVocabulary vocabulary, string unknown) : TokenModel
{
    public override ModelVocabulary Vocabulary => vocabulary;

    public override void Encode(ReadOnlySpan<char> piece, PipelineWorkspace work)
    {
        int id = vocabulary.Find(piece);
        if (id < 0)
            id = vocabulary.Find(unknown);
        work.Add(id >= 0 ? id : throw Inexpressible(piece));
    }
}

/// <summary>
/// WordPiece as BERT has it: from left to right the longest token that fits; those that continue a word have a prefix.
/// A word that cannot be made up of tokens, or is too long, is unknown as a whole.
/// </summary>
internal sealed class WordPieceModel : TokenModel
{
    private readonly TokenTrie trie = new();
    private readonly string unknown;
    private readonly int most, continued;

    /// <param name="vocabulary">The tokens, none longer than <see cref="TokenModel.MaxTokenLength"/>.</param>
    /// <param name="unknown">The token for what is unknown.</param>
    /// <param name="prefix">Of tokens that continue a word.</param>
    /// <param name="most">The most characters that a word may have.</param>
    public WordPieceModel(ModelVocabulary vocabulary, string unknown, string prefix, int most)
    {
        (Vocabulary, this.unknown, this.most) = (vocabulary, unknown, most);
        foreach (var (token, id) in vocabulary.All)
            trie.Add(token, id);
        foreach (char c in prefix)
            continued = continued < 0 ? continued : trie.Step(continued, c);
    }

    public override ModelVocabulary Vocabulary { get; }

    public override void Encode(ReadOnlySpan<char> piece, PipelineWorkspace work)
    {
        int before = work.Count;
        if (CountRunes(piece) <= most)
        {
            int at = 0;
            while (at < piece.Length
                && Longest(piece[at..], at == 0 ? TokenTrie.Root : continued, out int id) is > 0 and int length)
            {
                work.Add(id);
                at += length;
            }
            if (at == piece.Length)
                return;
        }
        work.Count = before;
        int unknownId = Vocabulary.Find(unknown);
        work.Add(unknownId >= 0 ? unknownId : throw Inexpressible(piece));
    }

    private int Longest(ReadOnlySpan<char> text, int node, out int id)
    {
        (int length, id) = (0, -1);
        for (int i = 0; i < text.Length && node >= 0; i++)
        {
            node = trie.Step(node, text[i]);
            if (node >= 0 && trie[node] >= 0)
                (length, id) = (i + 1, trie[node]);
        }
        return length;
    }

    private static int CountRunes(ReadOnlySpan<char> text)
    {
        int count = text.Length;
        foreach (char c in text)
            count -= char.IsLowSurrogate(c) ? 1 : 0;
        return count;
    }
}
