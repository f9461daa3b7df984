using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>Typed access to the keys of one JSON object in a file; a missing key or a wrong type is a <see cref="BadFileException"/> that names the key.</summary>
internal sealed class ConfigJson : IDisposable
{
    private readonly JsonDocument document;
    private readonly string path;

    /// <summary>Parses the text; it must be one object without duplicate keys.</summary>
    public ConfigJson(string json, string path)
    {
        this.path = path;
        document = InputFile.ParseJson(Encoding.UTF8.GetBytes(json), path);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            document.Dispose();
            throw Bad("the top level is not a JSON object");
        }
    }

    /// <summary>The value, or null when the key is absent or null.</summary>
    private JsonElement? Find(string key) =>
        document.RootElement.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public int? Int(string key)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            ? number
            : throw WrongType(key, "a whole number of at most 32 bits", value);
    }

    public int RequiredInt(string key) => Int(key) ?? throw Bad($"the key '{key}' is missing");

    public float? Float(string key)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && float.IsFinite((float)number)
            ? (float)number
            : throw WrongType(key, "a number", value);
    }

    public bool? Bool(string key)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw WrongType(key, "true or false", value);
    }

    public string? String(string key)
    {
        if (Find(key) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.String)
            throw WrongType(key, "a string", value);
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"'{key}' is not valid Unicode", e);
        }
    }

    public BadFileException Bad(string problem) => new(path, problem);

    private BadFileException WrongType(string key, string expected, JsonElement found) =>
        Bad($"'{key}' is {Quoted.Of(found.GetRawText())}; expected {expected}");

    public void Dispose() => document.Dispose();
}
