using System.Text.Json;

namespace Nano;

/// <summary>The ways from the rows of a text to one vector.</summary>
public enum Pooling
{
    /// <summary>The mean of all rows.</summary>
    Mean,

    /// <summary>The row of the first token, [CLS].</summary>
    First,

    /// <summary>The row of the last token.</summary>
    Last,
}

/// <summary>
/// The files that sentence-transformers puts beside a model: modules.json lists the steps from a text to its vector,
/// 1_Pooling/config.json the pooling, sentence_bert_config.json the longest text.
/// </summary>
/// <param name="Pooling">The pooling.</param>
/// <param name="IsNormalized">True if vectors are divided by their length.</param>
/// <param name="LongestText">The longest text in tokens, or null.</param>
internal sealed record SentenceLayout(Pooling Pooling, bool IsNormalized, int? LongestText)
{
    private const int MaxBytes = 1 << 20;
    private const string ModePrefix = "pooling_mode_";

    /// <summary>Reads the files of a folder; null if there are none.</summary>
    /// <exception cref="BadFileException">One is malformed, or asks for a step that is not supported.</exception>
    public static SentenceLayout? Read(string folder)
    {
        string path = Path.Combine(folder, "modules.json");
        if (!File.Exists(path))
            return null;
        using var modules = InputFile.ReadJson(path, MaxBytes, "check the path");
        try
        {
            return Read(modules, folder, path);
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"a string is not valid Unicode: {e.Message}", e);
        }
    }

    private static SentenceLayout Read(JsonDocument modules, string folder, string path)
    {
        var pooling = Pooling.Mean;
        bool isNormalized = false;
        if (modules.RootElement.ValueKind != JsonValueKind.Array)
            throw new BadFileException(path, "the top level is not a list of modules");
        foreach (var element in modules.RootElement.EnumerateArray())
        {
            var module = new TokenizerComponent("a module", element, path);
            string kind = module.Type[(module.Type.LastIndexOf('.') + 1)..];
            if (kind == "Pooling")
                pooling = ReadPooling(Path.Combine(folder, FolderOf(module), ModelFolder.ConfigFile));
            else if (kind != "Transformer" && kind != "Normalize")
                throw new BadFileException(path,
                    $"a module of type {Quoted.Of(module.Type)} is not supported; Transformer, Pooling and Normalize "
                    + "are")
                { IsUnsupported = true };
            isNormalized |= kind == "Normalize";
        }
        return new(pooling, isNormalized, LongestIn(Path.Combine(folder, "sentence_bert_config.json")));
    }

    private static string FolderOf(TokenizerComponent module)
    {
        string name = module.Text("path") ?? "";
        return name == Path.GetFileName(name) && name is not ".." ? name
            : throw module.Bad($"has the path {Quoted.Of(name)}, which is no folder beside it");
    }

    private static Pooling ReadPooling(string path)
    {
        using var json = ConfigFile.Open(path);
        string[] modes = [.. json.Keys.Where(key => key.StartsWith(ModePrefix, StringComparison.Ordinal)
            && json.Bool(key) == true).Select(key => key[ModePrefix.Length..])];
        return modes switch
        {
            ["mean_tokens"] => Pooling.Mean,
            ["cls_token"] => Pooling.First,
            ["lasttoken"] => Pooling.Last,
            _ => throw new BadFileException(path,
                $"the pooling is {(modes.Length == 0 ? "none" : Quoted.Of(string.Join(" and ", modes)))}; supported: "
                + "one of mean_tokens, cls_token, lasttoken")
            { IsUnsupported = true },
        };
    }

    private static int? LongestIn(string path)
    {
        if (!File.Exists(path))
            return null;
        using var json = ConfigFile.Open(path);
        return json.Int("max_seq_length") is not { } longest ? null : longest > 2 ? longest
            : throw json.Bad($"'max_seq_length' is {longest}; no text fits");
    }
}
