using System.Text;

namespace Nano;

/// <summary>The places where a text gets a leading space, as if a word began there.</summary>
internal enum SpaceInFront
{
    Never,

    /// <summary>At the beginning only, unless the text begins with a space.</summary>
    First,

    /// <summary>Also after each added token.</summary>
    Always,
}

/// <summary>
/// The rules by which SentencePiece treats text before and after its vocabulary applies.
/// </summary>
/// <param name="ByteIds"> The ids of the 256 bytes, for characters that are not in the vocabulary;
/// null if there are none. A byte without an id is -1: a character that needs it is unknown.
/// </param>
/// <param name="UnknownId">The id of what cannot be expressed, or -1.</param>
/// <param name="SpaceInFront">The places where a space is added; the first one is dropped again
/// when decoding.</param>
/// <param name="SingleSpaces">Whether spaces at the ends of a text go, and several in a row become one.</param>
/// <param name="UserDefined">Tokens that are taken whole wherever they occur and merge with
/// nothing, by id; empty if there are none.</param>
internal sealed record SentencePieceRules(int[]? ByteIds, int UnknownId, SpaceInFront SpaceInFront, bool SingleSpaces,
    IReadOnlyList<byte[]?> UserDefined);

/// <summary>
/// SentencePiece BPE (Kudo and Richardson 2018, arXiv:1808.06226) as in Llama 1 and 2, TinyLlama
/// and Mistral: characters are merged, and a character that the vocabulary lacks becomes its bytes.
/// SentencePiece writes a space as U+2581 and knows no difference between the two; here both are a
/// space.
/// </summary>
internal sealed class SentencePieceTokenizer : BpeTokenizer
{
    /// <summary>SentencePiece's sign for a space.</summary>
    public const char SpaceSign = '\u2581';

    // A symbol below this is a user-defined token that no rule may touch; one above it, if negative, is a
    // character without a token.
    private const int Frozen = -0x200000;

    private readonly Vocabulary? userDefined;
    private readonly int longestUserDefined;
    private readonly int[] asciiIds = new int[128];

    public SentencePieceTokenizer(BpeParts parts, SentencePieceRules rules) : base(parts)
    {
        Rules = rules;
        if (rules.UserDefined.Any(token => token is not null))
        {
            userDefined = new Vocabulary(rules.UserDefined, _ => false, "user-defined tokens");
            longestUserDefined = rules.UserDefined.Max(token => token?.Length ?? 0);
        }
        // Characters that are unknown together are one id, across words too.
        CutsAtSpaces = rules.ByteIds?.Contains(-1) == false
            && !Enumerable.Range(0, VocabSize)
                .Any(id => HasSpaceInside(parts.Vocabulary[id]) && parts.Vocabulary.Find(parts.Vocabulary[id]) == id);
        for (int c = 0; c < asciiIds.Length; c++)
            asciiIds[c] = parts.Vocabulary.Find([(byte)c]) is >= 0 and int id ? id : ~c;
    }

    /// <summary>The rules that apply to text before and after the vocabulary.</summary>
    public SentencePieceRules Rules { get; }

    /// <summary>
    /// True if no token has a space after another character, so that every word can be encoded by
    /// itself.
    /// </summary>
    public bool CutsAtSpaces { get; }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id, bool first = false)
    {
        var bytes = base.BytesOf(id);
        return first && Rules.SpaceInFront != SpaceInFront.Never && bytes.StartsWith(" "u8) ? bytes[1..] : bytes;
    }

    /// <inheritdoc/>
    public override void Save(string path) => TokenizerJsonWriter.Save(path, this);

    protected override void EncodeText(BpeWorkspace work, ReadOnlySpan<char> text, bool first)
    {
        text = Normalized(text);
        if (text.IsEmpty)
            return;
        int length = work.SetText(text, Rules.SpaceInFront == SpaceInFront.Always
            || (Rules.SpaceInFront == SpaceInFront.First && first && text[0] != ' '));
        for (int at = 0; at < length;)
        {
            int end = CutsAtSpaces ? WordEnd(work.Utf8.AsSpan(0, length), at) : length;
            AddPiece(work, at, end);
            at = end;
        }
    }

    protected override int Symbols(ReadOnlySpan<byte> piece, Span<int> symbols)
    {
        int count = 0;
        for (int at = 0; at < piece.Length;)
        {
            if (userDefined is not null && FindUserDefined(piece[at..], out int id) is > 0 and int taken)
            {
                symbols[count++] = Frozen - id;
                at += taken;
                continue;
            }
            if (piece[at] < 128)
            {
                symbols[count++] = asciiIds[piece[at++]];
                continue;
            }
            Rune.DecodeFromUtf8(piece[at..], out Rune rune, out int length);
            int known = Parts.Vocabulary.Find(piece.Slice(at, length));
            symbols[count++] = known >= 0 ? known : ~rune.Value;
            at += length;
        }
        return count;
    }

    protected override void AddUnknown(BpeWorkspace work, int symbol)
    {
        if (symbol <= Frozen)
        {
            work.Add(Frozen - symbol);
            return;
        }
        var rune = new Rune(~symbol);
        if (Rules.ByteIds is { } byteIds && HasBytes(byteIds, rune))
        {
            Span<byte> bytes = stackalloc byte[4];
            foreach (byte b in bytes[..rune.EncodeToUtf8(bytes)])
                work.Add(byteIds[b]);
        }
        else if (Rules.UnknownId < 0)
            throw new NanoException(
                $"the vocabulary has neither {Quoted.Of(rune.ToString())} (U+{rune.Value:X4}) nor a token for the "
                + "unknown", "leave the character out");
        else if (work.Count == 0 || work.Ids[^1] != Rules.UnknownId) // several in a row are one
            work.Add(Rules.UnknownId);
    }

    private static bool HasBytes(int[] byteIds, Rune rune)
    {
        Span<byte> bytes = stackalloc byte[4];
        foreach (byte b in bytes[..rune.EncodeToUtf8(bytes)])
            if (byteIds[b] < 0)
                return false;
        return true;
    }

    /// <summary>The text with spaces as spaces, single ones if the model wants them so.</summary>
    private ReadOnlySpan<char> Normalized(ReadOnlySpan<char> text)
    {
        if (!Rules.SingleSpaces && !text.Contains(SpaceSign))
            return text;
        string spaced = text.ToString().Replace(SpaceSign, ' ');
        return Rules.SingleSpaces ? string.Join(' ', spaced.Split(' ', StringSplitOptions.RemoveEmptyEntries)) : spaced;
    }

    private int FindUserDefined(ReadOnlySpan<byte> text, out int id)
    {
        id = -1;
        for (int length = Math.Min(longestUserDefined, text.Length); length > 0; length--)
            if ((id = userDefined!.Find(text[..length])) >= 0)
                return length;
        return 0;
    }

    /// <summary>The end of the spaces and the word that begin here.</summary>
    private static int WordEnd(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && text[at] == ' ')
            at++;
        int length = text[at..].IndexOf((byte)' ');
        return length < 0 ? text.Length : at + length;
    }

    private static bool HasSpaceInside(ReadOnlySpan<byte> token)
    {
        for (int i = 1; i < token.Length; i++)
            if (token[i] == ' ' && token[i - 1] != ' ')
                return true;
        return false;
    }
}
