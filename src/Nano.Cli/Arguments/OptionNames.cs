using System.Text.RegularExpressions;

namespace Nano.Cli;

/// <summary>
/// Settings by the names of their options. Libraries name settings by their keys, as `min_lr`; people at a
/// terminal know them as --min-lr.
/// </summary>
internal static partial class OptionNames
{
    /// <summary>Keys that libraries name and that are not settings of training.</summary>
    public static IReadOnlyList<string> Others { get; } =
    [
        "tokenizer", "validation_data", "separator", "validation", "overwrite", "out", "field", "skip_bad", "format",
        "shard_tokens", "threads", "template", "shard_size", "requantize", "drop_oldest", "resume", "file", "endpoint",
        "device", "gradients", "type", "vocab", "group",
        "epochs", "holdout",
    ];

    /// <summary>The option of a key.</summary>
    public static string Of(string key) => "--" + (TrainSettings.Find(key)?.Option ?? key.Replace('_', '-'));

    /// <summary>A library's text with every setting that it names replaced by its option.</summary>
    public static string In(string text) =>
        Key().Replace(text, match => IsKnown(match.Groups[1].Value) ? Of(match.Groups[1].Value) : match.Value);

    private static bool IsKnown(string key) => TrainSettings.Find(key) is not null || Others.Contains(key);

    [GeneratedRegex("`([a-z][a-z0-9_]*)`")]
    private static partial Regex Key();
}
