using System.Text.Json;

namespace Nano;

/// <summary>One JSON object with a type in tokenizer.json.</summary>
/// <param name="Where">Its name in errors.</param>
/// <param name="Json">The object.</param>
/// <param name="Path">The file.</param>
internal sealed record TokenizerComponent(string Where, JsonElement Json, string Path)
{
    /// <summary>Its type.</summary>
    public string Type => Text("type") ?? throw Bad("has no type");

    /// <summary>The components that a key of an object holds: none for null, those of a sequence one by one.</summary>
    public static List<TokenizerComponent> All(JsonElement root, string key, string listKey, string path)
    {
        var all = new List<TokenizerComponent>();
        if (root.TryGetProperty(key, out var found) && found.ValueKind != JsonValueKind.Null)
            Add(new TokenizerComponent($"'{key}'", found, path));
        return all;

        void Add(TokenizerComponent component)
        {
            if (component.Type != "Sequence")
            {
                all.Add(component);
                return;
            }
            if (!component.Json.TryGetProperty(listKey, out var list) || list.ValueKind != JsonValueKind.Array)
                throw component.Bad($"is a sequence without an array '{listKey}'");
            foreach (var element in list.EnumerateArray())
                Add(new TokenizerComponent($"'{key}[{all.Count}]'", element, path));
        }
    }

    /// <summary>Refuses keys that are not listed.</summary>
    public static void CheckKeys(JsonElement json, string prefix, string[] known, string path)
    {
        foreach (var property in json.EnumerateObject())
            if (!known.Contains(property.Name))
                throw new BadFileException(path,
                    $"the key {Quoted.Of(prefix + property.Name)} is unknown here")
                { IsUnsupported = true };
    }

    /// <summary>True if a key exists and is not null.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>A string, or null if the key is absent or null.</summary>
    public string? Text(string key) => Find(key) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Bad($"has a '{key}' that is not a text: {Quoted.Of(value.GetRawText())}");

    /// <summary>A truth value.</summary>
    public bool Flag(string key, bool absent = false) => Find(key) is not { } value ? absent
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw Bad($"has a '{key}' that is neither true nor false: {Quoted.Of(value.GetRawText())}");

    /// <summary>A whole number that must be there.</summary>
    public int Number(string key) => Find(key) is { ValueKind: JsonValueKind.Number } value
        && value.TryGetInt32(out int number) ? number : throw Bad($"has no whole number '{key}'");

    /// <summary>The text {"String": ...} or {"Regex": ...} under "pattern".</summary>
    public string? Pattern(string kind) => Find("pattern") is { ValueKind: JsonValueKind.Object } pattern
        ? new TokenizerComponent(Where, pattern, Path).Text(kind) : null;

    /// <summary>An error about this component.</summary>
    public BadFileException Bad(string problem) => new(Path, $"{Where} {problem}");

    /// <summary>An error about something in this component that other programs may know.</summary>
    public BadFileException Unsupported(string problem) => new(Path, $"{Where} {problem}") { IsUnsupported = true };

    private JsonElement? Find(string key) => Json.ValueKind != JsonValueKind.Object ? throw Bad("is not a JSON object")
        : Json.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
