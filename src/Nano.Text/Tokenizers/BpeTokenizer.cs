using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace Nano;

/// <summary>The parts of a tokenizer that merges pairs.</summary>
/// <param name="Vocabulary">Bytes of the ids.</param>
/// <param name="Merges">The rules.</param>
/// <param name="WholePieces">Whether a piece that is a token is that token, whatever the merges
/// would make of it.</param>
/// <param name="Added">Tokens that are found in the text before anything else.</param>
/// <param name="BeginId">The id in front of a prompt, or null.</param>
/// <param name="EndIds">The ids that end a text.</param>
internal sealed record BpeParts(Vocabulary Vocabulary, MergeTable Merges, bool WholePieces, AddedTokens Added,
    int? BeginId, IReadOnlyList<int> EndIds);

/// <summary>
/// The common part of byte-level BPE and SentencePiece: finds added tokens in the text, cuts the
/// rest into pieces, and merges pairs of symbols within each piece.
/// </summary>
internal abstract class BpeTokenizer(BpeParts parts) : ITokenizer
{
    private readonly ConcurrentQueue<BpeWorkspace> spare = new();

    /// <inheritdoc/>
    public int VocabSize => Parts.Vocabulary.Count;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, int> SpecialTokens => Parts.Added.Special;

    /// <inheritdoc/>
    public int? BeginId => Parts.BeginId;

    /// <inheritdoc/>
    public IReadOnlyList<int> EndIds => Parts.EndIds;

    /// <summary>The parts of the tokenizer.</summary>
    public BpeParts Parts { get; } = parts;

    /// <inheritdoc/>
    public int[] Encode(ReadOnlySpan<char> text, bool allowSpecial = false)
    {
        if (!spare.TryDequeue(out var work))
            work = new BpeWorkspace(Parts.Merges);
        try
        {
            work.Begin(text);
            for (int at = 0; at < text.Length;)
            {
                int found = Parts.Added.Next(text[at..], allowSpecial, out int length, out int id);
                int end = found < 0 ? text.Length : at + found;
                if (end > at)
                    EncodeText(work, text[at..end], at == 0);
                if (found >= 0)
                    work.Add(id);
                at = end + length;
            }
            return work.Ids.ToArray();
        }
        finally
        {
            work.Trim();
            spare.Enqueue(work);
        }
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var text = new ArrayBufferWriter<byte>(Math.Max(16, 4 * ids.Length));
        bool first = true;
        for (int i = 0; i < ids.Length; i++)
        {
            text.Write(BytesOf(ids[i], first));
            first = first && BytesOf(ids[i]).IsEmpty;
        }
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    /// <inheritdoc/>
    public virtual ReadOnlySpan<byte> BytesOf(int id, bool first = false) =>
        (uint)id < (uint)VocabSize ? Parts.Vocabulary[id]
        : throw new NanoException($"the id {id} is outside the vocabulary, whose ids run from 0 to {VocabSize - 1}",
            "do model and tokenizer belong together?");

    /// <inheritdoc/>
    public abstract void Save(string path);

    /// <summary>Encodes text between added tokens.</summary>
    /// <param name="work">Receives the ids.</param>
    /// <param name="text">Not empty, and valid Unicode.</param>
    /// <param name="first">Whether the whole text begins here.</param>
    protected abstract void EncodeText(BpeWorkspace work, ReadOnlySpan<char> text, bool first);

    /// <summary>
    /// Writes the symbols that a piece begins with, before merging; those that no rule knows are
    /// negative. Returns their number.
    /// </summary>
    protected abstract int Symbols(ReadOnlySpan<byte> piece, Span<int> symbols);

    /// <summary>Adds the ids for a negative symbol.</summary>
    protected abstract void AddUnknown(BpeWorkspace work, int symbol);

    /// <summary>Adds the ids of a piece of the workspace's text.</summary>
    protected void AddPiece(BpeWorkspace work, int start, int end)
    {
        int known = work.Cache.Find(work.Utf8, start, end - start, work.Room(4));
        if (known > 0)
        {
            work.Count += known;
            return;
        }
        int before = work.Count;
        var piece = work.Utf8.AsSpan(start, end - start);
        if (Parts.WholePieces && Parts.Vocabulary.Find(piece) is >= 0 and int id)
            work.Add(id);
        else
        {
            var symbols = work.Symbols(piece.Length);
            symbols = symbols[..Symbols(piece, symbols)];
            foreach (int symbol in symbols[..work.Merger.Run(symbols)])
            {
                if (symbol >= 0)
                    work.Add(symbol);
                else
                    AddUnknown(work, symbol);
            }
        }
        work.Cache.Keep(work.Utf8, start, end - start, work.Ids[before..]);
    }

    /// <summary>Half of a surrogate pair, by its position.</summary>
    internal static NanoException HalfPair(char unit, int at) =>
        new($"half of a surrogate pair (U+{(int)unit:X4}) stands alone at position {at}: the text is not valid Unicode",
            "check the encoding of the text");
}
