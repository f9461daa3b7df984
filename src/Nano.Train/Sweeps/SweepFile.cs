using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nano;

/// <summary>The state of a run within a sweep.</summary>
public enum SweepStatus
{
    /// <summary>Not begun.</summary>
    [JsonStringEnumMemberName("waiting")]
    Waiting,

    /// <summary>Begun; it can be resumed from its checkpoint.</summary>
    [JsonStringEnumMemberName("stopped")]
    Stopped,

    /// <summary>Finished.</summary>
    [JsonStringEnumMemberName("done")]
    Done,

    /// <summary>Went astray, as it would again.</summary>
    [JsonStringEnumMemberName("diverged")]
    Diverged,

    /// <summary>Ended by an error that need not come again.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,
}

/// <summary>One run of a sweep and what became of it.</summary>
/// <param name="Name">Of its folder.</param>
/// <param name="Options">The options that vary, and its values.</param>
/// <param name="Status">The state of the run.</param>
/// <param name="Steps">Updates done.</param>
/// <param name="ValLoss">Loss over the whole validation split, in nats per token; NaN before the end.</param>
/// <param name="Seconds">Time of all its sessions.</param>
/// <param name="Error">The reason for its early end, or null.</param>
public sealed record SweepRun(string Name, OrderedDictionary<string, string> Options, SweepStatus Status, long Steps,
    double ValLoss, double Seconds, string? Error);

/// <summary>sweep.json: the definition of a sweep and the state of its runs.</summary>
/// <param name="Version">1.</param>
/// <param name="Preset">The recipe, or null.</param>
/// <param name="Options">Options and their values, in the order of the command line.</param>
/// <param name="Runs">In the order of the grid.</param>
/// <param name="Ranking">The names of finished runs, the lowest validation loss first.</param>
internal sealed record SweepFile(int Version, string? Preset, OrderedDictionary<string, string[]> Options,
    IReadOnlyList<SweepRun> Runs, IReadOnlyList<string> Ranking)
{
    private const int MaxBytes = 1 << 24;

    public SweepGrid Grid => new(Preset, [.. Options.Select(option => new SweepOption(option.Key, option.Value))]);

    /// <exception cref="BadFileException">It is not the file of a sweep.</exception>
    /// <exception cref="NanoException">It cannot be read.</exception>
    public static SweepFile Read(string path)
    {
        byte[] bytes = InputFile.ReadBytes(path, MaxBytes, "check the path");
        try
        {
            var file = JsonSerializer.Deserialize(bytes, SweepJson.Default.SweepFile);
            return file is not { Version: 1 } ? throw new BadFileException(path, "not a sweep of version 1")
                : file.HasNull ? throw new BadFileException(path,
                    "not a sweep: null stands for an option, a value or a run") : file;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException)
        {
            throw new BadFileException(path, $"not a sweep: {e.Message}", e);
        }
    }

    /// <summary>
    /// True if a list or dictionary contains a null, which the serializer accepts.
    /// </summary>
    private bool HasNull => Options.Values.Any(values => values is null || values.Contains(null))
        || Runs.Any(run => run is null || run.Options.ContainsValue(null!))
        || Ranking.Any(name => name is null);

    public void Write(string path) =>
        AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, this, SweepJson.Default.SweepFile));
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    AllowDuplicateProperties = false,
    UseStringEnumConverter = true,
    WriteIndented = true,
    NewLine = "\n",
    Converters = [typeof(NullForNaN)])]
[JsonSerializable(typeof(SweepFile))]
internal sealed partial class SweepJson : JsonSerializerContext;
