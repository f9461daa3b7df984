using System.Text.Json;

namespace Nano;

/// <summary>A vision transformer (Dosovitskiy et al., 2020) as data.</summary>
public sealed record VitConfig : ArchitectureConfig
{
    /// <summary>The blocks.</summary>
    public required TowerConfig Tower { get; init; }

    /// <summary>The sizes of images and patches.</summary>
    public required ImageSizes Images { get; init; }

    /// <summary>Classes of images.</summary>
    public required int Classes { get; init; }

    /// <inheritdoc/>
    public override string ModelType => "vit";

    internal override int Depth => Tower.Layers;

    internal override IReadOnlyList<string> Unread => ["vit.pooler."];

    internal override Model NewModel(Parameters parameters) => new Vit(this, parameters);

    /// <inheritdoc/>
    protected internal override string? Problem() => Tower.Problem() ?? Images.Problem()
        ?? SizeChecks.Problem(("number of classes", Classes, MaxChannels));

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong
    /// type.</exception>
    internal static VitConfig Read(ConfigJson file)
    {
        FamilyKeys.Require(file, "qkv_bias", true);
        if (file.Strings("architectures") is [var architecture, ..] and not ["ViTForImageClassification", ..])
            throw file.Bad($"'architectures' names {Quoted.Of(architecture)}; supported: ViTForImageClassification");
        return new()
        {
            Tower = TowerKeys.Read(file, ActivationKind.GeluErf, 1e-12f),
            Images = TowerKeys.ReadImages(file),
            Classes = file.Object("id2label")?.Count ?? file.Int("num_labels") ?? 2,
        };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, "ViTForImageClassification", ModelType);
        TowerKeys.Write(json, Tower);
        TowerKeys.WriteImages(json, Images);
        json.WriteBoolean("qkv_bias", true);
        json.WriteNumber("initializer_range", 0.02);
        WriteLabels(json, Classes);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
        [.. TowerKeys.Describe(Tower), .. TowerKeys.Describe(Images), ("classes", Text(Classes))];
}
