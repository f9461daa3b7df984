using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>
/// A recipe file: what to train, and how. data/recipes has one per preset and describes the format:
/// <c>{"name", "about", "tokenizer", "from", "model": a Hugging Face config.json, "training":
/// values by the names of <see cref="TrainSettings"/>}</c>.
/// </summary>
public static class Recipe
{
    private const int MaxFileBytes = 1 << 20;

    private static readonly string[] Keys = ["name", "about", "tokenizer", "from", "model", "training"];

    /// <summary>Reads a recipe.</summary>
    /// <exception cref="NanoException">The file is missing or cannot be read, or a value is impossible.</exception>
    /// <exception cref="BadFileException">It is not a recipe; the message names the key.</exception>
    public static TrainOptions Load(string path)
    {
        var options = FromJson(Encoding.UTF8
            .GetString(InputFile.ReadUtf8(path, MaxFileBytes, "give a file like those in data/recipes")), path);
        options.Validate();
        return options;
    }

    /// <summary>Reads a recipe.</summary>
    /// <param name="json">The text of the file.</param>
    /// <param name="path">The file, for errors.</param>
    /// <exception cref="BadFileException">It is not a recipe; the message names the key.</exception>
    internal static TrainOptions FromJson(string json, string path)
    {
        using var document = InputFile.ParseJson(Encoding.UTF8.GetBytes(json), path);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new BadFileException(path, "a recipe is a JSON object");
        foreach (var property in document.RootElement.EnumerateObject())
            if (!Keys.Contains(property.Name))
                throw new BadFileException(path,
                    $"a recipe has no {Quoted.Of(property.Name)}; {NearestMatch.Hint(property.Name, Keys, "keys")}");
        var tokenizer = Find(document.RootElement, "tokenizer", JsonValueKind.String, path, required: false);
        var model = ConfigFile.FromJson(Find(document.RootElement, "model", JsonValueKind.Object, path)!.Value
            .GetRawText(), path);
        var options = new TrainOptions
        {
            Preset = Text(Find(document.RootElement, "name", JsonValueKind.String, path)!.Value, "name", path),
            DefaultTokenizer = tokenizer is { } given ? Text(given, "tokenizer", path) : null,
            Model = model,
            From = Find(document.RootElement, "from", JsonValueKind.String, path, required: false)?.GetString(),
            Time = model.ContextLength,
            Batch = 0,
            Steps = 0,
            LearningRate = 0,
            MinLearningRate = double.NaN,
        };
        var training = Find(document.RootElement, "training", JsonValueKind.Object, path)!.Value;
        foreach (var needed in TrainSettings.All.Where(setting => setting.IsRequired))
            if (!training.TryGetProperty(needed.Key, out _))
                throw new BadFileException(path, $"'training.{needed.Key}' is missing");
        try
        {
            options = TrainSettings.Apply(options, training.EnumerateObject().Select(property => KeyValuePair.Create(
                property.Name, Text(property.Value, $"training.{property.Name}", path).ToLowerInvariant())));
        }
        catch (FormatException e) when (e is not BadFileException)
        {
            throw new BadFileException(path, $"training: {Quoted.Reason(e)}", e);
        }
        return double.IsNaN(options.MinLearningRate)
            ? options with { MinLearningRate = options.LearningRate / 10 } : options;
    }

    /// <summary>A string, or any other value as it is written.</summary>
    private static string Text(JsonElement value, string key, string path)
    {
        try
        {
            return value.ToString();
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"{Quoted.Of(key)} is not valid Unicode", e);
        }
    }

    private static JsonElement? Find(JsonElement recipe, string key, JsonValueKind kind, string path,
        bool required = true)
    {
        if (recipe.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null)
            return value.ValueKind == kind ? value
                : throw new BadFileException(path, $"'{key}' must be a JSON {kind.ToString().ToLowerInvariant()}");
        return required ? throw new BadFileException(path, $"'{key}' is missing") : null;
    }
}
