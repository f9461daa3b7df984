using System.Runtime.InteropServices;
using System.Text;

namespace Nano;

/// <summary>The progress of training.</summary>
/// <param name="Tokens">Tokens so far.</param>
/// <param name="Of">Tokens that are wanted.</param>
public readonly record struct BpeProgress(int Tokens, int Of);

/// <summary>
/// Learns byte-level BPE from texts: the 256 bytes in GPT-2's order, then again and again the two
/// neighbours that occur together most often as one new token, last &lt;|endoftext|&gt;. Of pairs
/// that occur equally often the one with the smaller left id goes first, then the smaller right id,
/// so the result depends on the texts alone. Neighbours count within pieces of text only, at every
/// position (aaa has two), and must occur at least twice. A token that two different pairs make up
/// has one id.
/// </summary>
public static class BpeTrainer
{
    /// <summary>The special token that a trained vocabulary ends with.</summary>
    public const string EndOfText = "<|endoftext|>";

    private const int ChunkLength = 1 << 20, MinCount = 2;

    /// <summary>The ways to cut text into pieces.</summary>
    public static IReadOnlyList<string> Splits => [.. SplitPattern.All.Select(pattern => pattern.Name)];

    /// <summary>Learns a vocabulary.</summary>
    /// <param name="texts">The texts to train on.</param>
    /// <param name="vocabSize">V, with the bytes and the special token.</param>
    /// <param name="split">One of <see cref="Splits"/>.</param>
    /// <param name="threads">For cutting the texts; 0 for all processors.</param>
    /// <param name="progress">Told now and then.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="NanoException">The texts do not have enough pairs, or a text is not valid
    /// Unicode.</exception>
    public static ITokenizer Train(IReadOnlyList<string> texts, int vocabSize, string split = "gpt2", int threads = 0,
        IProgress<BpeProgress>? progress = null, CancellationToken cancel = default)
    {
        var pattern = SplitPattern.All.FirstOrDefault(known => known.Name == split)
            ?? throw new NanoException($"there is no split '{split}'", NearestMatch.Hint(split, [.. Splits], "splits"));
        if (vocabSize is < 257 or > 1 << 20)
            throw new NanoException(
                $"a vocabulary of {vocabSize} tokens cannot be trained; it must have 257 (the bytes and "
                + $"{EndOfText}) to {1 << 20}");
        var words = CountPieces(texts, pattern, threads, cancel);
        List<byte[]?> tokens = [.. ByteAlphabet.InOrder().Select(b => (byte[])[b])];
        var known = new Dictionary<string, int>();
        for (int id = 0; id < tokens.Count; id++)
            known.Add(Encoding.Latin1.GetString(tokens[id]!), id);
        int[] byteIds = new int[256];
        for (int id = 0; id < 256; id++)
            byteIds[tokens[id]![0]] = id;
        var pairs = new PairCounts(words, byteIds);
        var merges = new List<Merge>();
        while (tokens.Count < vocabSize - 1)
        {
            cancel.ThrowIfCancellationRequested();
            if (!pairs.TryTakeBest(MinCount, out int left, out int right))
                throw new NanoException(
                    $"the text gives only {tokens.Count + 1} tokens, not {vocabSize}: no two neighbours are left "
                    + "that occur at least twice", $"give more text, or ask for {tokens.Count + 1} tokens or fewer");
            byte[] token = [.. tokens[left]!, .. tokens[right]!];
            if (!known.TryGetValue(Encoding.Latin1.GetString(token), out int id))
            {
                id = tokens.Count;
                known.Add(Encoding.Latin1.GetString(token), id);
                tokens.Add(token);
            }
            merges.Add(new Merge(left, right, merges.Count, id));
            pairs.Merge(left, right, id);
            if (tokens.Count % 64 == 0)
                progress?.Report(new BpeProgress(tokens.Count, vocabSize));
        }
        tokens.Add(Encoding.UTF8.GetBytes(EndOfText));
        progress?.Report(new BpeProgress(vocabSize, vocabSize));
        var added = new AddedTokens([new AddedToken(EndOfText, vocabSize - 1, Special: true)]);
        var vocabulary = new Vocabulary(tokens, id => id == vocabSize - 1, "trained vocabulary");
        return new ByteBpeTokenizer(new BpeParts(vocabulary, new MergeTable(merges), WholePieces: false, added, null,
            [vocabSize - 1]), pattern, composed: false);
    }

    /// <summary>
    /// The distinct pieces of the texts and how often each occurs. Texts are cut at fixed places,
    /// whatever the number of threads.
    /// </summary>
    private static List<(byte[] Piece, long Count)> CountPieces(IReadOnlyList<string> texts, SplitPattern pattern,
        int threads, CancellationToken cancel)
    {
        var chunks = new List<ReadOnlyMemory<char>>();
        foreach (string text in texts)
            for (int at = 0; at < text.Length;)
            {
                int end = ChunkEnd(text, at);
                chunks.Add(text.AsMemory(at, end - at));
                at = end;
            }
        var counts = new Dictionary<string, long>[chunks.Count];
        try
        {
            Parallel.For(0, chunks.Count,
                new ParallelOptions
                {
                    MaxDegreeOfParallelism = threads > 0 ? threads : Environment.ProcessorCount,
                    CancellationToken = cancel
                },
                i => counts[i] = Count(chunks[i].Span, pattern.NewSplitter()));
        }
        catch (AggregateException e) when (e.InnerExceptions[0] is NanoException first)
        {
            throw first;
        }
        var all = new Dictionary<string, long>();
        foreach (var chunk in counts)
            foreach (var (piece, count) in chunk)
                CollectionsMarshal.GetValueRefOrAddDefault(all, piece, out _) += count;
        return [.. all.Select(piece => (Encoding.Latin1.GetBytes(piece.Key), piece.Value))];
    }

    /// <summary>
    /// The end of a chunk of a long text: after a line break that a visible character follows,
    /// where every pattern begins a piece.
    /// </summary>
    private static int ChunkEnd(string text, int start)
    {
        for (int at = start + ChunkLength; at < text.Length; at++)
            if (text[at - 1] == '\n' && !char.IsWhiteSpace(text[at]) && text[at] != '/')
                return at;
        return text.Length;
    }

    /// <summary>Pieces as Latin-1 strings: one character for each byte.</summary>
    private static Dictionary<string, long> Count(ReadOnlySpan<char> text, Splitter splitter)
    {
        var counts = new Dictionary<string, long>();
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        var work = new BpeWorkspace(new MergeTable([]));
        work.Begin(text);
        int length = work.SetText(text);
        char[] piece = new char[256];
        for (int at = 0; at < length;)
        {
            int end = splitter.Next(work.Utf8.AsSpan(0, length), at);
            if (piece.Length < end - at)
                piece = new char[2 * (end - at)];
            Encoding.Latin1.GetChars(work.Utf8.AsSpan(at, end - at), piece);
            CollectionsMarshal.GetValueRefOrAddDefault(lookup, piece.AsSpan(0, end - at), out _)++;
            at = end;
        }
        return counts;
    }
}
