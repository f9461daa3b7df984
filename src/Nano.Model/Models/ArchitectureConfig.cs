using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>
/// Sizes and switches of a model of any kind, read from and written as a Hugging Face config.json.
/// Two configs are equal when they describe the same arithmetic.
/// </summary>
public abstract record ArchitectureConfig
{
    /// <summary>The largest width that a config may ask for.</summary>
    protected const int MaxChannels = SizeChecks.MaxChannels;

    /// <summary>The most blocks that a config may ask for.</summary>
    protected const int MaxLayers = SizeChecks.MaxLayers;

    /// <summary>The model_type of config.json.</summary>
    public abstract string ModelType { get; }

    /// <summary>The number of blocks, of all stacks together.</summary>
    internal abstract int Depth { get; }

    /// <summary>The model of this configuration, over parameters that it declares.</summary>
    /// <exception cref="NanoException">The configuration is impossible.</exception>
    internal abstract Model NewModel(Parameters parameters);

    /// <summary>Checks that a model of these sizes can be built.</summary>
    /// <exception cref="NanoException">It cannot; the message names the value.</exception>
    public void Validate()
    {
        if (Problem() is { } problem)
            throw new NanoException($"the model configuration is impossible: {problem}");
    }

    /// <summary>The error in the sizes, or null.</summary>
    protected internal abstract string? Problem();

    /// <summary>
    /// Names, shapes and roles of the parameters, in the order of the model's declaration, without
    /// reserving memory for them.
    /// </summary>
    /// <exception cref="NanoException">The config is impossible.</exception>
    public IReadOnlyList<DeclaredParameter> ParameterShapes()
    {
        using var model = NewModel(new Parameters(onlyShapes: true));
        return model.Parameters.Declared;
    }

    /// <summary>
    /// The tensors of this model in Hugging Face's files, in the order in which they are written. Where nothing else is
    /// said, they are the parameters.
    /// </summary>
    public virtual IEnumerable<FileTensor> FileTensors() =>
        ParameterShapes().Select(parameter => new FileTensor(parameter.Name, parameter.Name));

    /// <summary>A prefix of names that some files have and others do not.</summary>
    internal virtual string OptionalPrefix => "";

    /// <summary>Other ends of names, in old files, and those that they stand for.</summary>
    internal virtual IReadOnlyList<(string Old, string Name)> OldEnds => [];

    /// <summary>Beginnings of names of tensors that published files hold and this model does not need.</summary>
    internal virtual IReadOnlyList<string> Unread => [];

    /// <summary>Tensors in files that repeat a parameter, of which nothing is read.</summary>
    internal virtual IEnumerable<(string Copy, string Parameter)> Copies => [];

    /// <summary>
    /// Everything that decides what the model computes, by name, as logs, reports and checkpoints
    /// of a run show it.
    /// </summary>
    public abstract IEnumerable<(string Name, string Value)> Describe();

    /// <summary>A value as <see cref="Describe"/> shows it.</summary>
    protected static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);

    /// <summary>A switch as <see cref="Describe"/> shows it.</summary>
    protected static string Text(bool value) => value ? "true" : "false";

    /// <summary>
    /// The config.json of this model for transformers and for <see cref="ConfigFile"/>; the same
    /// config gives the same text.
    /// </summary>
    /// <exception cref="NanoException">The config is impossible.</exception>
    public string ToJson()
    {
        Validate();
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            WriteTo(json);
            WriteTokens(json);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    /// <summary>Writes the keys of config.json, but those of special tokens.</summary>
    protected abstract void WriteTo(Utf8JsonWriter json);

    /// <summary>Writes the ids of special tokens, where there are such.</summary>
    protected virtual void WriteTokens(Utf8JsonWriter json)
    {
    }

    /// <summary>Writes the name of the class in transformers that reads the model, and its model_type.</summary>
    protected static void WriteKind(Utf8JsonWriter json, string architecture, string modelType)
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue(architecture);
        json.WriteEndArray();
        json.WriteString("model_type", modelType);
    }

    /// <summary>Writes the names of classes, LABEL_0 and so on, of which readers take the number.</summary>
    protected static void WriteLabels(Utf8JsonWriter json, int classes)
    {
        json.WriteStartObject("id2label");
        for (int i = 0; i < classes; i++)
            json.WriteString($"{i}", $"LABEL_{i}");
        json.WriteEndObject();
    }

    /// <summary>
    /// Writes a number with a point: Python tells 0 from 0.0, and readers there may insist on a
    /// float.
    /// </summary>
    protected internal static void WriteFloat(Utf8JsonWriter json, string key, IFormattable value)
    {
        string text = value.ToString(null, CultureInfo.InvariantCulture);
        json.WritePropertyName(key);
        json.WriteRawValue(text.AsSpan().ContainsAny('.', 'E') ? text : text + ".0");
    }
}
