using System.Text.Json;

namespace Nano;

/// <summary>CLIP (Radford et al., 2021) as data.</summary>
public sealed record ClipConfig : ArchitectureConfig
{
    // Files of before 2023 give this id, and mean the last of the vocabulary.
    private const int OldEndToken = 2;

    private const string LossKey = "contrastive_loss", Sigmoid = "sigmoid", Softmax = "softmax"; // Nano's own

    /// <summary>The blocks that read texts.</summary>
    public required TowerConfig TextTower { get; init; }

    /// <summary>The blocks that read images.</summary>
    public required TowerConfig VisionTower { get; init; }

    /// <summary>The sizes of images and patches.</summary>
    public required ImageSizes Images { get; init; }

    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>T: the longest text, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>The id that ends a text, whose row is the text's vector.</summary>
    public required int EndToken { get; init; }

    /// <summary>P: width of the space of images and texts.</summary>
    public required int Projection { get; init; }

    /// <summary>True for SigLIP's loss, which has a bias to learn; false for CLIP's own.</summary>
    public bool SigmoidLoss { get; init; }

    /// <inheritdoc/>
    public override string ModelType => "clip";

    internal override int Depth => TextTower.Layers + VisionTower.Layers;

    internal override Model NewModel(Parameters parameters) => new Clip(this, parameters);

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (TextTower.Problem() is { } ofTexts)
            return "of texts, " + ofTexts;
        if (VisionTower.Problem() is { } ofImages)
            return "of images, " + ofImages;
        if ((Images.Problem() ?? SizeChecks.Problem(("vocabulary size", VocabSize, 1 << 24),
            ("context length", ContextLength, 1 << 24), ("width of the projections", Projection, MaxChannels)))
            is { } problem)
            return problem;
        return EndToken >= 0 && EndToken < VocabSize ? null
            : $"the end token is {EndToken}; it must be an id below {VocabSize}";
    }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong
    /// type.</exception>
    internal static ClipConfig Read(ConfigJson file)
    {
        ConfigJson text = TowerKeys.Part(file, "text_config"), vision = TowerKeys.Part(file, "vision_config");
        int tokens = text.RequiredInt("vocab_size");
        return new()
        {
            TextTower = TowerKeys.Read(text, ActivationKind.QuickGelu, 1e-5f),
            VisionTower = TowerKeys.Read(vision, ActivationKind.QuickGelu, 1e-5f),
            Images = TowerKeys.ReadImages(vision),
            VocabSize = tokens,
            ContextLength = text.RequiredInt("max_position_embeddings"),
            EndToken = text.Int("eos_token_id") is { } end and not OldEndToken ? end : tokens - 1,
            Projection = file.RequiredInt("projection_dim"),
            SigmoidLoss = file.String(LossKey) switch
            {
                null or Softmax => false,
                Sigmoid => true,
                var name => throw file.Bad($"'{LossKey}' is {Quoted.Of(name)}; supported: {Softmax}, {Sigmoid}"),
            },
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, "CLIPModel", ModelType);
        json.WriteNumber("projection_dim", Projection);
        WriteFloat(json, "logit_scale_init_value", 2.6592f);
        if (SigmoidLoss)
            json.WriteString(LossKey, Sigmoid);
        json.WriteStartObject("text_config");
        json.WriteString("model_type", "clip_text_model");
        TowerKeys.Write(json, TextTower);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("max_position_embeddings", ContextLength);
        json.WriteNumber("eos_token_id", EndToken);
        json.WriteEndObject();
        TowerKeys.WriteVision(json, VisionTower, Images);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        .. TowerKeys.Describe(TextTower, "text "), .. TowerKeys.Describe(VisionTower, "vision "),
        .. TowerKeys.Describe(Images),
        ("context", $"{ContextLength}"), ("vocabulary", $"{VocabSize}"), ("projection", $"{Projection}"),
        .. SigmoidLoss ? [("loss", Sigmoid)] : Array.Empty<(string, string)>(),
    ];
}
