using System.Text.Json;

namespace Nano;

/// <summary>
/// The first transformer (Vaswani et al., "Attention Is All You Need", 2017) or BART (Lewis et al., "BART", 2019) as
/// data. Both have the keys of BART's config.json.
/// </summary>
public sealed record TransformerConfig : ArchitectureConfig
{
    /// <summary>True for BART: learned positions, norms behind the embeddings, a bias of logits.</summary>
    public bool IsBart { get; init; }

    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>T: the longest text, on either side.</summary>
    public required int ContextLength { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int Channels { get; init; }

    /// <summary>Blocks of the encoder.</summary>
    public required int Layers { get; init; }

    /// <summary>Blocks of the decoder.</summary>
    public required int DecoderLayers { get; init; }

    /// <summary>Attention heads in a block of the encoder.</summary>
    public required int Heads { get; init; }

    /// <summary>Attention heads in a block of the decoder.</summary>
    public required int DecoderHeads { get; init; }

    /// <summary>Width of the encoder's MLPs.</summary>
    public required int Intermediate { get; init; }

    /// <summary>Width of the decoder's MLPs.</summary>
    public required int DecoderIntermediate { get; init; }

    /// <summary>The activation function of the MLPs.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Relu;

    /// <summary>True if embeddings are multiplied by sqrt(C).</summary>
    public bool ScalesEmbeddings { get; init; }

    /// <summary>True if logits have a bias that is not trained (BART's final_logits_bias).</summary>
    public bool HasLogitsBias { get; init; }

    /// <summary>The part of each target's weight that is spread over all ids in training.</summary>
    public float LabelSmoothing { get; init; }

    /// <summary>The id that the decoder begins with.</summary>
    public int StartToken { get; init; }

    /// <summary>The id of padding.</summary>
    public int PadToken { get; init; }

    /// <summary>The id that ends a text, or null.</summary>
    public int? EndToken { get; init; }

    /// <summary>Added to the variance in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <inheritdoc/>
    public override string ModelType => IsBart ? "bart" : "transformer";

    internal override int Depth => Layers + DecoderLayers;

    internal override string OptionalPrefix => "model.";

    internal override Model NewModel(Parameters parameters) => new Transformer(this, parameters);

    /// <inheritdoc/>
    internal override IEnumerable<(string Copy, string Parameter)> Copies =>
        from name in (string[])["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight",
            "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"]
        select (name, Transformer.TokenTable);

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (SizeChecks.Problem(
        [
            ("vocabulary size", VocabSize, 1 << 24), ("context length", ContextLength, 1 << 24),
            ("number of layers", Layers, MaxLayers), ("number of decoder layers", DecoderLayers, MaxLayers),
            ("number of heads", Heads, MaxChannels), ("number of decoder heads", DecoderHeads, MaxChannels),
            ("number of channels", Channels, MaxChannels), ("width of the MLP", Intermediate, MaxChannels),
            ("width of the decoder's MLP", DecoderIntermediate, MaxChannels),
        ]) is { } problem)
            return problem;
        if (!IsBart && Channels % 2 != 0)
            return $"sines and cosines come in pairs, and there are {Channels} channels";
        foreach (int id in (int[])[StartToken, PadToken, EndToken ?? 0])
            if (id < 0 || id >= VocabSize)
                return $"the special token {id} is not one of {VocabSize} ids";
        if (!(LabelSmoothing is >= 0 and < 1))
            return $"the smoothing of labels is {LabelSmoothing}; it must be from 0 to below 1";
        return SizeChecks.HeadsProblem(Channels, Heads) ?? SizeChecks.HeadsProblem(Channels, DecoderHeads)
            ?? SizeChecks.EpsilonProblem(NormEpsilon);
    }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong type.</exception>
    internal static TransformerConfig Read(ConfigJson file, string kind)
    {
        FamilyKeys.Require(file, "normalize_before", false);
        FamilyKeys.Require(file, "add_final_layer_norm", false);
        bool isBart = kind == "bart";
        if (isBart)
            FamilyKeys.Require(file, "normalize_embedding", true);
        string? architecture = file.Strings("architectures") is { Count: > 0 } names ? names[0] : null;
        if (isBart && architecture is not (null or "BartModel" or "BartForConditionalGeneration"))
            throw file.Bad($"'architectures' names {Quoted.Of(architecture)}; supported: BartModel, "
                + "BartForConditionalGeneration");
        return new()
        {
            IsBart = isBart,
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = file.RequiredInt("max_position_embeddings"),
            Channels = file.RequiredInt("d_model"),
            Layers = file.RequiredInt("encoder_layers"),
            DecoderLayers = file.RequiredInt("decoder_layers"),
            Heads = file.RequiredInt("encoder_attention_heads"),
            DecoderHeads = file.RequiredInt("decoder_attention_heads"),
            Intermediate = file.RequiredInt("encoder_ffn_dim"),
            DecoderIntermediate = file.RequiredInt("decoder_ffn_dim"),
            Activation = FamilyKeys.Activation(file, "activation_function",
                isBart ? ActivationKind.GeluErf : ActivationKind.Relu),
            ScalesEmbeddings = file.Bool("scale_embedding") ?? !isBart,
            HasLogitsBias = isBart && architecture != "BartModel",
            LabelSmoothing = file.Float("label_smoothing") ?? 0,
            StartToken = file.Int("decoder_start_token_id") ?? (isBart ? 2 : 0),
            PadToken = file.Int("pad_token_id") ?? (isBart ? 1 : 0),
            EndToken = file.Ints("eos_token_id") is { Count: > 0 } ends ? ends[0] : isBart ? 2 : null,
            NormEpsilon = file.Float("layer_norm_eps") ?? 1e-5f,
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, !IsBart ? "Transformer" : HasLogitsBias ? "BartForConditionalGeneration" : "BartModel",
            ModelType);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("max_position_embeddings", ContextLength);
        json.WriteNumber("d_model", Channels);
        json.WriteNumber("encoder_layers", Layers);
        json.WriteNumber("decoder_layers", DecoderLayers);
        json.WriteNumber("encoder_attention_heads", Heads);
        json.WriteNumber("decoder_attention_heads", DecoderHeads);
        json.WriteNumber("encoder_ffn_dim", Intermediate);
        json.WriteNumber("decoder_ffn_dim", DecoderIntermediate);
        json.WriteString("activation_function", FamilyKeys.NameOf(Activation));
        json.WriteBoolean("scale_embedding", ScalesEmbeddings);
        WriteFloat(json, "label_smoothing", LabelSmoothing);
        WriteFloat(json, "layer_norm_eps", NormEpsilon);
        json.WriteNumber("pad_token_id", PadToken);
        if (EndToken is { } end)
            json.WriteNumber("eos_token_id", end);
        json.WriteNumber("decoder_start_token_id", StartToken);
        json.WriteBoolean("is_encoder_decoder", true);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        ("layers", Text(Layers)), ("decoder_layers", Text(DecoderLayers)), ("heads", Text(Heads)),
        ("decoder_heads", Text(DecoderHeads)), ("channels", Text(Channels)), ("context", Text(ContextLength)),
        ("vocabulary", Text(VocabSize)), ("intermediate", Text(Intermediate)),
        ("decoder_intermediate", Text(DecoderIntermediate)), ("label_smoothing", Text(LabelSmoothing)),
    ];
}
