using System.Text;

namespace Nano;

/// <summary>
/// Finds the documents for which <see cref="ByteBpeTokenizer"/> or <see cref="SentencePieceTokenizer"/> makes the ids
/// that running the steps one by one makes, in less time.
/// </summary>
internal static class FastForm
{
    private const char Sign = SentencePieceTokenizer.SpaceSign;
    private const int MaxPairs = 1 << 18;

    /// <summary>The faster tokenizer of a document, or null.</summary>
    /// <param name="pipeline">The document.</param>
    /// <param name="beginId">The id in front of a prompt, or null.</param>
    /// <param name="endIds">The ids that end a text.</param>
    /// <param name="path">The file to name.</param>
    public static BpeTokenizer? Of(Pipeline pipeline, int? beginId, IReadOnlyList<int> endIds, string path)
    {
        if (pipeline.Model is not BpeModel { Options: { Prefix: "", Suffix: "" } options } model
            || !HasPlainTokens(pipeline))
            return null;
        var added = new AddedTokens([.. pipeline.Added.Tokens]);
        if (PatternOf(pipeline) is { } pattern && IsByteLevel(pipeline, model, pattern))
        {
            var tokens = Bytes(pipeline, (id, token) => ByteAlphabet.ToBytes(token)!);
            var vocabulary = new Vocabulary(tokens, pipeline.Added.Entries.ContainsKey, path);
            var parts = new BpeParts(vocabulary, model.Table, options.WholePieces, added, beginId, endIds);
            return new ByteBpeTokenizer(parts, pattern, composed: pipeline.Normalizers.Count > 0);
        }
        return SpaceOf(pipeline) is { } space && IsSentencePiece(pipeline, model)
            ? SentencePiece(pipeline, model, space, added, beginId, endIds, path) : null;
    }

    /// <summary>
    /// True if each id has one text, and all added tokens are plain: found in one way, without
    /// further conditions.
    /// </summary>
    private static bool HasPlainTokens(Pipeline pipeline)
    {
        var (vocabulary, added) = (pipeline.Model.Vocabulary, pipeline.Added);
        return vocabulary.Count == Enumerable.Range(0, vocabulary.IdEnd).Count(id => vocabulary[id] is not null)
            && vocabulary.Find("") < 0
            && added.Tokens.Count == added.Entries.Count
            && added.Entries.All(of => (vocabulary[of.Key] ?? of.Value.Content) == of.Value.Content
                && of.Value is { SingleWord: false, StripLeft: false, StripRight: false, Content.Length: > 2 })
            && (!added.Entries.Values.Any(entry => entry.Normalized)
                || (pipeline.Normalizers.Count == 0 && AreApart(added.Entries.Values)));
    }

    /// <summary>
    /// True if no added token that is found first can share characters with one that is found in
    /// the remaining text.
    /// </summary>
    private static bool AreApart(IEnumerable<AddedEntry> entries)
    {
        var kinds = entries.ToLookup(entry => entry.Normalized, entry => entry.Content);
        return (long)kinds[true].Count() * kinds[false].Count() <= MaxPairs
            && !kinds[true].Any(first => kinds[false].Any(second => Share(first, second) || Share(second, first)));

        static bool Share(string first, string second) => first.Contains(second, StringComparison.Ordinal)
            || Enumerable.Range(1, Math.Min(first.Length, second.Length)).Any(length =>
                first.AsSpan()[^length..].SequenceEqual(second.AsSpan(0, length)));
    }

    private static SplitPattern? PatternOf(Pipeline pipeline) => pipeline.PreTokenizers switch
    {
        [ByteLevelPreTokenizer { PrefixSpace: false, Cuts: true }] => SplitPattern.Gpt2,
        [var digits, ByteLevelPreTokenizer { PrefixSpace: false, Cuts: true }]
            when digits == CharacterPreTokenizer.SingleDigits => SplitPattern.Gpt2Digits,
        [SplitPreTokenizer { Known: { } known }, ByteLevelPreTokenizer { PrefixSpace: false, Cuts: false }] => known,
        _ => null,
    };

