using System.Text.Json;

namespace Nano;

/// <summary>ELMo's language models as data; config.json is our own.</summary>
public sealed record ElmoConfig : ArchitectureConfig
{
    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>H: width of the token table and of each direction's states.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>L: number of layers in each direction.</summary>
    public int Layers { get; init; } = 2;

    /// <inheritdoc/>
    public override string ModelType => "elmo";

    internal override int Depth => Layers;

    internal override Model NewModel(Parameters parameters) => new Elmo(this, parameters);

    /// <inheritdoc/>
    protected internal override string? Problem() => SizeChecks.Problem(
    [
        ("vocabulary size", VocabSize, 1 << 24), ("width of the state", HiddenSize, MaxChannels),
        ("number of layers", Layers, MaxLayers),
    ]);

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A size is missing, or a value has the wrong type.</exception>
    internal static ElmoConfig Read(ConfigJson file) => new()
    {
        VocabSize = file.RequiredInt("vocab_size"),
        HiddenSize = file.RequiredInt("hidden_size"),
        Layers = file.Int("num_hidden_layers") ?? 2,
    };

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        json.WriteString("model_type", ModelType);
        json.WriteNumber("num_hidden_layers", Layers);
        json.WriteNumber("hidden_size", HiddenSize);
        json.WriteNumber("vocab_size", VocabSize);
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
        [("layers", Text(Layers)), ("hidden", Text(HiddenSize)), ("vocabulary", Text(VocabSize))];
}
