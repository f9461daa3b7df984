using System.Text;

namespace Nano;

/// <summary>
/// The vocabulary inside a GGUF file (keys tokenizer.ggml.*): model "llama" is SentencePiece with
/// scores, "gpt2" byte-level BPE with merges, whose way of cutting text is named by "pre" (see
/// <see cref="GgufRules"/>). What real files leave out or have odd is taken as llama.cpp takes it:
/// a token without text is an unused one; without scores all are equal; a token type that is not
/// known is a normal token; an id of a special token that is outside the vocabulary is none. It
/// stops at what llama.cpp refuses too, such as a token that is there twice.
/// </summary>
internal static class GgufVocabulary
{
    private const string Prefix = "tokenizer.ggml.";

    // A merge in which more spaces could be the one between its two tokens is malformed.
    private const int MaxSpacesInMerge = 64;

    // The ids of SentencePiece's special tokens where a file does not give them.
    private const int UsualUnknown = 0, UsualBegin = 1, UsualEnd = 2;

    /// <summary>Reads the vocabulary of a file.</summary>
    /// <exception cref="BadFileException">It is malformed, of an unknown kind, or there is none.</exception>
    public static ITokenizer Load(string path)
    {
        using var file = GgufReader.Open(path);
        return Create(file.Metadata);
    }

    /// <summary>Reads the vocabulary in metadata.</summary>
    public static BpeTokenizer Create(GgufMetadata metadata)
    {
        string[] tokens = metadata.Strings(Prefix + "tokens")
            ?? throw new BadFileException(metadata.Path, "the file has no vocabulary (tokenizer.ggml.tokens)");
        long[]? kinds = metadata.Integers(Prefix + "token_type");
        if (kinds is not null && kinds.Length < tokens.Length)
            throw new BadFileException(metadata.Path, $"{tokens.Length} tokens but {kinds.Length} token types");
        return metadata.String(Prefix + "model") switch
        {
            "llama" => Scored(metadata, tokens, kinds),
            "gpt2" => ByteLevel(metadata, tokens, [.. tokens.Select((token, id) => KindOf(token, kinds?[id]))]),
            var other => throw new BadFileException(metadata.Path,
                other is null ? "the file does not say of which kind its vocabulary is (tokenizer.ggml.model)"
                : $"a vocabulary of kind {Quoted.Of(other)} (tokenizer.ggml.model) is not supported; 'llama' and "
                + "'gpt2' are"),
        };
    }

    private static PieceKind KindOf(string token, long? stored) =>
        token.Length == 0 ? PieceKind.Unused : stored is >= 1 and <= 6 and var known ? (PieceKind)known
            : PieceKind.Normal;

    private static SentencePieceTokenizer Scored(GgufMetadata metadata, string[] tokens, long[]? stored)
    {
        float[] scores = Scores(metadata, tokens.Length);
        int? unknown = Id(metadata, "unknown_token_id", tokens.Length, UsualUnknown),
            begin = Id(metadata, "bos_token_id", tokens.Length, UsualBegin),
            end = Id(metadata, "eos_token_id", tokens.Length, UsualEnd);
        PieceKind[] kinds = [.. tokens.Select((token, id) => KindOf(token, stored?[id]))];
        if (stored is null)
        {
            // Without types, bytes are told by their text and special tokens by the keys that name them.
            for (int id = 0; id < tokens.Length; id++)
                kinds[id] = SentencePieces.ByteOf(tokens[id]) is null ? kinds[id] : PieceKind.Byte;
            foreach (int id in ((int?[])[begin, end]).OfType<int>())
                kinds[id] = PieceKind.Control;
        }
        if (unknown is { } none && !kinds.Contains(PieceKind.Unknown)
            && kinds[none] is PieceKind.Normal or PieceKind.Control)
            kinds[none] = PieceKind.Unknown;
        Piece[] pieces = [.. tokens.Select((token, id) => new Piece(token, scores[id], kinds[id]))];
        // A text that begins anew has ended, too: llama2.c's stories have no other end.
        int[] ends = [.. ((int?[])[end, Id(metadata, "eot_token_id", tokens.Length), begin]).OfType<int>().Distinct()];
        return SentencePieces.Create(pieces, metadata.Bool(Prefix + "add_bos_token") ?? true ? begin : null, ends,
            metadata.Bool(Prefix + "add_space_prefix") ?? true ? SpaceInFront.Always : SpaceInFront.Never,
            metadata.Bool(Prefix + "remove_extra_whitespaces") ?? false, metadata.Path, someBytes: true);
    }

