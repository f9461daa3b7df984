namespace Nano;

/// <summary>
/// Rules of a vocabulary that gives each token a rank but no merges (tiktoken, SentencePiece): any
/// two neighbours merge whose bytes together are a token, so each token has a rule for every way in
/// which two others make it up.
/// </summary>
internal static class RankMerges
{
    /// <summary>The longest token that may be taken apart; the longest of o200k_base has 128 bytes.</summary>
    public const int MaxTokenBytes = 1024;

    /// <summary>All rules.</summary>
    /// <param name="vocabulary">The tokens.</param>
    /// <param name="rank">The rank of an id, or negative if it is not made by merging.</param>
    /// <param name="takesPart">Whether an id may be a part of another.</param>
    /// <param name="characters">Whether parts end where characters do; otherwise anywhere between bytes.</param>
    /// <param name="source">The file to name.</param>
    public static List<Merge> Of(Vocabulary vocabulary, Func<int, int> rank, Func<int, bool> takesPart, bool characters,
        string source)
    {
        var merges = new List<Merge>();
        for (int id = 0; id < vocabulary.Count; id++)
        {
            var token = vocabulary[id];
            int ownRank = rank(id);
            if (ownRank < 0 || token.Length < 2)
                continue;
            if (token.Length > MaxTokenBytes)
                throw new BadFileException(source,
                    $"the token {id} has {token.Length} bytes, more than {MaxTokenBytes}");
            for (int cut = 1; cut < token.Length; cut++)
            {
                if (characters && (token[cut] & 0xC0) == 0x80)
                    continue;
                int left = vocabulary.Find(token[..cut]);
                int right = left < 0 ? -1 : vocabulary.Find(token[cut..]);
                if (right >= 0 && takesPart(left) && takesPart(right))
                    merges.Add(new Merge(left, right, ownRank, id));
            }
        }
        return merges;
    }
}
