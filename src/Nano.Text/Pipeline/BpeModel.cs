
namespace Nano;

/// <summary>
/// Properties of a BPE model in tokenizer.json besides its vocabulary and merges.
/// </summary>
/// <param name="Unknown">The token for characters without one, or null.</param>
/// <param name="FuseUnknown">Whether several unknown characters in a row are one token.</param>
/// <param name="ByteFallback">Whether the bytes of an unknown character are looked for as tokens such as
/// &lt;0x0A&gt;.</param>
/// <param name="WholePieces">Whether a piece that is a token is that token, whatever the merges would make of
/// it.</param>
/// <param name="Prefix">Before each character of a piece but the first.</param>
/// <param name="Suffix">Behind the last character of a piece.</param>
internal sealed record BpeOptions(string? Unknown, bool FuseUnknown, bool ByteFallback, bool WholePieces,
    string Prefix, string Suffix);

/// <summary>Byte-pair encoding of the characters of a piece, as Hugging Face's tokenizers do it.</summary>
internal sealed class BpeModel : TokenModel
{
    private const int Direct = 0x250;

    private readonly int[]? byteIds;
    private readonly int[] direct = new int[Direct];
    private readonly bool bare;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="merges">The rules, each pair once.</param>
    /// <param name="options">Everything else.</param>
    public BpeModel(ModelVocabulary vocabulary, IReadOnlyList<Merge> merges, BpeOptions options)
    {
        (Vocabulary, Merges, Options) = (vocabulary, merges, options);
        Table = new MergeTable(merges);
        byteIds = options.ByteFallback ? UnigramModel.BytesOf(vocabulary) : null;
        bare = options.Prefix.Length == 0 && options.Suffix.Length == 0;
        for (int c = 0; c < Direct; c++)
            direct[c] = vocabulary.Find([(char)c]);
    }

    public override ModelVocabulary Vocabulary { get; }

    /// <summary>The rules.</summary>
    public IReadOnlyList<Merge> Merges { get; }

    /// <summary>Everything else.</summary>
    public BpeOptions Options { get; }

    /// <summary>The rules, to be looked up.</summary>
    public MergeTable Table { get; }

    public override void Encode(ReadOnlySpan<char> piece, PipelineWorkspace work)
    {
        if (Options.WholePieces && Vocabulary.Find(piece) is >= 0 and int whole)
        {
            work.Add(whole);
            return;
        }
        int before = work.Count;
        bool unknown = false;
        for (int at = 0, length; at < piece.Length; at += length)
        {
            length = char.IsHighSurrogate(piece[at]) ? 2 : 1;
            var character = piece.Slice(at, length);
            string? dressed = bare ? null : Dressed(character, at == 0, at + length == piece.Length);
            int id = dressed is not null ? Vocabulary.Find(dressed)
                : piece[at] < Direct ? direct[piece[at]] : Vocabulary.Find(character);
            if (id >= 0)
            {
                AddUnknown(work, ref unknown);
                work.Add(id);
            }
            // An unknown character that waits goes behind the bytes, as it does in the library.
            else if (byteIds is null || !work.TryAddBytes(dressed ?? character, byteIds, out _))
            {
                if (Options.Unknown is null)
                    throw Missing(character);
                if (!Options.FuseUnknown)
                    AddUnknown(work, ref unknown);
                unknown = true;
            }
        }
        AddUnknown(work, ref unknown);
        work.Count = before + work.Merger!.Run(work.From(before));
    }

    private string Dressed(ReadOnlySpan<char> character, bool first, bool last) =>
        string.Concat(first ? "" : Options.Prefix, character, last ? Options.Suffix : "");

    private void AddUnknown(PipelineWorkspace work, ref bool unknown)
    {
        if (!unknown)
            return;
        int id = Vocabulary.Find(Options.Unknown);
        work.Add(id >= 0 ? id : throw new NanoException(
            $"a character has no token, and the vocabulary lacks that for the unknown, {Quoted.Of(Options.Unknown)}"));
        unknown = false;
    }

    private static NanoException Missing(ReadOnlySpan<char> character) =>
        ByteAlphabet.ToBytes(character.ToString()) is [var b]
            ? new NanoException($"the vocabulary has no token for the character {Quoted.Of(character)} "
                + $"(U+{(int)character[0]:X4}; as a byte 0x{b:X2}), nor one for the unknown",
                "use a tokenizer that knows all bytes")
        : Inexpressible(character);
}
