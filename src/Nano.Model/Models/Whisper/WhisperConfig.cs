using System.Text.Json;

namespace Nano;

/// <summary>Whisper (Radford et al., 2022) as data.</summary>
public sealed record WhisperConfig : ArchitectureConfig
{
    internal const float NormEpsilon = 1e-5f;

    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Bins of the spectrogram, numbers of a frame.</summary>
    public required int MelBins { get; init; }

    /// <summary>The blocks of the encoder, of the decoder's width and activation function.</summary>
    public required TowerConfig Encoder { get; init; }

    /// <summary>Blocks of the decoder.</summary>
    public required int DecoderLayers { get; init; }

    /// <summary>Attention heads of a block of the decoder.</summary>
    public required int DecoderHeads { get; init; }

    /// <summary>Width of the decoder's MLPs.</summary>
    public required int DecoderIntermediate { get; init; }

    /// <summary>Positions of the encoder, one for two frames.</summary>
    public int SoundPositions { get; init; } = 1500;

    /// <summary>Positions of the decoder.</summary>
    public int TextPositions { get; init; } = 448;

    /// <summary>The id that the decoder begins with.</summary>
    public int StartToken { get; init; }

    /// <summary>C: width of the residual streams.</summary>
    public int Channels => Encoder.Channels;

    /// <summary>Frames that the encoder reads.</summary>
    public int Frames => 2 * SoundPositions;

    /// <inheritdoc/>
    public override string ModelType => "whisper";

    internal override int Depth => Encoder.Layers + DecoderLayers;

    internal override Model NewModel(Parameters parameters) => new Whisper(this, parameters);

    /// <inheritdoc/>
    internal override IEnumerable<(string Copy, string Parameter)> Copies => [("proj_out.weight", Whisper.TokenTable)];

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (Encoder.Problem() is { } ofEncoder)
            return "of the encoder, " + ofEncoder;
        if (SizeChecks.Problem(
        [
            ("vocabulary size", VocabSize, 1 << 24), ("number of mel bins", MelBins, MaxChannels),
            ("number of decoder layers", DecoderLayers, MaxLayers), ("number of heads", DecoderHeads, MaxChannels),
            ("width of the MLP", DecoderIntermediate, MaxChannels),
            ("number of sound positions", SoundPositions, 1 << 20), ("context length", TextPositions, 1 << 20),
        ]) is { } problem)
            return problem;
        if (Channels % 2 != 0)
            return $"{Channels} channels are odd, and the encoder's positions are sines and cosines";
        return StartToken < 0 || StartToken >= VocabSize ? $"the decoder begins with token {StartToken} of {VocabSize}"
            : SizeChecks.HeadsProblem(Channels, DecoderHeads);
    }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong
    /// type.</exception>
    internal static WhisperConfig Read(ConfigJson file)
    {
        FamilyKeys.Require(file, "scale_embedding", false);
        FamilyKeys.Require(file, "tie_word_embeddings", true);
        return new()
        {
            VocabSize = file.RequiredInt("vocab_size"),
            MelBins = file.RequiredInt("num_mel_bins"),
            Encoder = new()
            {
                Layers = file.RequiredInt("encoder_layers"),
                Heads = file.RequiredInt("encoder_attention_heads"),
                Channels = file.RequiredInt("d_model"),
                Intermediate = file.RequiredInt("encoder_ffn_dim"),
                Activation = FamilyKeys.Activation(file, "activation_function", ActivationKind.GeluErf),
                NormEpsilon = NormEpsilon,
            },
            DecoderLayers = file.RequiredInt("decoder_layers"),
            DecoderHeads = file.RequiredInt("decoder_attention_heads"),
            DecoderIntermediate = file.RequiredInt("decoder_ffn_dim"),
            SoundPositions = file.Int("max_source_positions") ?? 1500,
            TextPositions = file.Int("max_target_positions") ?? 448,
            StartToken = file.RequiredInt("decoder_start_token_id"),
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, "WhisperForConditionalGeneration", ModelType);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("num_mel_bins", MelBins);
        json.WriteNumber("d_model", Channels);
        json.WriteNumber("encoder_layers", Encoder.Layers);
        json.WriteNumber("encoder_attention_heads", Encoder.Heads);
        json.WriteNumber("encoder_ffn_dim", Encoder.Intermediate);
        json.WriteNumber("decoder_layers", DecoderLayers);
        json.WriteNumber("decoder_attention_heads", DecoderHeads);
        json.WriteNumber("decoder_ffn_dim", DecoderIntermediate);
        json.WriteNumber("max_source_positions", SoundPositions);
        json.WriteNumber("max_target_positions", TextPositions);
        json.WriteString("activation_function", FamilyKeys.NameOf(Encoder.Activation));
        json.WriteBoolean("scale_embedding", false);
        json.WriteBoolean("is_encoder_decoder", true);
        json.WriteNumber("decoder_start_token_id", StartToken);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        .. TowerKeys.Describe(Encoder, "encoder "), ("decoder layers", Text(DecoderLayers)),
        ("decoder heads", Text(DecoderHeads)), ("decoder intermediate", Text(DecoderIntermediate)),
        ("vocabulary", Text(VocabSize)), ("mel bins", Text(MelBins)), ("sound positions", Text(SoundPositions)),
        ("context", Text(TextPositions)),
    ];
}
