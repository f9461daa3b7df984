namespace Nano;

/// <summary>The heads of an encoder.</summary>
public enum BertHead
{
    /// <summary>None: rows of the last layer.</summary>
    None,

    /// <summary>Masked tokens, and whether the second sentence follows the first (ALBERT: the order of both).</summary>
    PreTraining,

    /// <summary>Masked tokens.</summary>
    MaskedTokens,

    /// <summary>Classes of a text.</summary>
    Classes,

    /// <summary>Tokens that are not the text's own (ELECTRA).</summary>
    ReplacedTokens,
}

/// <summary>BERT (Devlin et al., "BERT", 2018) and its relatives as data.</summary>
public sealed partial record BertConfig : ArchitectureConfig
{
    private readonly int? embeddingSize;
    private readonly int? classes;

    /// <summary>The family: bert, roberta, distilbert, electra or albert.</summary>
    public string Family { get; init; } = "bert";

    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>The rows of the table of positions.</summary>
    public required int ContextLength { get; init; }

    /// <summary>L: number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>H: attention heads per block.</summary>
    public required int Heads { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int Channels { get; init; }

    /// <summary>I: width of the MLP.</summary>
    public required int Intermediate { get; init; }

    /// <summary>E: width of the embeddings; C where nothing is said.</summary>
    public int EmbeddingSize { get => embeddingSize ?? Channels; init => embeddingSize = value; }

    /// <summary>Kinds of tokens: first and second sentence; 0 for none.</summary>
    public int TokenTypes { get; init; } = 2;

    /// <summary>The id of padding.</summary>
    public int PadToken { get; init; }

    /// <summary>Added to the variance in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-12f;

    /// <summary>The activation function of the MLP.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.GeluErf;

    /// <summary>The head.</summary>
    public BertHead Head { get; init; } = BertHead.PreTraining;

    /// <summary>The names of the classes of <see cref="BertHead.Classes"/>; empty if they have none.</summary>
    public ValueList<string> Labels { get; init; } = [];

    /// <summary>Classes of <see cref="BertHead.Classes"/>.</summary>
    public int Classes { get => classes ?? (Labels.Count > 0 ? Labels.Count : 2); init => classes = value; }

    /// <summary>True if there is a matrix behind the first token, which sentence pairs and classes read.</summary>
    public bool HasPooler => Names.Pooler is not null
        && Head is not (BertHead.MaskedTokens or BertHead.ReplacedTokens)
        && (Head != BertHead.Classes || Names.ClassDense is null);

    /// <summary>The longest text, in tokens.</summary>
    public int LongestText => Names.CountsFromPadding ? ContextLength - PadToken - 1 : ContextLength;

    /// <inheritdoc/>
    public override string ModelType => Family;

    /// <summary>The family's names.</summary>
    internal BertFamily Names => BertFamily.Find(Family)
        ?? throw new NanoException($"there is no encoder {Quoted.Of(Family)}",
            NearestMatch.Hint(Family, [.. BertFamily.ModelTypes], "encoders"));

    internal override int Depth => Names.SharesLayers ? 1 : Layers;

    internal override string OptionalPrefix => Names.Prefix;

    internal override Model NewModel(Parameters parameters) => new Bert(this, parameters);

    /// <summary>The names of norms' weights in files that began as TensorFlow's.</summary>
    internal override IReadOnlyList<(string Old, string Name)> OldEnds =>
        [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")];

    /// <summary>The pooler and the heads of pre-training, where this model has none.</summary>
    internal override IReadOnlyList<string> Unread =>
    [
        Names.Prefix + "pooler.", "cls.", "lm_head.", "vocab_", "generator_", "discriminator_predictions.",
        "predictions.", "sop_classifier.",
    ];

    /// <summary>The name of the word table.</summary>
    internal string WordTable => Names.Prefix + "embeddings.word_embeddings.weight";

    /// <inheritdoc/>
    internal override IEnumerable<(string Copy, string Parameter)> Copies =>
        Names.BiasCopy is { } bias ? [(Names.TableCopy, WordTable), (bias, Names.TokenBias)]
            : [(Names.TableCopy, WordTable)];

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (SizeChecks.Problem(
        [
            ("vocabulary size", VocabSize, 1 << 24), ("context length", ContextLength, 1 << 24),
            ("number of layers", Layers, MaxLayers), ("number of heads", Heads, MaxChannels),
            ("number of channels", Channels, MaxChannels), ("width of the MLP", Intermediate, MaxChannels),
            ("width of the embeddings", EmbeddingSize, MaxChannels), ("number of classes", Classes, 1 << 20),
        ]) is { } problem)
            return problem;
        if (TokenTypes is < 0 or > 1 << 16)
            return $"the number of token types is {TokenTypes}; it must be from 0 to {1 << 16}";
        if (EmbeddingSize != Channels && Names.Projection is null)
            return $"a {Family} has embeddings as wide as its layers, not {EmbeddingSize} beside {Channels}";
        if (PadToken < 0 || PadToken >= VocabSize || LongestText < 1)
            return $"the id of padding is {PadToken}, of {VocabSize} ids and {ContextLength} positions";
        if (Labels.Count > 0 && Labels.Count != Classes)
            return $"{Labels.Count} names of {Classes} classes";
        if (!Enum.IsDefined(Head) || (Head == BertHead.PreTraining && !Names.ReadsPairs)
            || (Head == BertHead.ReplacedTokens && !Names.FindsReplaced))
            return $"a {Family} has no head of {Head}";
        return SizeChecks.HeadsProblem(Channels, Heads) ?? SizeChecks.EpsilonProblem(NormEpsilon);
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("layers", Text(Layers)), ("heads", Text(Heads)), ("channels", Text(Channels)),
        ("embeddings", Text(EmbeddingSize)), ("context", Text(ContextLength)), ("vocabulary", Text(VocabSize)),
        ("intermediate", Text(Intermediate)), ("head", Head.ToString()), ("classes", Text(Classes)),
    ];
}