    private static float[] Scores(GgufMetadata metadata, int tokens)
    {
        const string Key = Prefix + "scores";
        if (!metadata.Has(Key))
            return new float[tokens];
        float[] scores = metadata.ElementType(Key) == GgufValueType.Int32
            ? [.. metadata.Integers(Key)!.Select(score => (float)score)] : metadata.Floats(Key)!;
        return scores.Length >= tokens ? scores : throw new BadFileException(metadata.Path,
            $"{tokens} tokens but {scores.Length} scores");
    }

    private static ByteBpeTokenizer ByteLevel(GgufMetadata metadata, string[] tokens, PieceKind[] kinds)
    {
        var rules = RulesOf(metadata);
        var table = new TokenTable(metadata.Path);
        for (int id = 0; id < tokens.Length; id++)
            if (tokens[id].Length > 0)
                table.Add(tokens[id], id);
        string[] pairs = metadata.Strings(Prefix + "merges")
            ?? throw new BadFileException(metadata.Path, "the vocabulary has no merges (tokenizer.ggml.merges)");
        Merge[] merges = [.. pairs.Select((pair, rank) => MergeOf(table, pair, rank, metadata.Path))];
        AddedToken[] added = [.. Enumerable.Range(0, tokens.Length)
            .Where(id => kinds[id] is PieceKind.Control or PieceKind.Unknown or PieceKind.UserDefined)
            .Select(id => new AddedToken(tokens[id], id, kinds[id] != PieceKind.UserDefined))];
        var texts = added.ToDictionary(token => token.Id, token => Encoding.UTF8.GetBytes(token.Text));
        byte[]?[] bytes = [.. Enumerable.Range(0, tokens.Length)
            .Select(id => texts.TryGetValue(id, out var text) ? text : tokens[id].Length > 0 ? table.Bytes(id) : null)];
        int?[] ends = [.. ((string[])["eos_token_id", "eot_token_id", "eom_token_id"])
            .Select(key => Id(metadata, key, tokens.Length))];
        int? begin = metadata.Bool(Prefix + "add_bos_token") ?? rules.Begins
            ? Id(metadata, "bos_token_id", tokens.Length) : null;
        return new ByteBpeTokenizer(
            new BpeParts(new Vocabulary(bytes, texts.ContainsKey, metadata.Path), new MergeTable(merges),
                rules.WholePieces,
                SentencePieces.Distinct(added, metadata.Path), begin,
                [.. ends.OfType<int>().Concat(TokenizerConfig.None.EndIds(added, tokens.Length)).Distinct()]),
            rules.Pattern, rules.Composed);
    }

    /// <summary>
    /// The rules that the file names. Files of GPT-2 that are older than the key mean GPT-2's,
    /// others llama.cpp's default.
    /// </summary>
    private static GgufRules RulesOf(GgufMetadata metadata)
    {
        if (metadata.String(Prefix + "pre") is { Length: > 0 } name)
            return GgufRules.Find(name, metadata.Path);
        if (metadata.String("general.architecture") == "gpt2")
            return GgufRules.Find("gpt-2", metadata.Path);
        TokenizerLoader.Notice(
            $"{metadata.Path}: the file does not say how text is cut (tokenizer.ggml.pre); it is cut by llama.cpp's "
            + "default rules, "
            + "which may not be those that the model was trained with");
        return GgufRules.Default;
    }

    /// <summary>
    /// Reads "left right" as a rule. Where the tokens have spaces themselves, the first space
    /// behind which there are two tokens that make a third divides them.
    /// </summary>
    private static Merge MergeOf(TokenTable table, string pair, int rank, string path)
    {
        int spaces = 0;
        for (int at = pair.Length < 2 ? -1 : pair.IndexOf(' ', 1); at >= 0
            && spaces++ < MaxSpacesInMerge; at = pair.IndexOf(' ', at + 1))
            if (table.Find(pair[..at]) is { } left && table.Find(pair[(at + 1)..]) is { } right
                && table.Find(pair.Remove(at, 1)) is { } made)
                return new Merge(left, right, rank, made);
        return table.Merge(pair, rank, path, $"merge {rank}"); // which says what is wrong
    }

    /// <summary>
    /// The id that a key names, or that a file without the key means; null if it is outside the
    /// vocabulary.
    /// </summary>
    private static int? Id(GgufMetadata metadata, string key, int tokens, int? usual = null) =>
        (metadata.Integer(Prefix + key) ?? usual) is { } id && id >= 0 && id < tokens ? (int)id : null;
}
