using System.Text;

namespace Nano;

/// <summary>Makes the steps of a <see cref="Pipeline"/> of the components of tokenizer.json.</summary>
internal static class StepReader
{
    private const string NormalizerNames =
        "NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, BertNormalizer, Nmt, Precompiled, "
        + "ByteLevel, Sequence";

    private const string PreTokenizerNames =
        "ByteLevel, Metaspace, Whitespace, WhitespaceSplit, BertPreTokenizer, Punctuation, Digits, CharDelimiterSplit, "
        + "Split, FixedLength, Sequence";

    private const string DecoderNames =
        "ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece, BPEDecoder, CTC, Sequence";

    /// <summary>The steps of a normalizer.</summary>
    /// <exception cref="BadFileException">It is unknown or malformed.</exception>
    public static IEnumerable<TextNormalizer> Normalizer(TokenizerComponent component) => component.Type switch
    {
        "NFC" => [new FormNormalizer(compatible: false, composed: true)],
        "NFD" => [new FormNormalizer(compatible: false, composed: false)],
        "NFKC" => [new FormNormalizer(compatible: true, composed: true)],
        "NFKD" => [new FormNormalizer(compatible: true, composed: false)],
        "Lowercase" => [CharacterNormalizer.Lowercase],
        "StripAccents" => [CharacterNormalizer.StripAccents],
        "Strip" =>
        [
            new StripNormalizer(
                component.Flag("strip_left", absent: true), component.Flag("strip_right", absent: true)),
        ],
        "Replace" => [new ReplaceNormalizer(TextPattern.Of(component), Needed(component, "content"))],
        "Prepend" => [new PrependNormalizer(Needed(component, "prepend"))],
        "BertNormalizer" => Bert(component),
        "Nmt" => [CharacterNormalizer.Nmt],
        "Precompiled" => [new PrecompiledNormalizer(component)],
        "ByteLevel" => [CharacterNormalizer.Bytes],
        _ => throw Unknown(component, NormalizerNames),
    };

    /// <summary>The steps of a pre-tokenizer.</summary>
    /// <exception cref="BadFileException">It is unknown or malformed.</exception>
    public static IEnumerable<PreTokenizer> PreTokenizer(TokenizerComponent component) => component.Type switch
    {
        "ByteLevel" => [new ByteLevelPreTokenizer(
            component.Flag("add_prefix_space", absent: true), component.Flag("use_regex", absent: true))],
        "Metaspace" =>
            [new MetaspacePreTokenizer(Sign(component), Scheme(component), component.Flag("split", absent: true))],
        "Whitespace" => [new WhitespacePreTokenizer()],
        "WhitespaceSplit" => [new CharacterPreTokenizer(CharacterSets.IsWhiteSpace, SplitBehavior.Removed)],
        "BertPreTokenizer" =>
        [
            new CharacterPreTokenizer(CharacterSets.IsWhiteSpace, SplitBehavior.Removed),
            new CharacterPreTokenizer(CharacterSets.IsPunctuation, SplitBehavior.Isolated),
        ],
        "Punctuation" => [new CharacterPreTokenizer(CharacterSets.IsPunctuation, Behavior(component))],
        "Digits" =>
            [component.Flag("individual_digits") ? CharacterPreTokenizer.SingleDigits : CharacterPreTokenizer.Digits],
        "CharDelimiterSplit" => [Delimiter(component)],
        "Split" => [new SplitPreTokenizer(TextPattern.Of(component), Behavior(component), component.Flag("invert"))],
        "FixedLength" => [new FixedLengthPreTokenizer(Length(component))],
        _ => throw Unknown(component, PreTokenizerNames),
    };