    private static bool IsByteLevel(Pipeline pipeline, BpeModel model, SplitPattern pattern)
    {
        if (pipeline.Normalizers is not ([] or [FormNormalizer { IsC: true }])
            || pipeline.Decoders is not [ByteLevelDecoder])
            return false;
        // A byte without a token is an error there, and here too where nothing else takes its place.
        bool complete = Enumerable.Range(0, 256).All(b =>
            b is 0xC0 or 0xC1 or >= 0xF5 || model.Vocabulary.Find(ByteAlphabet.ToText([(byte)b])) >= 0);
        var splitter = pattern.NewSplitter();
        return (complete || (model.Options.Unknown is null && !model.Options.ByteFallback))
            && model.Vocabulary.All.All(of =>
                pipeline.Added.Entries.ContainsKey(of.Value) || ByteAlphabet.ToBytes(of.Key) is not null)
            && pipeline.Added.Entries.Values.All(token =>
                IsItself(token.Content) && (!model.Options.WholePieces || !token.Special || IsCut(token.Content)));

        static bool IsItself(string token) =>
            ByteAlphabet.ToBytes(token) is not { } bytes || bytes.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(token));
        bool IsCut(string token) => splitter.Next(Encoding.UTF8.GetBytes(token), 0) < Encoding.UTF8.GetByteCount(token);
    }

    private static SpaceInFront? SpaceOf(Pipeline pipeline)
    {
        SpaceInFront? space = (pipeline.Normalizers, pipeline.PreTokenizers) switch
        {
            ([PrependNormalizer { Content: "\u2581" }, ReplaceNormalizer spaces], [])
                when IsReplace(spaces, " ", "\u2581") => SpaceInFront.Always,
            ([ReplaceNormalizer spaces], []) when IsReplace(spaces, " ", "\u2581") => SpaceInFront.Never,
            ([], [MetaspacePreTokenizer { Replacement: Sign, Scheme: PrependScheme.First, Split: false }]) =>
                SpaceInFront.First,
            ([], [MetaspacePreTokenizer { Replacement: Sign, Scheme: PrependScheme.Never, Split: false }]) =>
                SpaceInFront.Never,
            _ => null,
        };
        bool decodes = pipeline.Decoders switch
        {
            [ReplaceDecoder signs, ByteFallbackDecoder, FuseDecoder] =>
                space == SpaceInFront.Never && IsReplace(signs.Replace, "\u2581", " "),
            [ReplaceDecoder signs, ByteFallbackDecoder, FuseDecoder, StripDecoder strip] =>
                space != SpaceInFront.Never && IsReplace(signs.Replace, "\u2581", " ")
                && strip.Parameters == (new Rune(' '), 1, 0),
            _ => false,
        };
        return decodes ? space : null;
    }

    private static bool IsReplace(ReplaceNormalizer replace, string from, string to) =>
        replace.Pattern.Literal == from && replace.Content == to;

    private static bool IsSentencePiece(Pipeline pipeline, BpeModel model)
    {
        int[] byteIds = UnigramModel.BytesOf(model.Vocabulary);
        int unknown = UnknownId(model);
        HashSet<int> apart = [.. byteIds, .. pipeline.Added.Entries.Keys, unknown];
        return model.Options is { ByteFallback: true, WholePieces: false } && !byteIds.Contains(-1)
            && (model.Options.Unknown is null || unknown >= 0)
            && !pipeline.Added.Entries.Keys.Any(byteIds.Contains)
            && !model.Merges.Any(merge =>
                apart.Contains(merge.Left) || apart.Contains(merge.Right) || apart.Contains(merge.Id))
            && !model.Vocabulary.All.Any(of =>
                of.Key.Contains(' ', StringComparison.Ordinal) && !apart.Contains(of.Value));
    }

    private static SentencePieceTokenizer SentencePiece(Pipeline pipeline, BpeModel model, SpaceInFront space,
        AddedTokens added, int? beginId, IReadOnlyList<int> endIds, string path)
    {
        int unknown = UnknownId(model);
        int[] byteIds = UnigramModel.BytesOf(model.Vocabulary);
        HashSet<int> bytes = [.. byteIds];
        var tokens = Bytes(pipeline, (id, token) =>
            SentencePieces.BytesOf(new Piece(token, 0, bytes.Contains(id) ? PieceKind.Byte : PieceKind.Normal)));
        foreach (var (id, entry) in pipeline.Added.Entries)
        {
            var kind = entry.Special ? PieceKind.Control : PieceKind.Normal;
            tokens[id] = SentencePieces.BytesOf(new Piece(entry.Content, 0, kind));
        }
        if (unknown >= 0)
            tokens[unknown] = SentencePieces.BytesOf(new Piece("", 0, PieceKind.Unknown));
        bool IsHidden(int id) => id == unknown || bytes.Contains(id) || pipeline.Added.Entries.ContainsKey(id);
        var vocabulary = new Vocabulary(tokens, IsHidden, path);
        var parts = new BpeParts(vocabulary, model.Table, WholePieces: false, added, beginId, endIds);
        var rules = new SentencePieceRules(byteIds, unknown, space, SingleSpaces: false, []);
        return new SentencePieceTokenizer(parts, rules);
    }

    private static int UnknownId(BpeModel model) =>
        model.Options.Unknown is { } text ? model.Vocabulary.Find(text) : -1;

    /// <summary>The bytes of each id; those of an added token are its text.</summary>
    private static byte[]?[] Bytes(Pipeline pipeline, Func<int, string, byte[]> bytesOf) =>
        [.. Enumerable.Range(0, pipeline.VocabSize).Select(id =>
            pipeline.Added.Entries.TryGetValue(id, out var entry) ? Encoding.UTF8.GetBytes(entry.Content)
            : pipeline.Model.Vocabulary[id] is { } token ? bytesOf(id, token) : null)];
}
