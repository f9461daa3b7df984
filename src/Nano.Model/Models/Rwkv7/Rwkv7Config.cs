using System.Text.Json;

namespace Nano;

/// <summary>An RWKV-7 (Peng et al., 2025) as data.</summary>
public sealed record Rwkv7Config : RecurrentConfig
{
    private const string Linear = ".weight"; // other matrices lie as [in, out]

    private const int PublishedContext = 4096;

    /// <summary>I: width of the channel mixer.</summary>
    public required int Intermediate { get; init; }

    /// <summary>Rank of the matrices that make decays.</summary>
    public required int DecayRank { get; init; }

    /// <summary>Rank of the matrices that make rates.</summary>
    public required int RateRank { get; init; }

    /// <summary>Rank of the matrices that make the share of the first block's values.</summary>
    public required int ValueRank { get; init; }

    /// <summary>Rank of the matrices that make gates.</summary>
    public required int GateRank { get; init; }

    /// <inheritdoc/>
    protected override IReadOnlyList<Shape> StateShapes =>
        [new(1, Channels), new(Heads, HeadDim, HeadDim), new(1, Channels)];

    /// <inheritdoc/>
    protected override double ScanFlops => 32.0 * Channels * HeadDim;

    internal override LanguageModel NewModel(Parameters parameters) => new Rwkv7(this, parameters);

    /// <inheritdoc/>
    public override string ModelType => "rwkv7";

    /// <summary>The low-rank matrices are stored as [in, out].</summary>
    public override IEnumerable<FileTensor> FileTensors() => ParameterShapes().Select(parameter =>
        new FileTensor(parameter.Name, parameter.Name)
        {
            IsTransposed = parameter.Facts.IsInner && !parameter.Name.EndsWith(Linear, StringComparison.Ordinal),
        });

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if ((base.Problem() ?? SizeChecks.Problem(("width of the channel mixer", Intermediate, MaxChannels),
            ("rank of decays", DecayRank, MaxChannels), ("rank of rates", RateRank, MaxChannels),
            ("rank of values", ValueRank, MaxChannels), ("rank of gates", GateRank, MaxChannels))) is { } problem)
            return problem;
        if (KvHeads != Heads || (long)HeadDim * Heads != Channels)
            return $"{Heads} heads of {HeadDim} channels do not share the {Channels} channels of the model";
        return TiedHead ? "an rwkv7 has a head of its own, which is not the token table" : null;
    }

    /// <summary>The channel mixer becomes wider with the channels.</summary>
    public override Rwkv7Config WithSizes(int contextLength, int? layers, int? heads, int? channels) =>
        (Rwkv7Config)base.WithSizes(contextLength, layers, heads, channels) with
        {
            Intermediate = (int)Math.Min(MaxChannels, (long)Intermediate * (channels ?? Channels) / Channels),
        };

    /// <summary>Reads a config.json of model_type rwkv7.</summary>
    /// <exception cref="BadFileException">A value is missing or of the wrong type.</exception>
    internal static Rwkv7Config Read(ConfigJson file)
    {
        int C = file.RequiredInt("hidden_size"), D = file.RequiredInt("head_size");
        if (D < 1 || C % D != 0)
            throw file.Bad($"'head_size' is {D}, which does not divide the {C} channels of 'hidden_size'");
        return new()
        {
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = file.Int("max_position_embeddings") ?? PublishedContext,
            Layers = file.RequiredInt("num_hidden_layers"),
            Heads = C / D,
            Channels = C,
            Intermediate = file.RequiredInt("intermediate_size"),
            DecayRank = file.RequiredInt("lora_w"),
            RateRank = file.RequiredInt("lora_a"),
            ValueRank = file.RequiredInt("lora_v"),
            GateRank = file.RequiredInt("lora_g"),
            TiedHead = false,
            Dropout = file.Float("dropout") ?? 0,
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, "RWKV7", ModelType);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("max_position_embeddings", ContextLength);
        json.WriteNumber("hidden_size", Channels);
        json.WriteNumber("head_size", HeadDim);
        json.WriteNumber("num_hidden_layers", Layers);
        json.WriteNumber("intermediate_size", Intermediate);
        json.WriteNumber("lora_w", DecayRank);
        json.WriteNumber("lora_a", RateRank);
        json.WriteNumber("lora_v", ValueRank);
        json.WriteNumber("lora_g", GateRank);
        WriteFloat(json, "dropout", Dropout);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        .. base.Describe(), ("intermediate", Text(Intermediate)), ("decay_rank", Text(DecayRank)),
        ("rate_rank", Text(RateRank)), ("value_rank", Text(ValueRank)), ("gate_rank", Text(GateRank)),
    ];

    /// <summary>Each matrix reads a mixture of its own of two steps.</summary>
    internal override IEnumerable<SharedInput> SharedInputs(int block)
    {
        string time = $"blocks.{block}.att.", channel = $"blocks.{block}.ffn.";
        string[] low = block == 0 ? ["w", "a", "g"] : ["w", "a", "v", "g"];
        return ((string[])[time + "receptance.weight", time + "key.weight", time + "value.weight",
            .. low.SelectMany(name => new[] { time + name + "1", time + name + "2" }), time + "output.weight",
            channel + "key.weight", channel + "value.weight"]).Select(name => new SharedInput([name], [], 0));
    }
}
