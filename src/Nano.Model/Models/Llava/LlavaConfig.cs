using System.Text.Json;

namespace Nano;

/// <summary>LLaVA (Liu et al., 2023) as data.</summary>
public sealed record LlavaConfig : ArchitectureConfig
{
    /// <summary>The decoder.</summary>
    public required DecoderConfig TextModel { get; init; }

    /// <summary>The blocks that read images.</summary>
    public required TowerConfig VisionTower { get; init; }

    /// <summary>The sizes of images and patches.</summary>
    public required ImageSizes Images { get; init; }

    /// <summary>The id whose places the patches take.</summary>
    public required int ImageToken { get; init; }

    /// <summary>
    /// The residual stream that the projector reads: 0 is that before the first block, 1 behind it; -1 is that behind the
    /// last.
    /// </summary>
    public int VisionLayer { get; init; } = -2;

    /// <summary>The activation function of the projector.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.GeluErf;

    /// <summary>Blocks of the vision tower that run.</summary>
    internal int VisionBlocks => VisionLayer < 0 ? VisionTower.Layers + 1 + VisionLayer : VisionLayer;

    /// <inheritdoc/>
    public override string ModelType => "llava";

    internal override int Depth => TextModel.Layers + VisionTower.Layers;

    internal override Model NewModel(Parameters parameters) => new Llava(this, parameters);

    /// <summary>The decoder's tensors have a prefix in the files.</summary>
    public override IEnumerable<FileTensor> FileTensors() => base.FileTensors()
        .Take(ParameterShapes().Count - TextModel.ParameterShapes().Count)
        .Concat(TextModel.FileTensors().Select(file => file with { Name = "language_model." + file.Name }));

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (TextModel.Problem() is { } ofTexts)
            return "of texts, " + ofTexts;
        if (VisionTower.Problem() is { } ofImages)
            return "of images, " + ofImages;
        if (Images.Problem() is { } problem)
            return problem;
        if (VisionBlocks < 0 || VisionBlocks > VisionTower.Layers)
            return $"the layer of the vision tower is {VisionLayer}; it has {VisionTower.Layers} blocks";
        return ImageToken >= 0 && ImageToken < TextModel.VocabSize ? null
            : $"the image token is {ImageToken}; it must be an id below {TextModel.VocabSize}";
    }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong type.</exception>
    internal static LlavaConfig Read(ConfigJson file)
    {
        ConfigJson text = TowerKeys.Part(file, "text_config"), vision = TowerKeys.Part(file, "vision_config");
        if (file.String("vision_feature_select_strategy") is { } strategy and not "default")
            throw file.Bad($"'vision_feature_select_strategy' is {Quoted.Of(strategy)}; supported: default");
        string? kind = text.String("model_type");
        return new()
        {
            TextModel = DecoderFamilies.Read(text, kind) ?? throw file.Bad($"'text_config.model_type' is "
                + $"{(kind is null ? "missing" : Quoted.Of(kind))}; supported: "
                + string.Join(", ", DecoderFamilies.ModelTypes)),
            VisionTower = TowerKeys.Read(vision, ActivationKind.QuickGelu, 1e-5f),
            Images = TowerKeys.ReadImages(vision),
            ImageToken = file.RequiredInt("image_token_index"),
            VisionLayer = file.Int("vision_feature_layer") ?? -2,
            Activation = FamilyKeys.Activation(file, "projector_hidden_act", ActivationKind.GeluErf),
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, "LlavaForConditionalGeneration", ModelType);
        json.WriteNumber("vision_feature_layer", VisionLayer);
        json.WriteString("vision_feature_select_strategy", "default");
        json.WriteString("projector_hidden_act", FamilyKeys.NameOf(Activation));
        json.WriteNumber("image_token_index", ImageToken);
        json.WritePropertyName("text_config");
        json.WriteRawValue(TextModel.ToJson());
        TowerKeys.WriteVision(json, VisionTower, Images);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        .. TextModel.Describe().Select(fact => ("text " + fact.Name, fact.Value)), .. TowerKeys.Describe(VisionTower, "vision "),
        .. TowerKeys.Describe(Images), ("image token", $"{ImageToken}"), ("vision layer", $"{VisionLayer}"),
    ];
}
