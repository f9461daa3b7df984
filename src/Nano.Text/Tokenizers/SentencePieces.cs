using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// The kind of a piece; the numbers are those of SentencePiece's and GGUF's files.
/// </summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>
/// One entry of a SentencePiece vocabulary. Of two possible merges the one with the higher score
/// goes first.
/// </summary>
internal readonly record struct Piece(string Text, float Score, PieceKind Kind);

/// <summary>Makes a tokenizer of pieces with scores, whichever file they come from.</summary>
internal static class SentencePieces
{
    /// <summary>The most pieces there may be.</summary>
    public const int MaxPieces = 1 << 21;

    private static readonly byte[] UnknownSurface = " \u2047 "u8.ToArray();

    /// <param name="pieces">By id.</param>
    /// <param name="beginId">The id in front of a prompt, or null.</param>
    /// <param name="endIds">The ids that end a text.</param>
    /// <param name="spaceInFront">The places where a text gets a leading space.</param>
    /// <param name="singleSpaces">Whether spaces are made single.</param>
    /// <param name="path">The file to name.</param>
    /// <param name="someBytes">Whether some bytes may have a piece and others not.</param>
    public static SentencePieceTokenizer Create(IReadOnlyList<Piece> pieces, int? beginId, IReadOnlyList<int> endIds,
        SpaceInFront spaceInFront, bool singleSpaces, string path, bool someBytes = false)
    {
        int[] byteIds = new int[256];
        Array.Fill(byteIds, -1);
        int unknown = -1;
        var tokens = new byte[]?[pieces.Count];
        var userDefined = new byte[]?[pieces.Count];
        var added = new List<AddedToken>();
        for (int id = 0; id < tokens.Length; id++)
        {
            var piece = pieces[id];
            if (float.IsNaN(piece.Score))
                throw new BadFileException(path, $"the score of piece {id} is not a number");
            if (piece.Kind is PieceKind.Control or PieceKind.Unknown && piece.Text.Length > 0)
                added.Add(new AddedToken(piece.Text, id, Special: true));
            if (piece.Kind == PieceKind.Unknown)
                unknown = id;
            if (piece.Kind == PieceKind.Byte)
                byteIds[ByteOf(piece.Text) ?? throw new BadFileException(path,
                    $"the piece {id} is a byte, but its text is {Quoted.Of(piece.Text)}")] = id;
            tokens[id] = BytesOf(piece);
            if (piece.Kind == PieceKind.UserDefined)
                userDefined[id] = tokens[id];
        }
        int bytes = byteIds.Count(id => id >= 0);
        if (bytes is not (0 or 256) && !someBytes)
            throw new BadFileException(path, $"{bytes} of 256 bytes have a piece");
        bool IsNormal(int id) => pieces[id].Kind == PieceKind.Normal;
        var vocabulary = new Vocabulary(tokens, id => !IsNormal(id) && pieces[id].Kind != PieceKind.UserDefined, path);
        int[] ranks = Ranks(pieces);
        var merges = new MergeTable(RankMerges.Of(vocabulary, id => IsNormal(id) ? ranks[id] : -1, IsNormal,
            characters: true, path));
        return new SentencePieceTokenizer(new BpeParts(vocabulary, merges, WholePieces: false, Distinct(added, path),
            beginId, endIds),
            new SentencePieceRules(bytes == 0 ? null : byteIds, unknown, spaceInFront, singleSpaces, userDefined));
    }

    /// <summary>The byte that a text like &lt;0x0A&gt; names, or null.</summary>
    public static byte? ByteOf(string text) => text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal)
        && text[5] == '>'
        && byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte b)
        ? b : null;

    /// <summary>The bytes that a piece decodes to.</summary>
    public static byte[] BytesOf(Piece piece) => piece.Kind switch
    {
        PieceKind.Control => [],
        PieceKind.Unknown => UnknownSurface,
        PieceKind.Byte => [ByteOf(piece.Text)!.Value],
        _ => Encoding.UTF8.GetBytes(piece.Text.Replace(SentencePieceTokenizer.SpaceSign, ' ')),
    };

    /// <summary>Added tokens, refused if two have the same text.</summary>
    public static AddedTokens Distinct(IReadOnlyCollection<AddedToken> added, string path)
    {
        var seen = new HashSet<string>();
        foreach (var token in added)
            if (token.Text.Length == 0 || !seen.Add(token.Text))
                throw new BadFileException(path,
                    $"the added token {Quoted.Of(token.Text)} (id {token.Id}) is empty or there twice");
        return new AddedTokens(added);
    }

    /// <summary>Ranks from scores: the highest score is rank 0, equal scores have equal ranks.</summary>
    private static int[] Ranks(IReadOnlyList<Piece> pieces)
    {
        int[] order = [.. Enumerable.Range(0, pieces.Count).OrderByDescending(id => pieces[id].Score)];
        int[] ranks = new int[order.Length];
        for (int i = 1; i < order.Length; i++)
            ranks[order[i]] = ranks[order[i - 1]] + (pieces[order[i]].Score < pieces[order[i - 1]].Score ? 1 : 0);
        return ranks;
    }
}
