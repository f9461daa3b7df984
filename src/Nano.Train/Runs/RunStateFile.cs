using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Nano;

/// <summary>
/// trainer.json: all of a <see cref="RunState"/> but its tensors. Version 2 holds every option, so
/// that a run resumes without being given any; version 1 had only their names and values as text.
/// An option that a file lacks has its default, with which a run computes what it did before there
/// was the option.
/// </summary>
internal static class RunStateFile
{
    private const int Version = 2, MaxBytes = 1 << 24;

    private const string KeptActivations = "kept_activations", Recompute = "checkpoint_activations",
        Activations = "activations", EvalRows = "eval_rows", Float32 = "float32", BFloat16 = "b_float16";

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
        IgnoreReadOnlyProperties = true,
        Converters =
        {
            new ModelConverter(), new JsonStringEnumConverter<Keep>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<Precision>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<WeightType>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<Sampling>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<OnSpike>(JsonNamingPolicy.SnakeCaseLower),
        },
        TypeInfoResolver = RunStateJson.Default,
    };

    private static readonly JsonTypeInfo<Content> ContentInfo =
        (JsonTypeInfo<Content>)Json.GetTypeInfo(typeof(Content));

    private static readonly JsonObject Defaults = DefaultOptions();

    /// <summary>The whole file, but for the form of kept activations.</summary>
    internal sealed record Content(int Version, long Step, TrainOptions Options, SortedDictionary<string, string> Data,
        SortedDictionary<string, double> Numbers);

    public static void Write(Stream stream, RunState state)
    {
        var root = JsonSerializer.SerializeToNode(new Content(Version, state.Step, state.Options,
            new(state.Data.ToDictionary(), StringComparer.Ordinal), state.Numbers), ContentInfo)!;
        SplitKept(root["options"]!.AsObject(), state.Options.KeptActivations);
        using var json = new Utf8JsonWriter(stream, new() { Indented = true, NewLine = "\n" });
        root.WriteTo(json);
    }

    /// <summary>Reads a state without tensors.</summary>
    /// <exception cref="BadFileException">It is malformed, or of another version.</exception>
    /// <exception cref="NanoException">It cannot be read.</exception>
    public static RunState Read(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MaxBytes } large)
                throw new BadFileException(path, $"{large.Length} bytes are more than a trainer's state can have");
            using var json = JsonDocument.Parse(File.ReadAllBytes(path), Strict);
            int version = json.RootElement.GetProperty("version").GetInt32();
            if (version != Version)
                throw new BadFileException(path, version > Version
                    ? $"it is of version {version}, of a later Nano; this one knows {Version}"
                    : $"it is of version {version}, which does not hold all options of the run, and this Nano "
                    + $"continues runs of version {Version} only; the model beside it can be used as ever");
            var root = JsonObject.Create(json.RootElement)!;
            if (root["options"] is JsonObject options)
            {
                JoinKept(options);
                AddMissing(options, Defaults);
                if (options["batch"] is { } batch && options["eval_batches"] is { } batches)
                    options.TryAdd(EvalRows, (long)batches.GetValue<int>() * batch.GetValue<int>());
            }
            var content = root.Deserialize(ContentInfo) ?? throw new JsonException("expected an object, got null");
            if (content.Data.ContainsValue(null!))
                throw new BadFileException(path, "not a trainer state: null stands for a value of 'data'");
            if (content.Step is < 0 or > int.MaxValue)
                throw new BadFileException(path, $"step {content.Step} is impossible");
            var state = new RunState(content.Options, content.Data, []) { Step = content.Step };
            foreach (var (name, value) in content.Numbers)
                state.Numbers.Add(name, value);
            return state;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException
            or NotSupportedException or FileNotFoundException or FormatException and not BadFileException)
        {
            throw new BadFileException(path, $"not a trainer state: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot read '{path}': {e.Message}", "check the file's permissions", e);
        }
    }

    /// <summary>The two members that files of this version have for the form of kept activations.</summary>
    private static void SplitKept(JsonObject options, Keep kept)
    {
        options.Remove(KeptActivations);
        options[Recompute] = kept == Keep.Nothing;
        options[Activations] = kept == Keep.BFloat16 ? BFloat16 : Float32;
    }

    private static void JoinKept(JsonObject options)
    {
        bool isRecomputed = options.Remove(Recompute, out var recompute)
            && (recompute ?? throw new JsonException($"'{Recompute}' cannot be null")).GetValue<bool>();
        string stored = options.Remove(Activations, out var activations)
            ? activations?.GetValue<string>() ?? "null" : Float32;
        var kept = stored switch
        {
            Float32 => isRecomputed ? Keep.Nothing : Keep.All,
            BFloat16 when !isRecomputed => Keep.BFloat16,
            var other => throw new JsonException($"'{Activations}' cannot be {Quoted.Of(other)}"),
        };
        options[KeptActivations] = JsonNamingPolicy.SnakeCaseLower.ConvertName(kept.ToString());
    }

    /// <summary>
    /// The options that need not be given, at their defaults: a reader of JSON that is generated sets those that a file
    /// lacks to zero.
    /// </summary>
    private static JsonObject DefaultOptions()
    {
        var info = (JsonTypeInfo<TrainOptions>)Json.GetTypeInfo(typeof(TrainOptions));
        var options = JsonSerializer.SerializeToNode(new TrainOptions
        {
            Preset = "",
            Model = Presets.All.Values.First().Model,
            Batch = 0,
            Time = 0,
            Steps = 0,
            LearningRate = 0,
            MinLearningRate = 0,
        }, info)!.AsObject();
        foreach (var property in info.Properties.Where(property => property.IsRequired))
            options.Remove(property.Name);
        options.Remove(EvalRows); // it follows from others
        return options;
    }

    private static void AddMissing(JsonObject given, JsonObject defaults)
    {
        foreach (var (name, value) in defaults)
            if (!given.TryGetPropertyValue(name, out var here))
                given.Add(name, value?.DeepClone());
            else if (here is JsonObject part && value is JsonObject partDefaults)
                AddMissing(part, partDefaults);
    }

    /// <summary>A model's configuration as its config.json has it.</summary>
    private sealed class ModelConverter : JsonConverter<ModelConfig>
    {
        public override bool CanConvert(Type typeToConvert) => typeof(ModelConfig).IsAssignableFrom(typeToConvert);

        public override ModelConfig Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            using var json = JsonDocument.ParseValue(ref reader);
            try
            {
                return ConfigFile.FromJson(json.RootElement.GetRawText(), "model");
            }
            catch (BadFileException e)
            {
                throw new JsonException(e.Message, e);
            }
        }

        public override void Write(Utf8JsonWriter writer, ModelConfig value, JsonSerializerOptions options)
        {
            using var json = JsonDocument.Parse(value.ToJson());
            json.RootElement.WriteTo(writer);
        }
    }
}

/// <summary>The types of trainer.json.</summary>
[JsonSerializable(typeof(RunStateFile.Content))]
internal sealed partial class RunStateJson : JsonSerializerContext;
