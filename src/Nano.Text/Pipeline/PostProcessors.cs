using System.Text.Json;

namespace Nano;

/// <summary>
/// Reads the post-processors of tokenizer.json, of which one thing counts here: the id in front of a text. What they
/// put after a text has no place after a prompt, which the model continues.
/// </summary>
internal static class PostProcessors
{
    /// <summary>
    /// The one id that all of them together put in front of a text; null for none, or where there are several.
    /// </summary>
    /// <exception cref="BadFileException">A post-processor is unknown or malformed.</exception>
    public static int? BeginOf(IEnumerable<TokenizerComponent> processors)
    {
        var ids = new List<int>();
        foreach (var processor in processors)
            ids.AddRange(processor.Type switch
            {
                "ByteLevel" => [],
                "TemplateProcessing" => Template(processor),
                "BertProcessing" or "RobertaProcessing" => [Pair(processor, "cls")],
                var other => throw processor.Unsupported(
                    $"has the type {Quoted.Of(other)}, which is not supported here; "
                    + "known: ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing, Sequence"),
            });
        return ids.Count == 1 ? ids[0] : null;
    }

    private static List<int> Template(TokenizerComponent processor)
    {
        if (!processor.Json.TryGetProperty("single", out var single) || single.ValueKind != JsonValueKind.Array)
            throw processor.Bad("has no array 'single'");
        var ids = new List<int>();
        bool text = false;
        foreach (var part in single.EnumerateArray())
        {
            if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("Sequence", out _))
                text = true;
            else if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty("SpecialToken", out var token))
                ids.AddRange(text ? [] : Ids(processor, token));
            else
                throw processor.Bad($"has the template {Quoted.Of(single.GetRawText())}, "
                    + "of which a part is neither a Sequence nor a SpecialToken");
        }
        return text ? ids
            : throw processor.Bad($"has the template {Quoted.Of(single.GetRawText())}, in which there is no text");
    }

    private static IEnumerable<int> Ids(TokenizerComponent processor, JsonElement reference)
    {
        string name = new TokenizerComponent(processor.Where, reference, processor.Path).Text("id")
            ?? throw processor.Bad("names no special token");
        if (!processor.Json.TryGetProperty("special_tokens", out var table) || table.ValueKind != JsonValueKind.Object
            || !table.TryGetProperty(name, out var token) || token.ValueKind != JsonValueKind.Object
            || !token.TryGetProperty("ids", out var ids) || ids.ValueKind != JsonValueKind.Array)
            throw processor.Bad($"does not give the id of {Quoted.Of(name)}");
        foreach (var element in ids.EnumerateArray())
            yield return IsId(element, out int id) ? id
                : throw processor.Bad($"does not give the id of {Quoted.Of(name)}");
    }

    private static int Pair(TokenizerComponent processor, string key) =>
        processor.Json.TryGetProperty(key, out var pair) && pair.ValueKind == JsonValueKind.Array
            && pair.GetArrayLength() == 2 && IsId(pair[1], out int id) ? id
            : throw processor.Bad($"has no '{key}' with a token and its id");

    private static bool IsId(JsonElement element, out int id)
    {
        id = -1;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out id) && id >= 0;
    }
}
