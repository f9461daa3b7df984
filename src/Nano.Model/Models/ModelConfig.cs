using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>
/// Sizes and switches that every decoder-only transformer here has. Read from and written as a
/// Hugging Face config.json. Two configs are equal when they describe the same arithmetic: whether
/// a value was given or is the default does not matter, nor do the ids of special tokens.
/// </summary>
public abstract record ModelConfig
{
    // Generous, yet small enough that the parameter count of any accepted config fits in 63 bits.
    private const int MaxTokens = 1 << 24, MaxLayers = 1 << 16;

    /// <summary>The largest width that a config may ask for.</summary>
    protected const int MaxChannels = 1 << 20;

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

    /// <summary>The model_type of config.json.</summary>
    public abstract string ModelType { get; }

    /// <summary>The model of this configuration, over parameters that it declares.</summary>
    /// <exception cref="NanoException">The configuration is impossible.</exception>
    internal abstract LanguageModel NewModel(Parameters parameters);

    /// <summary>Bytes that the keys and values of one position take in float32.</summary>
    public long CacheBytesPerToken => 2L * Layers * KvHeads * HeadDim * sizeof(float);

    /// <summary>A cache for sequences of this model.</summary>
    /// <param name="rows">Sequences.</param>
    /// <param name="positions">Positions for each.</param>
    /// <param name="type">One of <see cref="KvCache.Types"/>.</param>
    /// <exception cref="NanoException">Its heads are no whole blocks of the type.</exception>
    public virtual KvCache NewCache(int rows, int positions, WeightType type = WeightType.F32) =>
        new(Layers, positions, KvHeads * HeadDim, rows, FittingCache(type));

    /// <summary>A type of numbers for a cache, if heads are whole blocks of it.</summary>
    internal WeightType FittingCache(WeightType type) => BlockFormat.Of(type).Divides(HeadDim) ? type
        : throw new NanoException($"a cache of {type} needs heads of whole blocks of {BlockFormat.Of(type).Weights} "
            + $"channels; this model's have {HeadDim}", "take f32 or f16 for keys and values");

    /// <summary>Checks that a model of these sizes can be built.</summary>
    /// <exception cref="NanoException">It cannot; the message names the value.</exception>
    public void Validate()
    {
        if (Problem() is { } problem)
            throw new NanoException($"the model configuration is impossible: {problem}");
    }

    /// <summary>The error in the sizes, or null.</summary>
    protected internal virtual string? Problem()
    {
        ReadOnlySpan<(string Name, int Value, int Max)> sizes =
        [
            ("vocabulary size", VocabSize, MaxTokens), ("context length", ContextLength, MaxTokens),
            ("number of layers", Layers, MaxLayers), ("number of heads", Heads, MaxChannels),
            ("number of channels", Channels, MaxChannels), ("number of key heads", KvHeads, MaxChannels),
        ];
        foreach ((string name, int value, int max) in sizes)
            if (value < 1 || value > max)
                return $"the {name} is {value}; it must be from 1 to {max}";
        if (GivenHeadDim is null && Channels % Heads != 0)
            return $"{Channels} channels cannot be divided among {Heads} heads; make channels a multiple of heads";
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

    /// <summary>
    /// The matrices of a block in the order in which they run, those that read one vector together.
    /// </summary>
    internal abstract IEnumerable<SharedInput> SharedInputs(int block);

    /// <summary>
    /// Weights that multiply every token: all but the tables in which rows are only looked up. Each
    /// is read once per generated token.
    /// </summary>
    public long MultiplyingWeights() =>
        ParameterShapes().Where(parameter => !IsLookup(parameter.Facts.Role)).Sum(parameter => parameter.Shape.Length);

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
    public double TrainingFlopsPerToken(int T) => (6.0 * MultiplyingWeights()) + (12.0 * Layers * Heads * HeadDim * T);

    /// <summary>
    /// Everything that decides what the model computes, by name, as logs, reports and checkpoints
    /// of a run show it.
    /// </summary>
    public virtual IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("layers", Text(Layers)), ("heads", Text(Heads)), ("channels", Text(Channels)),
        ("context", Text(ContextLength)), ("vocabulary", Text(VocabSize)), ("dropout", Text(Dropout)),
        ("tied_head", Text(TiedHead)),
    ];

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

    private void WriteTokens(Utf8JsonWriter json)
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

    /// <summary>Writes the name of the class in transformers that reads the model, and its model_type.</summary>
    protected static void WriteKind(Utf8JsonWriter json, string architecture, string modelType)
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue(architecture);
        json.WriteEndArray();
        json.WriteString("model_type", modelType);
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

    private (int, int, int, int, int, int, int, float, bool) Sizes =>
        (VocabSize, ContextLength, Layers, Heads, Channels, KvHeads, HeadDim, Dropout, TiedHead);

    /// <inheritdoc/>
    public virtual bool Equals(ModelConfig? other) =>
        other is not null && EqualityContract == other.EqualityContract && Sizes == other.Sizes;

    /// <inheritdoc/>
    public override int GetHashCode() => Sizes.GetHashCode();
}
