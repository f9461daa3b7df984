using System.Text.Json;

namespace Nano;

/// <summary>All that a tokenizer.json says, each part as something that runs.</summary>
/// <param name="Added">The tokens that are found in the text before anything else.</param>
/// <param name="Normalizers">The normalizers, in order.</param>
/// <param name="PreTokenizers">The pre-tokenizers, in order.</param>
/// <param name="Model">The model that encodes pieces.</param>
/// <param name="Decoders">The decoders, in order; null if tokens are joined by spaces.</param>
/// <param name="TemplateBegin">The id that the post-processor puts in front of a text, or null.</param>
internal sealed record Pipeline(
    AddedVocabulary Added, IReadOnlyList<TextNormalizer> Normalizers, IReadOnlyList<PreTokenizer> PreTokenizers,
    TokenModel Model,
    IReadOnlyList<TokenDecoder>? Decoders, int? TemplateBegin)
{
    private const int MaxSteps = 64;

    private static readonly string[] Keys =
        ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
        "decoder", "model"];

    /// <summary>V: one more than the highest id.</summary>
    public int VocabSize => Math.Max(Model.Vocabulary.IdEnd, Added.IdEnd);

    /// <summary>The text of an id, or null where it is not used.</summary>
    public string? TokenOf(int id) => Added.TextOf(id) ?? Model.Vocabulary[id];

    /// <summary>Reads a document.</summary>
    /// <exception cref="BadFileException">It is malformed, or has something in it that is not supported.</exception>
    public static Pipeline Read(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new BadFileException(path, "the top level is not a JSON object");
        TokenizerComponent.CheckKeys(root, "", Keys, path);
        var model = ModelReader.Read(root, path);
        List<TextNormalizer> normalizers =
            [.. Steps(root, "normalizer", "normalizers", path).SelectMany(StepReader.Normalizer)];
        List<PreTokenizer> cuts =
            [.. Steps(root, "pre_tokenizer", "pretokenizers", path).SelectMany(StepReader.PreTokenizer)];
        bool joins = !root.TryGetProperty("decoder", out var decoder) || decoder.ValueKind == JsonValueKind.Null;
        List<TokenDecoder>? decoders = joins ? null : [];
        bool fused = false;
        foreach (var component in Steps(root, "decoder", "decoders", path))
        {
            decoders!.Add(StepReader.Decoder(component, fused));
            fused |= decoders[^1] is FuseDecoder;
        }
        int? begin = PostProcessors.BeginOf(Steps(root, "post_processor", "processors", path));
        var added = new AddedVocabulary(ModelReader.Added(root, model.Vocabulary, path), model.Vocabulary,
            text => Normalize(normalizers, TextPiece.Of(text, first: false)).Span.ToString());
        return new Pipeline(added, normalizers, cuts, model, decoders, begin);
    }

    /// <summary>Changes a whole text.</summary>
    public static TextPiece Normalize(IReadOnlyList<TextNormalizer> normalizers, TextPiece text)
    {
        long limit = PieceBuilder.Limit(text.Length);
        foreach (var normalizer in normalizers)
        {
            text = normalizer.Apply(text);
            CheckLength(text.Length, limit);
        }
        return text;
    }

    /// <summary>Refuses text that has grown beyond bounds.</summary>
    /// <exception cref="NanoException">It has.</exception>
    public static void CheckLength(long length, long limit)
    {
        if (length > limit)
            throw new NanoException($"the tokenizer makes more than {limit} characters of a text much shorter",
                "is its tokenizer.json as it was published?");
    }

    private static List<TokenizerComponent> Steps(JsonElement root, string key, string listKey, string path)
    {
        var all = TokenizerComponent.All(root, key, listKey, path);
        return all.Count <= MaxSteps ? all
            : throw new BadFileException(path, $"'{key}' has {all.Count} steps, more than {MaxSteps}");
    }
}
