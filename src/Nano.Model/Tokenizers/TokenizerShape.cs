using System.Text.Json;

namespace Nano;

/// <summary>What the components around the model in tokenizer.json come to.</summary>
/// <param name="Pattern">How byte-level BPE cuts text; null for SentencePiece's kind.</param>
/// <param name="Composed">Whether text is brought into normal form C.</param>
/// <param name="SpaceInFront">Where SentencePiece's kind puts a space.</param>
/// <param name="BeginId">The id that the post-processor puts first, or null.</param>
internal sealed record TokenizerShape(SplitPattern? Pattern, bool Composed, SpaceInFront SpaceInFront, int? BeginId)
{
    private const string SpaceSign = "\u2581";

    /// <summary>Reads the components.</summary>
    /// <exception cref="BadFileException">One is unknown, or they do not go together.</exception>
    public static TokenizerShape Of(JsonElement root, string path)
    {
        var splits = TokenizerComponent.All(root, "pre_tokenizer", "pretokenizers", path);
        var normalizers = TokenizerComponent.All(root, "normalizer", "normalizers", path);
        var decoders = TokenizerComponent.All(root, "decoder", "decoders", path);
        int? begin = BeginOf(TokenizerComponent.All(root, "post_processor", "processors", path));
        return splits.Any(split => split.Type == "ByteLevel") ? ByteLevel(splits, normalizers, decoders, begin) : SentencePiece(splits, normalizers, decoders, begin, path);
    }

    private static TokenizerShape ByteLevel(List<TokenizerComponent> splits, List<TokenizerComponent> normalizers, List<TokenizerComponent> decoders, int? begin)
    {
        foreach (var normalizer in normalizers)
            if (normalizer.Type != "NFC")
                throw Unknown(normalizer, "NFC");
        foreach (var decoder in decoders)
            if (decoder.Type != "ByteLevel")
                throw Unknown(decoder, "ByteLevel");
        var bytes = splits[^1];
        if (bytes.Type != "ByteLevel" || splits.Count > 2)
            throw bytes.Bad($"has type {Quoted.Of(bytes.Type)} after {splits.Count - 1} others; at most one component before ByteLevel, which ends the sequence, is supported");
        if (bytes.Flag("add_prefix_space", absent: true))
            throw bytes.Bad("has 'add_prefix_space', which is not supported");
        bool ownPattern = bytes.Flag("use_regex", absent: true);
        var before = splits.Count == 2 ? splits[0] : null;
        SplitPattern pattern;
        if (before is null && ownPattern)
            pattern = SplitPattern.Gpt2;
        else if (before?.Type == "Digits" && before.Flag("individual_digits") && ownPattern)
            pattern = SplitPattern.Gpt2Digits;
        else if (before?.Type == "Split" && !ownPattern)
            pattern = OfSplit(before);
        else
            throw (before ?? bytes).Bad($"is {Quoted.Of((before ?? bytes).Json.GetRawText())}; supported are ByteLevel alone, after Digits (individual), or without its own regex after Split");
        return new TokenizerShape(pattern, normalizers.Count > 0, SpaceInFront.Never, begin);
    }

    private static SplitPattern OfSplit(TokenizerComponent split)
    {
        string behavior = split.Text("behavior") ?? "Isolated";
        bool pieces = split.Flag("invert") ? behavior == "Removed" : behavior == "Isolated"; // the patterns match every character, so both mean the matches
        if (!pieces)
            throw split.Bad($"splits with behavior {Quoted.Of(behavior)}, which is not supported");
        string regex = split.Pattern("Regex") ?? throw split.Bad("has no pattern that is a regular expression");
        return SplitPattern.OfRegex(regex) ?? throw split.Bad($"splits by a regular expression that is not known here: {regex}");
    }

