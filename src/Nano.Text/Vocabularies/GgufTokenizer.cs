namespace Nano;

/// <summary>
/// Writes a tokenizer into GGUF metadata (keys tokenizer.ggml.*), as llama.cpp's converters do and
/// <see cref="GgufVocabulary"/> reads it.
/// </summary>
internal static class GgufTokenizer
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>The reason why a tokenizer cannot be written as GGUF, or null.</summary>
    public static string? Refusal(ITokenizer tokenizer) => tokenizer switch
    {
        ByteBpeTokenizer bytes => GgufRules.NameOf(bytes) is null
            ? $"GGUF has no name for its way to cut text ({bytes.Pattern.Name})" : null,
        SentencePieceTokenizer { Rules.SpaceInFront: SpaceInFront.First } =>
            "it puts a space in front of the text but not behind special tokens, which GGUF cannot say",
        SentencePieceTokenizer => null,
        PipelineTokenizer => "GGUF has no form for all that its tokenizer.json says",
        _ => "GGUF has no vocabularies of characters",
    };

    /// <summary>
    /// Adds the keys. A model with more rows than the tokenizer has tokens gets unused ones, since
    /// there must be one for each row.
    /// </summary>
    /// <param name="tokenizer">One without a <see cref="Refusal"/>.</param>
    /// <param name="rows">The model's vocabulary.</param>
    /// <param name="metadata">The metadata to add to.</param>
    public static void Write(ITokenizer tokenizer, int rows, GgufMetadata metadata)
    {
        var parts = ((BpeTokenizer)tokenizer).Parts;
        var (tokens, kinds) = tokenizer is ByteBpeTokenizer ? Bytes(parts) : Pieces((SentencePieceTokenizer)tokenizer);
        string[] padded = [.. tokens, .. Enumerable.Range(tokens.Length, rows - tokens.Length).Select(id => "")];
        int[] types = [.. kinds.Select(kind => (int)kind), .. new int[rows - tokens.Length]];
        for (int id = 0; id < rows; id++)
            if (padded[id].Length == 0)
                (padded[id], types[id]) = ($"[PAD{id}]", (int)PieceKind.Unused);
        metadata.Set(Prefix + "model", tokenizer is ByteBpeTokenizer ? "gpt2" : "llama");
        metadata.Set(Prefix + "pre", tokenizer is ByteBpeTokenizer bytes ? GgufRules.NameOf(bytes)! : "default");
        metadata.Set(Prefix + "tokens", padded);
        if (tokenizer is SentencePieceTokenizer pieces)
        {
            metadata.Set(Prefix + "scores", Scores(parts, rows));
            metadata.Set(Prefix + "add_space_prefix", pieces.Rules.SpaceInFront != SpaceInFront.Never);
            metadata.Set(Prefix + "remove_extra_whitespaces", pieces.Rules.SingleSpaces);
        }
        else
            metadata.Set(Prefix + "merges",
                [.. parts.Merges.InOrder().Select(merge => $"{tokens[merge.Left]} {tokens[merge.Right]}")]);
        metadata.Set(Prefix + "token_type", types);
        metadata.Set(Prefix + "add_bos_token", tokenizer.BeginId is not null);
        if (tokenizer.BeginId is { } begin)
            metadata.Set(Gguf.BosKey, (uint)begin);
        if (!metadata.Has(Gguf.EosKey) && tokenizer.EndIds.Any(id => id != tokenizer.BeginId))
            metadata.Set(Gguf.EosKey, (uint)tokenizer.EndIds.First(id => id != tokenizer.BeginId));
    }

    private static (string[] Tokens, PieceKind[] Kinds) Bytes(BpeParts parts)
    {
        var tokens = new string[parts.Vocabulary.Count];
        var kinds = new PieceKind[tokens.Length];
        for (int id = 0; id < tokens.Length; id++)
            (tokens[id], kinds[id]) = (ByteAlphabet.ToText(parts.Vocabulary[id].ToArray()), PieceKind.Normal);
        foreach (AddedToken token in parts.Added.Tokens)
            (tokens[token.Id], kinds[token.Id]) = (token.Text, token.Special ? PieceKind.Control
                : PieceKind.UserDefined);
        return (tokens, kinds);
    }

    private static (string[] Tokens, PieceKind[] Kinds) Pieces(SentencePieceTokenizer tokenizer)
    {
        var (parts, rules) = (tokenizer.Parts, tokenizer.Rules);
        var tokens = new string[parts.Vocabulary.Count];
        var kinds = new PieceKind[tokens.Length];
        for (int id = 0; id < tokens.Length; id++)
            (tokens[id], kinds[id]) = (System.Text.Encoding.UTF8.GetString(parts.Vocabulary[id])
                .Replace(' ', SentencePieceTokenizer.SpaceSign),
                rules.UserDefined.Count > id && rules.UserDefined[id] is not null ? PieceKind.UserDefined
                    : PieceKind.Normal);
        foreach (int b in Enumerable.Range(0, 256).Where(b => rules.ByteIds?[b] >= 0))
            (tokens[rules.ByteIds![b]], kinds[rules.ByteIds[b]]) = ($"<0x{b:X2}>", PieceKind.Byte);
        foreach (AddedToken token in parts.Added.Tokens)
            (tokens[token.Id], kinds[token.Id]) = (token.Text, token.Id == rules.UnknownId ? PieceKind.Unknown
                : PieceKind.Control);
        return (tokens, kinds);
    }

    /// <summary>Scores that put merges in the order of their ranks; what no merge makes has the lowest.</summary>
    private static float[] Scores(BpeParts parts, int rows)
    {
        var scores = new float[rows];
        Array.Fill(scores, -parts.Merges.RankCount);
        foreach (Merge merge in parts.Merges.InOrder())
            scores[merge.Id] = -merge.Rank;
        return scores;
    }
}
