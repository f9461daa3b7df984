using System.Globalization;

namespace Nano;

/// <summary>
/// Unigram (Kudo 2018, arXiv:1804.10959): of all ways to make a text up of tokens the one whose scores add up to the
/// most. A character without a token costs ten more than the rarest token; several unknown ones in a row are one.
/// </summary>
internal sealed class UnigramModel : TokenModel
{
    private const double UnknownPenalty = 10;

    private readonly double[] scores;
    private readonly TokenTrie trie = new();
    private readonly int unknownId;
    private readonly int[]? byteIds;
    private readonly double unknownScore;

    /// <param name="vocabulary">The tokens, none longer than <see cref="TokenModel.MaxTokenLength"/>.</param>
    /// <param name="scores">The score of each id.</param>
    /// <param name="unknownId">The id of what is unknown, or -1.</param>
    /// <param name="byteFallback">Whether the bytes of what is unknown have tokens such as &lt;0x0A&gt;.</param>
    public UnigramModel(ModelVocabulary vocabulary, double[] scores, int unknownId, bool byteFallback)
    {
        (Vocabulary, this.scores, this.unknownId) = (vocabulary, scores, unknownId);
        foreach (var (token, id) in vocabulary.All)
            if (token.Length > 0)
                trie.Add(token, id);
        byteIds = byteFallback ? BytesOf(vocabulary) : null;
        unknownScore = scores.DefaultIfEmpty(double.PositiveInfinity).Min() - UnknownPenalty;
    }

    public override ModelVocabulary Vocabulary { get; }

    /// <summary>The ids of the tokens of the 256 bytes, -1 where there is none.</summary>
    public static int[] BytesOf(ModelVocabulary vocabulary) =>
        [.. Enumerable.Range(0, 256).Select(b =>
            vocabulary.Find(string.Create(CultureInfo.InvariantCulture, $"<0x{b:X2}>")))];

    public override void Encode(ReadOnlySpan<char> piece, PipelineWorkspace work)
    {
        var best = work.Paths(piece.Length + 1);
        FindBest(piece, best);
        int before = work.Count, end = piece.Length, unknownEnd = -1;
        while (end > 0)
        {
            var (id, start) = (best[end].Id, best[end].Start);
            if (id == unknownId)
                unknownEnd = unknownEnd < 0 ? end : unknownEnd;
            else
            {
                AddUnknown(piece, end, ref unknownEnd, work);
                work.Add(id);
            }
            end = start;
        }
        AddUnknown(piece, 0, ref unknownEnd, work);
        work.Reverse(before);
    }

    /// <summary>
    /// For each position the token that ends there on the best way to it. Of equal ways the first found stays.
    /// </summary>
    private void FindBest(ReadOnlySpan<char> piece, Span<UnigramPath> best)
    {
        best.Fill(new UnigramPath(-1, -1, 0));
        for (int start = 0; start < piece.Length;)
        {
            int character = char.IsHighSurrogate(piece[start]) ? 2 : 1;
            double here = best[start].Score;
            bool single = false;
            int node = TokenTrie.Root;
            for (int end = start; end < piece.Length && (node = trie.Step(node, piece[end])) >= 0; end++)
            {
                int id = trie[node];
                if (id < 0)
                    continue;
                Offer(ref best[end + 1], id, start, here + scores[id]);
                single |= end + 1 - start == character;
            }
            if (!single)
                Offer(ref best[start + character], unknownId >= 0 ? unknownId
                    : throw Inexpressible(piece.Slice(start, character)), start, here + unknownScore);
            start += character;
        }
    }

    private static void Offer(ref UnigramPath path, int id, int start, double score)
    {
        if (path.Start < 0 || score > path.Score)
            path = new UnigramPath(id, start, score);
    }

    /// <summary>Adds, from the end, the ids of an unknown stretch that begins at a position.</summary>
    private void AddUnknown(ReadOnlySpan<char> piece, int start, ref int end, PipelineWorkspace work)
    {
        if (end < 0)
            return;
        var stretch = piece[start..end];
        end = -1;
        int known = Vocabulary.Find(stretch);
        if (known < 0 && byteIds is not null && work.TryAddBytes(stretch, byteIds, out int added))
            work.Reverse(work.Count - added);
        else
            work.Add(known >= 0 ? known : unknownId);
    }
}

/// <summary>The best way to a position of a text.</summary>
/// <param name="Id">The token that ends there.</param>
/// <param name="Start">The start of that, or -1 if no way has been found.</param>
/// <param name="Score">The sum of the scores.</param>
internal readonly record struct UnigramPath(int Id, int Start, double Score);
