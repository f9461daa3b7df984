using System.Text.Json;

namespace Nano;

/// <summary>
/// Sizes and switches that every decoder-only transformer here has. Read from and written as a
/// Hugging Face config.json. Two configs are equal when they describe the same arithmetic: whether
/// a value was given or is the default does not matter, nor do the ids of special tokens.
/// </summary>
public abstract record ModelConfig : ArchitectureConfig
{
    // Generous, yet small enough that the parameter count of any accepted config fits in 63 bits.
    private const int MaxTokens = 1 << 24;

    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>T: the longest sequence, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>L: number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>H: attention heads per block.</summary>
    public required int Heads { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int Channels { get; init; }

    /// <summary>
    /// KV: heads of keys and values, each shared by H / KV query heads. H where nothing else is
    /// said.
    /// </summary>
    public int KvHeads { get => GivenKvHeads ?? Heads; init => GivenKvHeads = value; }

    /// <summary>D: channels per head. C / H where nothing else is said.</summary>
    public int HeadDim { get => GivenHeadDim ?? (Heads == 0 ? 0 : Channels / Heads); init => GivenHeadDim = value; }

    private int? GivenKvHeads { get; init; }

    private int? GivenHeadDim { get; init; }

    /// <summary>
    /// The dropout probability in training, in [0, 1): after the embedding and at the end of both
    /// branches of a block, not inside attention.
    /// </summary>
    public float Dropout { get; init; }

    /// <summary>True if the output matrix is the token embedding.</summary>
    public bool TiedHead { get; init; } = true;

    /// <summary>The id that begins a text, if there is one.</summary>
    public int? BosToken { get; init; }

    /// <summary>The ids that end a text: none, one, or several (of Llama 3.1, for example).</summary>
    public IReadOnlyList<int> EosTokens { get; init; } = [];

    internal override int Depth => Layers;

    /// <inheritdoc/>
    internal abstract override LanguageModel NewModel(Parameters parameters);

    /// <inheritdoc/>
    internal override IEnumerable<(string Copy, string Parameter)> Copies
    {
        get
        {
            if (!TiedHead)
                return [];
            string table = ParameterShapes()[0].Name;
            return [("lm_head.weight", table), (OptionalPrefix + "lm_head.weight", table)];
        }
    }

    /// <summary>Bytes that a cache has for each row whatever its length: recurrent states.</summary>
    public long StateBytes => CacheLayers.Sum(layer => layer.Bytes(0));

    /// <summary>False if what comes later changes what came before, so that no text can be continued.</summary>
    public virtual bool IsCausal => true;

    /// <summary>True if experts are chosen with a bias that training moves, see <see cref="RouterBias"/>.</summary>
    public virtual bool ChoosesExpertsWithBias => false;

    /// <summary>Bytes that the keys and values of one position take in float32.</summary>
    public long CacheBytesPerToken =>
        CacheLayers.Sum(layer => (long)layer.KeyChannels + layer.ValueChannels) * sizeof(float);

    /// <summary>Bytes that a text of a length takes in a cache in float32.</summary>
    public long CacheBytes(int positions) => CacheLayers.Sum(layer => layer.Bytes(positions));

    /// <summary>
    /// The length beyond which the keys of all positions of a text are others, so that a cache which holds that many
    /// is filled anew; null if there is none.
    /// </summary>
    public virtual int? LengthOfOtherKeys => null;

    /// <summary>A cache for sequences of this model.</summary>
    /// <param name="rows">Sequences.</param>
    /// <param name="positions">Positions for each.</param>
    /// <param name="type">One of <see cref="KvCache.Types"/>.</param>
    /// <exception cref="NanoException">Its heads are no whole blocks of the type.</exception>
    public virtual KvCache NewCache(int rows, int positions, WeightType type = WeightType.F32) =>
        new(CacheLayers, positions, rows, FittingCache(type));

    /// <summary>True if a state goes from each position to the next, also from one document to another.</summary>
    internal virtual bool CarriesStates => false;

    /// <summary>The parts of a cache, one for each layer.</summary>
    internal virtual IReadOnlyList<CacheLayer> CacheLayers =>
        [.. Enumerable.Repeat(new CacheLayer(KvHeads * HeadDim, KvHeads * HeadDim), Layers)];

    /// <summary>A type of numbers for a cache, if heads are whole blocks of it.</summary>
    internal virtual WeightType FittingCache(WeightType type) => BlockFormat.Of(type).Divides(HeadDim) ? type
        : throw new NanoException($"a cache of {type} needs heads of whole blocks of {BlockFormat.Of(type).Weights} "
            + $"channels; this model's have {HeadDim}", "take f32 or f16 for keys and values");

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (SizeChecks.Problem(
        [
            ("vocabulary size", VocabSize, MaxTokens), ("context length", ContextLength, MaxTokens),
            ("number of layers", Layers, MaxLayers), ("number of heads", Heads, MaxChannels),
            ("number of channels", Channels, MaxChannels), ("number of key heads", KvHeads, MaxChannels),
        ]) is { } problem)
            return problem;
        if (GivenHeadDim is null && SizeChecks.HeadsProblem(Channels, Heads) is { } ofHeads)
            return ofHeads;
        if (HeadDim < 1 || HeadDim > MaxChannels / Heads)
            return $"{Heads} heads of {HeadDim} channels; together they must have from 1 to {MaxChannels}";
        if (Heads % KvHeads != 0)
            return $"{Heads} heads cannot share {KvHeads} key heads; make heads a multiple of key heads";
        return Dropout is >= 0 and < 1 ? null : $"the dropout is {Dropout}; it must be at least 0 and less than 1";
    }

