using System.Text.Json;

namespace Nano;

/// <summary>A recurrent language model or tagger as data.</summary>
public sealed record RnnConfig : ArchitectureConfig
{
    /// <summary>The cell.</summary>
    public CellKind Cell { get; init; } = CellKind.Lstm;

    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>E: width of the token table.</summary>
    public required int EmbeddingSize { get; init; }

    /// <summary>H: width of the state of a layer and direction.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>L: number of layers.</summary>
    public int Layers { get; init; } = 1;

    /// <summary>True for a second net in each layer that goes from the last token to the first.</summary>
    public bool IsBidirectional { get; init; }

    /// <summary>Labels of tokens; null for a head of tokens.</summary>
    public int? Labels { get; init; }

    /// <inheritdoc/>
    public override string ModelType => Cell switch { CellKind.Lstm => "lstm", CellKind.Gru => "gru", _ => "rnn" };

    internal override int Depth => Layers;

    internal override Model NewModel(Parameters parameters) => new Rnn(this, parameters);

    /// <inheritdoc/>
    protected internal override string? Problem() => SizeChecks.Problem(
    [
        ("vocabulary size", VocabSize, 1 << 24), ("width of the token table", EmbeddingSize, MaxChannels),
        ("width of the state", HiddenSize, MaxChannels), ("number of layers", Layers, MaxLayers),
        ("number of labels", Labels ?? 1, 1 << 24),
    ]);

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A size is missing, or a value has the wrong type.</exception>
    internal static RnnConfig Read(ConfigJson file, CellKind cell) => new()
    {
        Cell = cell,
        VocabSize = file.RequiredInt("vocab_size"),
        EmbeddingSize = file.RequiredInt("embedding_size"),
        HiddenSize = file.RequiredInt("hidden_size"),
        Layers = file.Int("num_hidden_layers") ?? 1,
        IsBidirectional = file.Bool("bidirectional") ?? false,
        Labels = file.Int("labels"),
    };

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        json.WriteString("model_type", ModelType);
        json.WriteNumber("num_hidden_layers", Layers);
        json.WriteNumber("embedding_size", EmbeddingSize);
        json.WriteNumber("hidden_size", HiddenSize);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteBoolean("bidirectional", IsBidirectional);
        if (Labels is { } labels)
            json.WriteNumber("labels", labels);
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("cell", Cell.ToString()), ("layers", Text(Layers)), ("embedding", Text(EmbeddingSize)),
        ("hidden", Text(HiddenSize)), ("vocabulary", Text(VocabSize)), ("bidirectional", Text(IsBidirectional)),
        ("labels", Labels is { } labels ? Text(labels) : "none"),
    ];
}
