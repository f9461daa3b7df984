using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>
/// Typed access to the keys of one JSON object in a file; a missing key or a wrong type is a
/// <see cref="BadFileException"/> that names the key.
/// </summary>
internal sealed class ConfigJson : IDisposable
{
    private readonly JsonDocument? document; // of the whole file; null for an object in it
    private readonly JsonElement root;
    private readonly string path, prefix;

    /// <summary>Parses the text; it must be one object without duplicate keys.</summary>
    public ConfigJson(string json, string path)
    {
        (this.path, prefix) = (path, "");
        document = InputFile.ParseJson(Encoding.UTF8.GetBytes(json), path);
        root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            document.Dispose();
            throw Bad("the top level is not a JSON object");
        }
    }

    private ConfigJson(JsonElement root, string path, string prefix) =>
        (this.root, this.path, this.prefix) = (root, path, prefix);

    /// <summary>The value, or null when the key is absent or null.</summary>
    private JsonElement? Find(string key) =>
        root.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>True if the key exists, even with the value null.</summary>
    public bool Has(string key) => root.TryGetProperty(key, out _);

    /// <summary>True if the key has an object as its value.</summary>
    public bool IsObject(string key) => Find(key) is { ValueKind: JsonValueKind.Object };

    /// <summary>
    /// An object within, which is part of this one; null when absent or null. Its errors name keys
    /// as "outer.inner".
    /// </summary>
    public ConfigJson? Object(string key)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Object ? new ConfigJson(value, path, $"{prefix}{key}.")
            : throw WrongType(key, "an object", value);
    }

    /// <summary>The number of keys.</summary>
    public int Count => root.EnumerateObject().Count();

    /// <summary>The keys, in the order of the file.</summary>
    public IEnumerable<string> Keys => root.EnumerateObject().Select(property => property.Name);

    /// <summary>A whole number or a list of them; empty when absent or null.</summary>
    public IReadOnlyList<int> Ints(string key)
    {
        if (Find(key) is not { } value)
            return [];
        return [.. (value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : Enumerable.Repeat(value, 1))
            .Select(item =>
            item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int number) ? number
                : throw WrongType(key, "whole numbers of at most 32 bits", value))];
    }

    /// <summary>A list of numbers; empty when absent or null.</summary>
    public IReadOnlyList<double> Doubles(string key)
    {
        if (Find(key) is not { } value)
            return [];
        if (value.ValueKind != JsonValueKind.Array)
            throw WrongType(key, "a list of numbers", value);
        return [.. value.EnumerateArray().Select(item =>
            item.ValueKind == JsonValueKind.Number && item.TryGetDouble(out double number) ? number
                : throw WrongType(key, "a list of numbers", value))];
    }

    /// <summary>A list of strings; null when absent or null.</summary>
    public IReadOnlyList<string>? Strings(string key)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(item => Text(key, item))]
            : throw WrongType(key, "a list of strings", value);
    }

    public int? Int(string key)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            ? number
            : throw WrongType(key, "a whole number of at most 32 bits", value);
    }

    public int RequiredInt(string key) => Int(key) ?? throw Bad($"the key '{prefix}{key}' is missing");

    public float? Float(string key) => (float?)Number(key, float.MaxValue);

    public double? Double(string key) => Number(key, double.MaxValue);

    public double RequiredDouble(string key) => Double(key) ?? throw Bad($"the key '{prefix}{key}' is missing");

    private double? Number(string key, double largest)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number)
            && Math.Abs(number) <= largest
            ? number
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
        return Text(key, value);
    }

    private string Text(string key, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"'{prefix}{key}' is not valid Unicode", e);
        }
    }

    public BadFileException Bad(string problem) => new(path, problem);

    private BadFileException WrongType(string key, string expected, JsonElement found) =>
        Bad($"'{prefix}{key}' is {Quoted.Of(found.GetRawText())}; expected {expected}");

    public void Dispose() => document?.Dispose();
}
