namespace Nano;

/// <summary>The recipes that are built into the program, those of data/recipes: a model, its training options and the vocabulary they are meant for; a run takes the size of its own.</summary>
public static class Presets
{
    private const string Folder = "recipes/";

    /// <summary>All presets by name, the smallest model first.</summary>
    public static IReadOnlyDictionary<string, TrainOptions> All { get; } = new OrderedDictionary<string, TrainOptions>(
        typeof(Presets).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).Select(Read)
            .OrderBy(options => (long)options.Model.Layers * options.Model.Channels * options.Model.Channels).ThenBy(options => options.Model.ModelType, StringComparer.Ordinal)
            .Select(options => KeyValuePair.Create(options.Preset, options)), StringComparer.Ordinal);

    /// <summary>A preset by its name, or a recipe of one's own by the path of its file (.json).</summary>
    /// <exception cref="NanoException">No such preset, the message names the nearest; or no such file.</exception>
    /// <exception cref="BadFileException">The file is not a recipe.</exception>
    public static TrainOptions Get(string name) => All.TryGetValue(name, out var options) ? options
        : name.EndsWith(".json", StringComparison.Ordinal) ? Recipe.Load(name)
        : throw new NanoException($"there is no preset '{name}'", NearestMatch.Hint(name, [.. All.Keys], "presets"));

    private static TrainOptions Read(string resource)
    {
        using var text = new StreamReader(typeof(Presets).Assembly.GetManifestResourceStream(resource)!);
        return Recipe.FromJson(text.ReadToEnd(), resource);
    }
}
