namespace Nano;

/// <summary>
/// The vocabulary inside a GGUF file (keys tokenizer.ggml.*): model "llama" is SentencePiece with scores, "gpt2" byte-level BPE with merges, whose way of
/// cutting text is named by "pre".
/// </summary>
internal static class GgufVocabulary
{
    private const string Prefix = "tokenizer.ggml.";

    // The names that llama.cpp gives to patterns; those of Llama-3 and Tekken take a piece that is a token as it is.
    private static readonly Dictionary<string, (SplitPattern Pattern, bool WholePieces, bool Composed)> Patterns = new()
    {
        ["gpt-2"] = (SplitPattern.Gpt2, false, false),
        ["smollm"] = (SplitPattern.Gpt2Digits, false, false),
        ["llama-bpe"] = (SplitPattern.Cl100k, true, false),
        ["llama3"] = (SplitPattern.Cl100k, true, false),
        ["llama-v3"] = (SplitPattern.Cl100k, true, false),
        ["qwen2"] = (SplitPattern.Qwen2, false, true),
        ["gpt-4o"] = (SplitPattern.O200k, false, false),
        ["tekken"] = (SplitPattern.Tekken, true, false),
    };

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
        string[] tokens = metadata.Strings(Prefix + "tokens") ?? throw new BadFileException(metadata.Path, "the file has no vocabulary (tokenizer.ggml.tokens)");
        long[]? kinds = metadata.Integers(Prefix + "token_type");
        if (kinds is not null && kinds.Length != tokens.Length)
            throw new BadFileException(metadata.Path, $"{tokens.Length} tokens but {kinds.Length} token types");
        PieceKind[] known = [.. Enumerable.Range(0, tokens.Length).Select(id => kinds is null ? PieceKind.Normal : kinds[id] is >= 1 and <= 6 ? (PieceKind)kinds[id]
            : throw new BadFileException(metadata.Path, $"the token {id} is of unknown type {kinds[id]}"))];
        return metadata.String(Prefix + "model") switch
        {
            "llama" => Scored(metadata, tokens, known),
            "gpt2" => ByteLevel(metadata, tokens, known),
            var other => throw new BadFileException(metadata.Path, $"a vocabulary of kind {Quoted.Of(other ?? "")} (tokenizer.ggml.model) is not supported; 'llama' and 'gpt2' are"),
        };
    }

    private static SentencePieceTokenizer Scored(GgufMetadata metadata, string[] tokens, PieceKind[] kinds)
    {
        float[] scores = metadata.Floats(Prefix + "scores") ?? [];
        if (scores.Length != tokens.Length)
            throw new BadFileException(metadata.Path, $"{tokens.Length} tokens but {scores.Length} scores");
        Piece[] pieces = [.. tokens.Select((token, id) => new Piece(token, scores[id], kinds[id]))];
        int? begin = Id(metadata, "bos_token_id", tokens.Length);
        // A text that begins anew has ended, too: llama2.c's stories have no other end.
        int[] ends = [.. ((int?[])[Id(metadata, "eos_token_id", tokens.Length), Id(metadata, "eot_token_id", tokens.Length), begin]).OfType<int>().Distinct()];
        return SentencePieces.Create(pieces, metadata.Bool(Prefix + "add_bos_token") ?? true ? begin : null, ends,
            metadata.Bool(Prefix + "add_space_prefix") ?? true ? SpaceInFront.Always : SpaceInFront.Never, metadata.Bool(Prefix + "remove_extra_whitespaces") ?? false, metadata.Path);
    }

    private static ByteBpeTokenizer ByteLevel(GgufMetadata metadata, string[] tokens, PieceKind[] kinds)
    {
        string pre = metadata.String(Prefix + "pre") ?? (metadata.String("general.architecture") == "gpt2" ? "gpt-2" : "");
        if (!Patterns.TryGetValue(pre, out var form))
            throw new BadFileException(metadata.Path, $"the way to cut text {Quoted.Of(pre)} (tokenizer.ggml.pre) is not known; known are {string.Join(", ", Patterns.Keys)}");
        var table = new TokenTable(metadata.Path);
        for (int id = 0; id < tokens.Length; id++)
            table.Add(tokens[id], id);
        string[] rules = metadata.Strings(Prefix + "merges") ?? throw new BadFileException(metadata.Path, "the vocabulary has no merges (tokenizer.ggml.merges)");
        Merge[] merges = [.. rules.Select((rule, rank) => table.Merge(rule, rank, metadata.Path, $"merge {rank}"))];
        AddedToken[] added = [.. Enumerable.Range(0, tokens.Length).Where(id => kinds[id] is PieceKind.Control or PieceKind.Unknown or PieceKind.UserDefined)
            .Select(id => new AddedToken(tokens[id], id, kinds[id] != PieceKind.UserDefined))];
        var texts = added.ToDictionary(token => token.Id, token => System.Text.Encoding.UTF8.GetBytes(token.Text));
        byte[]?[] bytes = [.. Enumerable.Range(0, tokens.Length).Select(id => texts.TryGetValue(id, out var text) ? text : table.Bytes(id))];
        int? begin = Id(metadata, "bos_token_id", tokens.Length);
        int[] ends = [.. ((int?[])[Id(metadata, "eos_token_id", tokens.Length), Id(metadata, "eot_token_id", tokens.Length), Id(metadata, "eom_token_id", tokens.Length)]).OfType<int>()];
        bool beginsWith = metadata.Bool(Prefix + "add_bos_token") ?? form is { WholePieces: true };
        return new ByteBpeTokenizer(
            new BpeParts(new Vocabulary(bytes, texts.ContainsKey, metadata.Path), new MergeTable(merges), form.WholePieces, SentencePieces.Distinct(added, metadata.Path),
                beginsWith ? begin : null, [.. ends.Concat(TokenizerConfig.None.EndIds(added, tokens.Length)).Distinct()]),
            form.Pattern, form.Composed);
    }

    /// <summary>The id that a key names, or null; a number with all bits set also means none.</summary>
    private static int? Id(GgufMetadata metadata, string key, int tokens) => metadata.Integer(Prefix + key) switch
    {
        null or -1 or uint.MaxValue => null,
        >= 0 and var id when id < tokens => (int)id,
        var other => throw new BadFileException(metadata.Path, $"'{Prefix}{key}' is {other}, not among {tokens} tokens"),
    };
}
