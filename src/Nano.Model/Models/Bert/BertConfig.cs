using System.Text.Json;

namespace Nano;

/// <summary>The heads of a BERT.</summary>
public enum BertHead
{
    /// <summary>None: rows of the last layer.</summary>
    None,

    /// <summary>Masked tokens, and whether the second sentence follows the first.</summary>
    PreTraining,

    /// <summary>Masked tokens.</summary>
    MaskedTokens,

    /// <summary>Classes of a text.</summary>
    Classes,
}

/// <summary>A BERT (Devlin et al., "BERT", 2018) as data.</summary>
public sealed record BertConfig : ArchitectureConfig
{
    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>T: the longest text, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>L: number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>H: attention heads per block.</summary>
    public required int Heads { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int Channels { get; init; }

    /// <summary>I: width of the MLP.</summary>
    public required int Intermediate { get; init; }

    /// <summary>Kinds of tokens: first and second sentence.</summary>
    public int TokenTypes { get; init; } = 2;

    /// <summary>Added to the variance in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-12f;

    /// <summary>The activation function of the MLP.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.GeluErf;

    /// <summary>The head.</summary>
    public BertHead Head { get; init; } = BertHead.PreTraining;

    /// <summary>Classes of <see cref="BertHead.Classes"/>.</summary>
    public int Classes { get; init; } = 2;

    /// <summary>True if there is a matrix behind the first token, which sentence pairs and classes read.</summary>
    public bool HasPooler => Head != BertHead.MaskedTokens;

    /// <inheritdoc/>
    public override string ModelType => "bert";

    internal override int Depth => Layers;

    internal override string OptionalPrefix => "bert.";

    internal override Model NewModel(Parameters parameters) => new Bert(this, parameters);

    /// <summary>The names of norms' weights in files that began as TensorFlow's.</summary>
    internal override IReadOnlyList<(string Old, string Name)> OldEnds =>
        [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")];

    /// <summary>Heads of pre-training, where the model has another one.</summary>
    internal override IReadOnlyList<string> Unread => Head switch
    {
        BertHead.PreTraining => [],
        BertHead.MaskedTokens => ["bert.pooler.", "cls.seq_relationship."],
        _ => ["cls."],
    };

    /// <inheritdoc/>
    internal override IEnumerable<(string Copy, string Parameter)> Copies =>
    [
        ("cls.predictions.decoder.weight", Bert.WordTable), ("cls.predictions.decoder.bias", "cls.predictions.bias"),
    ];

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (SizeChecks.Problem(
        [
            ("vocabulary size", VocabSize, 1 << 24), ("context length", ContextLength, 1 << 24),
            ("number of layers", Layers, MaxLayers), ("number of heads", Heads, MaxChannels),
            ("number of channels", Channels, MaxChannels), ("width of the MLP", Intermediate, MaxChannels),
            ("number of token types", TokenTypes, 1 << 16), ("number of classes", Classes, 1 << 20),
        ]) is { } problem)
            return problem;
        return SizeChecks.HeadsProblem(Channels, Heads) ?? SizeChecks.EpsilonProblem(NormEpsilon);
    }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong type.</exception>
    internal static BertConfig Read(ConfigJson file)
    {
        if (file.String("position_embedding_type") is { } positions and not "absolute")
            throw file.Bad($"'position_embedding_type' is {Quoted.Of(positions)}; supported: absolute");
        string? architecture = file.Strings("architectures") is { Count: > 0 } names ? names[0] : null;
        return new()
        {
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = file.RequiredInt("max_position_embeddings"),
            Layers = file.RequiredInt("num_hidden_layers"),
            Heads = file.RequiredInt("num_attention_heads"),
            Channels = file.RequiredInt("hidden_size"),
            Intermediate = file.RequiredInt("intermediate_size"),
            TokenTypes = file.Int("type_vocab_size") ?? 2,
            NormEpsilon = file.Float("layer_norm_eps") ?? 1e-12f,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.GeluErf),
            Classes = file.Object("id2label")?.Count ?? 2,
            Head = architecture switch
            {
                null or "BertModel" => BertHead.None,
                "BertForPreTraining" => BertHead.PreTraining,
                "BertForMaskedLM" => BertHead.MaskedTokens,
                "BertForSequenceClassification" => BertHead.Classes,
                _ => throw file.Bad($"'architectures' names {Quoted.Of(architecture)}; supported: BertModel, "
                    + "BertForPreTraining, BertForMaskedLM, BertForSequenceClassification"),
            },
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, Head switch
        {
            BertHead.None => "BertModel",
            BertHead.PreTraining => "BertForPreTraining",
            BertHead.MaskedTokens => "BertForMaskedLM",
            _ => "BertForSequenceClassification",
        }, ModelType);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("hidden_size", Channels);
        json.WriteNumber("num_hidden_layers", Layers);
        json.WriteNumber("num_attention_heads", Heads);
        json.WriteNumber("intermediate_size", Intermediate);
        json.WriteNumber("max_position_embeddings", ContextLength);
        json.WriteNumber("type_vocab_size", TokenTypes);
        json.WriteString("hidden_act", FamilyKeys.NameOf(Activation));
        WriteFloat(json, "layer_norm_eps", NormEpsilon);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteString("position_embedding_type", "absolute");
        if (Head == BertHead.Classes)
            WriteLabels(json, Classes);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("layers", Text(Layers)), ("heads", Text(Heads)), ("channels", Text(Channels)),
        ("context", Text(ContextLength)), ("vocabulary", Text(VocabSize)), ("intermediate", Text(Intermediate)),
        ("head", Head.ToString()), ("classes", Text(Classes)),
    ];
}
