using System.Text.Json;

namespace Nano;

/// <summary>The keys of config.json that models with towers share.</summary>
internal static class TowerKeys
{
    /// <summary>The sizes of a tower.</summary>
    public static TowerConfig Read(ConfigJson file, ActivationKind activation, float epsilon) => new()
    {
        Layers = file.RequiredInt("num_hidden_layers"),
        Heads = file.RequiredInt("num_attention_heads"),
        Channels = file.RequiredInt("hidden_size"),
        Intermediate = file.RequiredInt("intermediate_size"),
        Activation = FamilyKeys.Activation(file, "hidden_act", activation),
        NormEpsilon = file.Float("layer_norm_eps") ?? epsilon,
    };

    /// <summary>Writes what <see cref="Read"/> reads.</summary>
    public static void Write(Utf8JsonWriter json, TowerConfig tower)
    {
        json.WriteNumber("hidden_size", tower.Channels);
        json.WriteNumber("num_hidden_layers", tower.Layers);
        json.WriteNumber("num_attention_heads", tower.Heads);
        json.WriteNumber("intermediate_size", tower.Intermediate);
        json.WriteString("hidden_act", FamilyKeys.NameOf(tower.Activation));
        FamilyKeys.WriteFloat(json, "layer_norm_eps", tower.NormEpsilon);
    }

    /// <summary>The sizes of images.</summary>
    public static ImageSizes ReadImages(ConfigJson file) =>
        new(file.RequiredInt("image_size"), file.RequiredInt("patch_size"), file.Int("num_channels") ?? 3);

    /// <summary>Writes what <see cref="ReadImages"/> reads.</summary>
    public static void WriteImages(Utf8JsonWriter json, ImageSizes images)
    {
        json.WriteNumber("image_size", images.Size);
        json.WriteNumber("patch_size", images.Patch);
        json.WriteNumber("num_channels", images.Colours);
    }

    /// <summary>The part of a file that describes one of several models.</summary>
    /// <exception cref="BadFileException">It is missing.</exception>
    public static ConfigJson Part(ConfigJson file, string key) =>
        file.Object(key) ?? throw file.Bad($"the key '{key}' is missing");

    /// <summary>Writes the vision tower of CLIP.</summary>
    public static void WriteVision(Utf8JsonWriter json, TowerConfig tower, ImageSizes images)
    {
        json.WriteStartObject("vision_config");
        json.WriteString("model_type", "clip_vision_model");
        Write(json, tower);
        WriteImages(json, images);
        json.WriteEndObject();
    }

    /// <summary>A tower as logs show it.</summary>
    public static IEnumerable<(string Name, string Value)> Describe(TowerConfig tower, string prefix = "") =>
    [
        (prefix + "layers", $"{tower.Layers}"), (prefix + "heads", $"{tower.Heads}"),
        (prefix + "channels", $"{tower.Channels}"), (prefix + "intermediate", $"{tower.Intermediate}"),
    ];

    /// <summary>Images as logs show them.</summary>
    public static IEnumerable<(string Name, string Value)> Describe(ImageSizes images) =>
        [("image size", $"{images.Size}"), ("patch size", $"{images.Patch}"), ("colours", $"{images.Colours}")];
}