    /// <summary>
    /// A configuration with other sizes; null leaves a size as it is. Sizes proportional to the
    /// channels stay proportional; the number of key heads follows the heads if it equals theirs
    /// now, and heads share the channels if they do now.
    /// </summary>
    public virtual ModelConfig WithSizes(int contextLength, int? layers, int? heads, int? channels)
    {
        var resized = this with
        {
            ContextLength = contextLength,
            Layers = layers ?? Layers,
            Heads = heads ?? Heads,
            Channels = channels ?? Channels
        };
        return resized with
        {
            GivenKvHeads = KvHeads == Heads ? null : KvHeads,
            GivenHeadDim = (long)HeadDim * Heads == Channels ? null : HeadDim
        };
    }

    /// <summary>
    /// The matrices of a block in the order in which they run, those that read one vector together.
    /// </summary>
    internal abstract IEnumerable<SharedInput> SharedInputs(int block);

    /// <summary>
    /// Weights that multiply a token: all but the tables in which rows are only looked up, and of experts those that
    /// are chosen. Each is read once per generated token.
    /// </summary>
    public long MultiplyingWeights() => (long)Math.Round(ParameterShapes()
        .Where(parameter => !IsLookup(parameter.Facts.Role))
        .Sum(parameter => parameter.Shape.Length * parameter.Facts.Use));

    /// <summary>
    /// True if a parameter is only looked up: positions, and tokens if the head has a matrix of its
    /// own.
    /// </summary>
    internal bool IsLookup(ParameterRole role) =>
        role == ParameterRole.Position || (role == ParameterRole.Embedding && !TiedHead);

    /// <summary>
    /// Arithmetic of one training token, forward and backward: 6 per weight that multiplies it, and
    /// 12 L H D T for attention over T keys (causal skipping not counted, as is the convention;
    /// PaLM, 2022, appendix B).
    /// </summary>
    public virtual double TrainingFlopsPerToken(int T) =>
        (6.0 * MultiplyingWeights()) + (12.0 * Layers * Heads * HeadDim * T);

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("layers", Text(Layers)), ("heads", Text(Heads)), ("channels", Text(Channels)),
        ("context", Text(ContextLength)), ("vocabulary", Text(VocabSize)), ("dropout", Text(Dropout)),
        ("tied_head", Text(TiedHead)),
    ];

    /// <inheritdoc/>
    protected override void WriteTokens(Utf8JsonWriter json)
    {
        WriteToken("bos_token_id", BosToken);
        if (EosTokens.Count > 1)
        {
            json.WriteStartArray("eos_token_id");
            foreach (int token in EosTokens)
                json.WriteNumberValue(token);
            json.WriteEndArray();
        }
        else
            WriteToken("eos_token_id", EosTokens.Count == 0 ? null : EosTokens[0]);

        void WriteToken(string name, int? token)
        {
            if (token is { } id)
                json.WriteNumber(name, id);
            else
                json.WriteNull(name);
        }
    }

    private (int, int, int, int, int, int, int, float, bool) Sizes =>
        (VocabSize, ContextLength, Layers, Heads, Channels, KvHeads, HeadDim, Dropout, TiedHead);

    /// <inheritdoc/>
    public virtual bool Equals(ModelConfig? other) =>
        other is not null && EqualityContract == other.EqualityContract && Sizes == other.Sizes;

    /// <inheritdoc/>
    public override int GetHashCode() => Sizes.GetHashCode();
}

/// <summary>Matrices that read one vector, and what makes it.</summary>
/// <param name="Weights">The names of the matrices [out, in].</param>
/// <param name="Makers">
/// The names of parameters, a norm's or a linear layer's, with an element or row for each channel of the vector:
/// dividing these divides the vector. Empty if there are none.
/// </param>
/// <param name="FirstRow">The row of the makers that makes the first channel.</param>
internal sealed record SharedInput(IReadOnlyList<string> Weights, IReadOnlyList<string> Makers, int FirstRow);
