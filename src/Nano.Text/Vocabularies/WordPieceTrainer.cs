namespace Nano;

/// <summary>
/// Learns a WordPiece vocabulary as Hugging Face's library does: words are cut into characters, of which those that
/// continue a word have the prefix ##, and the most frequent pair of neighbours becomes a token until there are enough.
/// Of equally frequent pairs it is the one whose tokens came first. The same texts give the same vocabulary.
/// </summary>
public static class WordPieceTrainer
{
    /// <summary>The prefix of tokens that continue a word.</summary>
    internal const string Prefix = "##";

    /// <summary>Words are counted, and longer ones left out: the tokenizer takes those as unknown.</summary>
    private const int LongestWord = 100;

    private sealed class Word(List<int> pieces, long count)
    {
        public List<int> Pieces { get; } = pieces;

        public long Count { get; } = count;
    }

    /// <summary>Learns a vocabulary.</summary>
    /// <param name="texts">The texts, in lower case or not: letters become small.</param>
    /// <param name="size">V: the special tokens, the characters and what is learned; less if the texts have no more
    /// pairs.</param>
    /// <exception cref="NanoException">It is too small for the characters, or the texts have no words.</exception>
    public static ITokenizer Train(IEnumerable<string> texts, int size)
    {
        var counts = CountWords(texts);
        if (counts.Count == 0)
            throw new NanoException("the texts have no words to make a vocabulary of", "check the data file");
        List<string> tokens = [.. WordPieceFile.SpecialTokens];
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string token in tokens)
            ids.Add(token, ids.Count);
        foreach (string letter in counts.Keys.SelectMany(Letters).Distinct().Order(StringComparer.Ordinal))
            Add(letter);
        if (tokens.Count > size)
            throw new NanoException($"a vocabulary of {size} tokens is too small: there are {tokens.Count} of "
                + "characters and special tokens", "make `vocab` larger");
        List<Word> words = [.. counts.OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => new Word([.. Letters(pair.Key).Select(letter => ids[letter])], pair.Value))];
        var pairs = new Dictionary<(int, int), long>();
        var places = new Dictionary<(int, int), HashSet<int>>();
        for (int i = 0; i < words.Count; i++)
            Count(i, 1);
        while (tokens.Count < size && Best(pairs) is { } best)
            Merge(best);
        return WordPieceFile.Read(WordPieceFile.Document(tokens, lowercase: true), "the new vocabulary",
            TokenizerConfig.None);

        int Add(string token)
        {
            if (ids.TryAdd(token, tokens.Count))
                tokens.Add(token);
            return ids[token];
        }
        void Count(int word, int sign)
        {
            var pieces = words[word].Pieces;
            for (int i = 1; i < pieces.Count; i++)
            {
                var pair = (pieces[i - 1], pieces[i]);
                long count = pairs.GetValueOrDefault(pair) + (sign * words[word].Count);
                if (count == 0)
                    pairs.Remove(pair);
                else
                    pairs[pair] = count;
                if (!places.TryGetValue(pair, out var set))
                    places[pair] = set = [];
                set.Add(word);
            }
        }
        void Merge((int Left, int Right) best)
        {
            int merged = Add(tokens[best.Left] + tokens[best.Right][Prefix.Length..]);
            foreach (int word in places[best].ToArray())
            {
                Count(word, -1);
                var pieces = words[word].Pieces;
                for (int i = 1; i < pieces.Count; i++)
                    if ((pieces[i - 1], pieces[i]) == best)
                    {
                        pieces[i - 1] = merged;
                        pieces.RemoveAt(i);
                    }
                Count(word, 1);
            }
            places.Remove(best);
        }
    }

    private static (int Left, int Right)? Best(Dictionary<(int Left, int Right), long> pairs)
    {
        (int, int)? best = null;
        long most = 0;
        foreach (var (pair, count) in pairs)
            if (count > most || (count == most && best is { } other && pair.CompareTo(other) < 0))
                (best, most) = (pair, count);
        return best;
    }

    private static IEnumerable<string> Letters(string word) =>
        word.EnumerateRunes().Select((letter, i) => i == 0 ? letter.ToString() : Prefix + letter);

    /// <summary>The words of texts as the tokenizer cuts them.</summary>
    private static Dictionary<string, long> CountWords(IEnumerable<string> texts)
    {
        using var json = InputFile.ParseJson(WordPieceFile.Document(WordPieceFile.SpecialTokens, lowercase: true),
            "the new vocabulary");
        var steps = Pipeline.Read(json.RootElement, "the new vocabulary");
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (string text in texts)
        {
            BpeWorkspace.CheckPairs(text);
            List<TextPiece> pieces = [Pipeline.Normalize(steps.Normalizers, TextPiece.Of(text, first: true))];
            foreach (var step in steps.PreTokenizers)
            {
                List<TextPiece> cut = [];
                foreach (var piece in pieces)
                    step.Cut(piece, cut);
                pieces = cut;
            }
            foreach (var piece in pieces.Where(piece => piece.Length is > 0 and <= LongestWord))
                counts[piece.Span.ToString()] = counts.GetValueOrDefault(piece.Span.ToString()) + 1;
        }
        return counts;
    }
}