    private static TokenizerShape SentencePiece(List<TokenizerComponent> splits, List<TokenizerComponent> normalizers, List<TokenizerComponent> decoders, int? begin, string path)
    {
        bool spaces = false;
        var front = SpaceInFront.Never;
        foreach (var normalizer in normalizers)
        {
            if (normalizer.Type == "Prepend" && normalizer.Text("prepend") == SpaceSign && !spaces)
                front = SpaceInFront.Always;
            else if (normalizer.Type == "Replace" && normalizer.Pattern("String") == " " && normalizer.Text("content") == SpaceSign)
                spaces = true;
            else
                throw normalizer.Bad($"is {Quoted.Of(normalizer.Json.GetRawText())}; supported are NFC with ByteLevel, or Prepend and Replace of spaces by {SpaceSign}");
        }
        foreach (var split in splits)
        {
            if (split.Type != "Metaspace")
                throw Unknown(split, "ByteLevel, Split and Digits before it, Metaspace");
            if ((split.Text("replacement") ?? SpaceSign) != SpaceSign || split.Flag("split", absent: true) || spaces)
                throw split.Bad($"is {Quoted.Of(split.Json.GetRawText())}; supported is Metaspace with {SpaceSign} and split false");
            spaces = true;
            front = (split.Text("prepend_scheme") ?? (split.Flag("add_prefix_space", absent: true) ? "always" : "never")) switch
            {
                "always" => SpaceInFront.Always,
                "first" => SpaceInFront.First,
                "never" => SpaceInFront.Never,
                var other => throw split.Bad($"has the unknown prepend_scheme {Quoted.Of(other)}"),
            };
        }
        if (!spaces)
            throw new BadFileException(path, "there is neither a pre_tokenizer ByteLevel nor anything that turns spaces into " + SpaceSign + ": this kind of BPE is not supported");
        foreach (var decoder in decoders)
            if (decoder.Type is not ("Replace" or "ByteFallback" or "Fuse" or "Strip" or "Metaspace"))
                throw Unknown(decoder, "ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace");
        return new TokenizerShape(null, false, front, begin);
    }

    /// <summary>The special token that a template puts before the text.</summary>
    private static int? BeginOf(List<TokenizerComponent> processors)
    {
        int? begin = null;
        foreach (var processor in processors)
        {
            if (processor.Type == "ByteLevel")
                continue;
            if (processor.Type != "TemplateProcessing")
                throw Unknown(processor, "ByteLevel, TemplateProcessing");
            if (!processor.Json.TryGetProperty("single", out var single) || single.ValueKind != JsonValueKind.Array)
                throw processor.Bad("has no array 'single'");
            JsonElement[] parts = [.. single.EnumerateArray()];
            bool wellFormed = parts.Length is 1 or 2 && parts.All(part => part.ValueKind == JsonValueKind.Object) && parts[^1].TryGetProperty("Sequence", out _);
            if (!wellFormed || (parts.Length == 2 && !parts[0].TryGetProperty("SpecialToken", out _)))
                throw processor.Bad($"has the template {Quoted.Of(single.GetRawText())}; supported is the text with at most one special token before it");
            if (parts.Length == 2)
                begin = IdOf(processor, parts[0].GetProperty("SpecialToken"));
        }
        return begin;
    }

    private static int IdOf(TokenizerComponent processor, JsonElement reference)
    {
        string name = new TokenizerComponent(processor.Where, reference, processor.Path).Text("id") ?? throw processor.Bad("names no special token");
        return processor.Json.TryGetProperty("special_tokens", out var table) && table.ValueKind == JsonValueKind.Object && table.TryGetProperty(name, out var token)
            && token.ValueKind == JsonValueKind.Object && token.TryGetProperty("ids", out var ids) && ids.ValueKind == JsonValueKind.Array && ids.GetArrayLength() == 1
            && ids[0].ValueKind == JsonValueKind.Number && ids[0].TryGetInt32(out int id) && id >= 0 ? id : throw processor.Bad($"does not give the id of {Quoted.Of(name)}");
    }

    private static BadFileException Unknown(TokenizerComponent component, string known) => component.Bad($"has the type {Quoted.Of(component.Type)}, which is not supported here; known: {known}");
}
