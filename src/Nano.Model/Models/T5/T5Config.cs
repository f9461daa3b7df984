using System.Text.Json;

namespace Nano;

/// <summary>A T5 (Raffel et al., 2019) of version 1.0 or 1.1 as data.</summary>
public sealed record T5Config : ArchitectureConfig
{
    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Blocks of the encoder.</summary>
    public required int Layers { get; init; }

    /// <summary>Blocks of the decoder.</summary>
    public required int DecoderLayers { get; init; }

    /// <summary>H: attention heads per block.</summary>
    public required int Heads { get; init; }

    /// <summary>D: channels of a head; H D need not be C.</summary>
    public required int HeadDim { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int Channels { get; init; }

    /// <summary>I: width of the MLP.</summary>
    public required int Intermediate { get; init; }

    /// <summary>Buckets of distances.</summary>
    public int Buckets { get; init; } = 32;

    /// <summary>The distance from which on all share the last bucket.</summary>
    public int MaxDistance { get; init; } = 128;

    /// <summary>The activation function of the MLP.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Relu;

    /// <summary>True if the MLP is gated (version 1.1).</summary>
    public bool IsGated { get; init; }

    /// <summary>
    /// True if the output matrix is the token table; its input is then divided by sqrt(C) (version 1.0).
    /// </summary>
    public bool TiedHead { get; init; } = true;

    /// <summary>Added to the mean square in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-6f;

    /// <summary>The id that the decoder begins with; also that of padding.</summary>
    public int StartToken { get; init; }

    /// <inheritdoc/>
    public override string ModelType => "t5";

    internal override int Depth => Layers + DecoderLayers;

    internal override Model NewModel(Parameters parameters) => new T5(this, parameters);

    /// <inheritdoc/>
    internal override IReadOnlyList<string> Unread =>
        ["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias."];

    /// <inheritdoc/>
    internal override IEnumerable<(string Copy, string Parameter)> Copies =>
    [
        ("encoder.embed_tokens.weight", T5.TokenTable), ("decoder.embed_tokens.weight", T5.TokenTable),
        .. TiedHead ? new[] { ("lm_head.weight", T5.TokenTable) } : [],
    ];

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (SizeChecks.Problem(
        [
            ("vocabulary size", VocabSize, 1 << 24), ("number of layers", Layers, MaxLayers),
            ("number of decoder layers", DecoderLayers, MaxLayers), ("number of heads", Heads, MaxChannels),
            ("size of a head", HeadDim, MaxChannels / Math.Max(1, Heads)),
            ("number of channels", Channels, MaxChannels), ("width of the MLP", Intermediate, MaxChannels),
            ("largest distance", MaxDistance, 1 << 24),
        ]) is { } problem)
            return problem;
        if (Buckets is < 4 or > 1 << 16 || MaxDistance <= Buckets / 2)
            return $"{Buckets} buckets for distances up to {MaxDistance}; there must be from 4 to 65536, and more "
                + "distances than half of them";
        if (StartToken < 0 || StartToken >= VocabSize)
            return $"the decoder begins with token {StartToken} of {VocabSize}";
        return SizeChecks.EpsilonProblem(NormEpsilon);
    }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong type.</exception>
    internal static T5Config Read(ConfigJson file)
    {
        string projection = file.String("feed_forward_proj") ?? "relu";
        return new()
        {
            VocabSize = file.RequiredInt("vocab_size"),
            Layers = file.RequiredInt("num_layers"),
            DecoderLayers = file.Int("num_decoder_layers") ?? file.RequiredInt("num_layers"),
            Heads = file.RequiredInt("num_heads"),
            HeadDim = file.RequiredInt("d_kv"),
            Channels = file.RequiredInt("d_model"),
            Intermediate = file.RequiredInt("d_ff"),
            Buckets = file.Int("relative_attention_num_buckets") ?? 32,
            MaxDistance = file.Int("relative_attention_max_distance") ?? 128,
            Activation = projection switch
            {
                "relu" or "gated-relu" => ActivationKind.Relu,
                "gelu" or "gated-gelu" => ActivationKind.GeluTanh,
                "silu" or "gated-silu" => ActivationKind.Silu,
                _ => throw file.Bad($"'feed_forward_proj' is {Quoted.Of(projection)}; supported: relu, gelu, silu, and "
                    + "these with gated-"),
            },
            IsGated = projection.StartsWith("gated-", StringComparison.Ordinal),
            TiedHead = file.Bool("tie_word_embeddings") ?? true,
            NormEpsilon = file.Float("layer_norm_epsilon") ?? 1e-6f,
            StartToken = file.Int("decoder_start_token_id") ?? file.Int("pad_token_id") ?? 0,
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, "T5ForConditionalGeneration", ModelType);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("d_model", Channels);
        json.WriteNumber("d_kv", HeadDim);
        json.WriteNumber("d_ff", Intermediate);
        json.WriteNumber("num_layers", Layers);
        json.WriteNumber("num_decoder_layers", DecoderLayers);
        json.WriteNumber("num_heads", Heads);
        json.WriteNumber("relative_attention_num_buckets", Buckets);
        json.WriteNumber("relative_attention_max_distance", MaxDistance);
        json.WriteString("feed_forward_proj", (IsGated ? "gated-" : "") + Activation switch
        {
            ActivationKind.Relu => "relu",
            ActivationKind.GeluTanh => "gelu",
            _ => "silu",
        });
        WriteFloat(json, "layer_norm_epsilon", NormEpsilon);
        json.WriteBoolean("tie_word_embeddings", TiedHead);
        json.WriteBoolean("is_encoder_decoder", true);
        json.WriteNumber("decoder_start_token_id", StartToken);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("layers", Text(Layers)), ("decoder_layers", Text(DecoderLayers)), ("heads", Text(Heads)),
        ("head_dim", Text(HeadDim)), ("channels", Text(Channels)), ("intermediate", Text(Intermediate)),
        ("vocabulary", Text(VocabSize)), ("activation", Activation.ToString()), ("gated", Text(IsGated)),
        ("tied_head", Text(TiedHead)), ("buckets", Text(Buckets)), ("max_distance", Text(MaxDistance)),
    ];
}
