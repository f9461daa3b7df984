using System.Text.Json;

namespace Nano;

/// <summary>
/// The names of the safetensors files of a model's folder, and the index of several (format: as
/// transformers writes them).
/// </summary>
internal static class SafetensorsIndex
{
    public const string SingleFile = "model.safetensors", IndexFile = "model.safetensors.index.json";
    private const int MaxIndexBytes = 64 << 20;

    /// <summary>Reads an index: the file of each tensor.</summary>
    /// <exception cref="BadFileException">It is not one.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        using JsonDocument document = InputFile.ReadJson(path, MaxIndexBytes, "a model's folder holds its weights");
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("weight_map", out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
            throw new BadFileException(path, "there is no object 'weight_map' from tensors to files");
        var placed = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            foreach (JsonProperty pair in map.EnumerateObject())
                placed.Add(pair.Name, pair.Value.ValueKind == JsonValueKind.String ? pair.Value.GetString()!
                    : throw new BadFileException(path,
                        $"'weight_map': the file of {Quoted.Of(pair.Name)} is not a string"));
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, "'weight_map' holds a string that is not valid Unicode", e);
        }
        return placed;
    }
}
