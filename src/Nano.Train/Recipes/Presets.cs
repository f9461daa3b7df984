namespace Nano;

/// <summary>
/// The recipes that are built into the program, those of data/recipes: a model, its training
/// options and the vocabulary they are meant for; a run takes the size of its own.
/// </summary>
public static class Presets
{
    private const string Folder = "recipes/";

    /// <summary>
    /// The names of all presets; no file is read for them, as every start of the program shows them
    /// in its help.
    /// </summary>
    public static IReadOnlyList<string> Names { get; } =
        ["shakespeare-char", "shakespeare-gpt", "llama-char", "moe-char", "llama-15m", "llama-42m", "llama-110m", "gpt2-124m",
            "gpt2-124m-shakespeare", "gpt2-355m", "gpt2-774m", "gpt2-1558m"];

    private static readonly Lazy<IReadOnlyDictionary<string, TrainOptions>> Loaded =
        new(() => new OrderedDictionary<string, TrainOptions>(
        Names.Select(name => KeyValuePair.Create(name, Read($"{Folder}{name}.json"))), StringComparer.Ordinal));

    /// <summary>All presets by name.</summary>
    public static IReadOnlyDictionary<string, TrainOptions> All => Loaded.Value;

    /// <summary>A preset by its name, or a recipe of one's own by the path of its file (.json).</summary>
    /// <exception cref="NanoException">No such preset, the message names the nearest; or no such file.</exception>
    /// <exception cref="BadFileException">The file is not a recipe.</exception>
    public static TrainOptions Get(string name) => All.TryGetValue(name, out var options) ? options
        : name.EndsWith(".json", StringComparison.Ordinal) ? Recipe.Load(name)
        : throw new NanoException($"there is no preset {Quoted.Of(name)}",
            NearestMatch.Hint(name, [.. All.Keys], "presets"));

    private static TrainOptions Read(string resource)
    {
        using var text = new StreamReader(typeof(Presets).Assembly.GetManifestResourceStream(resource)!);
        return Recipe.FromJson(text.ReadToEnd(), resource);
    }
}