    /// <summary>The step of a decoder.</summary>
    /// <param name="component">The decoder.</param>
    /// <param name="fused">Whether the steps before it have joined the tokens.</param>
    /// <exception cref="BadFileException">It is unknown or malformed.</exception>
    public static TokenDecoder Decoder(TokenizerComponent component, bool fused) => component.Type switch
    {
        "ByteLevel" => new ByteLevelDecoder(),
        "ByteFallback" => new ByteFallbackDecoder(),
        "Fuse" => new FuseDecoder(),
        "Replace" => new ReplaceDecoder(TextPattern.Of(component), Needed(component, "content")),
        "Strip" => new StripDecoder(
            Character(component, "content"), Count(component, "start"), Count(component, "stop"), fused),
        "Metaspace" => new MetaspaceDecoder(Sign(component), Scheme(component)),
        "WordPiece" => new WordPieceDecoder(component.Text("prefix") ?? "##", component.Flag("cleanup", absent: true)),
        "BPEDecoder" => new SuffixDecoder(component.Text("suffix") ?? "</w>"),
        "CTC" => new CtcDecoder(component.Text("pad_token") ?? "<pad>",
            component.Text("word_delimiter_token") ?? "|", component.Flag("cleanup", absent: true)),
        _ => throw Unknown(component, DecoderNames),
    };

    private static List<TextNormalizer> Bert(TokenizerComponent component)
    {
        var steps = new List<TextNormalizer>();
        bool lowercase = component.Flag("lowercase", absent: true);
        if (component.Flag("clean_text", absent: true))
            steps.Add(CharacterNormalizer.Clean);
        if (component.Flag("handle_chinese_chars", absent: true))
            steps.Add(CharacterNormalizer.SpaceIdeographs);
        if (component.Flag("strip_accents", absent: lowercase))
            steps.AddRange([new FormNormalizer(compatible: false, composed: false),
                CharacterNormalizer.StripNonspacing]);
        if (lowercase)
            steps.Add(CharacterNormalizer.Lowercase);
        return steps;
    }

    private static CharacterPreTokenizer Delimiter(TokenizerComponent component)
    {
        var delimiter = Character(component, "delimiter");
        return new CharacterPreTokenizer(c => c == delimiter, SplitBehavior.Removed);
    }

    private static SplitBehavior Behavior(TokenizerComponent component) =>
        (component.Text("behavior") ?? "Isolated") switch
        {
            "Removed" => SplitBehavior.Removed,
            "Isolated" => SplitBehavior.Isolated,
            "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
            "MergedWithNext" => SplitBehavior.MergedWithNext,
            "Contiguous" => SplitBehavior.Contiguous,
            var other => throw component.Unsupported($"has the unknown behavior {Quoted.Of(other)}"),
        };

    private static char Sign(TokenizerComponent component) =>
        component.Text("replacement") is not { } text ? SentencePieceTokenizer.SpaceSign
        : text.Length == 1 ? text[0]
        : throw component.Unsupported(
            $"has the replacement {Quoted.Of(text)}, which is not one character up to U+FFFF");

    private static PrependScheme Scheme(TokenizerComponent component)
    {
        bool? old = component.Has("add_prefix_space") ? component.Flag("add_prefix_space") : null;
        var scheme = component.Text("prepend_scheme") switch
        {
            null => old == false ? PrependScheme.Never : PrependScheme.Always,
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            var other => throw component.Unsupported($"has the unknown prepend_scheme {Quoted.Of(other)}"),
        };
        return old == false && scheme != PrependScheme.Never
            ? throw component.Bad("has add_prefix_space false, which its prepend_scheme contradicts") : scheme;
    }

    private static int Length(TokenizerComponent component) => !component.Has("length") ? 5
        : component.Number("length") is > 0 and var length ? length
            : throw component.Bad("has a length that is not positive");

    private static int Count(TokenizerComponent component, string key) =>
        component.Number(key) is >= 0 and var count ? count : throw component.Bad($"has a negative '{key}'");

    private static Rune Character(TokenizerComponent component, string key) =>
        component.Text(key) is { } text
            && Rune.DecodeFromUtf16(text, out Rune c, out int used) == System.Buffers.OperationStatus.Done
            && used == text.Length ? c
            : throw component.Bad($"has a '{key}' that is not one character");

    private static string Needed(TokenizerComponent component, string key) =>
        component.Text(key) ?? throw component.Bad($"has no text '{key}'");

    private static BadFileException Unknown(TokenizerComponent component, string known) =>
        component.Unsupported($"has the type {Quoted.Of(component.Type)}, which is not supported here; known: {known}");
}
