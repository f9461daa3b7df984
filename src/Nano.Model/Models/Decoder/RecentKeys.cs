using System.Text.Json;

namespace Nano;

/// <summary>config.json of StarCoder2, SmolLM3 and Cohere 2.</summary>
internal static class RecentKeys
{
    private const double SmolTheta = 2e6;
    private const int Every = 4;

    /// <summary>StarCoder2: layer norms, a plain MLP, biases, a window.</summary>
    public static DecoderConfig ReadStarCoder2(ConfigJson file)
    {
        RequireName(file, "mlp_type", "default");
        RequireName(file, "norm_type", "layer_norm");
        bool bias = file.Bool("use_bias") ?? true;
        return DecoderConfig.WithRope(FamilyKeys.Sizes(file, "norm_epsilon", tied: true) with
        {
            Family = DecoderFamily.StarCoder2,
            NormKind = NormKind.Layer,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.GeluTanh),
            IsGated = false,
            QkvBias = bias,
            OutputBias = bias,
            MlpBias = bias,
            Window = file.Int("sliding_window") ?? 0,
        }, file);
    }

    public static void WriteStarCoder2(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "norm_epsilon", "hidden_act");
        FamilyKeys.WriteWindow(json, config);
        json.WriteBoolean("use_bias", config.QkvBias);
    }

    /// <summary>SmolLM3: Llama in which each fourth layer does not rotate.</summary>
    public static DecoderConfig ReadSmolLm3(ConfigJson file)
    {
        FamilyKeys.Require(file, "use_sliding_window", false);
        if (file.Strings("layer_types")?.FirstOrDefault(type => type != "full_attention") is { } type)
            throw file.Bad($"'layer_types' has {Quoted.Of(type)}; supported: full_attention");
        var config = FamilyKeys.Sizes(file, "rms_norm_eps", tied: true) with
        {
            Family = DecoderFamily.SmolLm3,
            NormEpsilon = file.Float("rms_norm_eps") ?? 1e-6f,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.Silu),
            MlpBias = file.Bool("mlp_bias") ?? false,
        };
        config = DecoderConfig.WithRope(config with { UnrotatedEvery = Unrotated(file, config.Layers) }, file);
        bool hasTheta = file.Has("rope_theta") || file.Object("rope_parameters")?.Has("rope_theta") == true;
        return hasTheta ? config : config with { RopeTheta = SmolTheta };
    }

    /// <summary>n, where no_rope_layers has a 0 for each n-th layer and a 1, which rotates, for the others.</summary>
    private static int Unrotated(ConfigJson file, int layers)
    {
        var rotates = file.Ints("no_rope_layers");
        if (rotates.Count == 0)
            return file.Int("no_rope_layer_interval") ?? Every;
        if (rotates.Count != layers)
            throw file.Bad($"'no_rope_layers' has {rotates.Count} entries for {layers} layers");
        int first = rotates.TakeWhile(does => does != 0).Count() + 1;
        for (int i = 0; i < layers; i++)
            if (rotates[i] != ((i + 1) % first == 0 ? 0 : 1))
                throw file.Bad($"'no_rope_layers' has {rotates[i]} at {i}; supported: 1 but for each {first}th "
                    + "layer, 0");
        return first > layers ? 0 : first;
    }

    public static void WriteSmolLm3(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_act");
        json.WriteBoolean("mlp_bias", config.MlpBias);
        json.WriteBoolean("use_sliding_window", false);
        json.WriteStartArray("no_rope_layers");
        for (int layer = 0; layer < config.Layers; layer++)
            json.WriteNumberValue(config.RotatesAt(layer) ? 1 : 0);
        json.WriteEndArray();
    }

    /// <summary>Cohere 2: three layers with a window that rotate, then one that does neither.</summary>
    public static DecoderConfig ReadCohere2(ConfigJson file)
    {
        var config = GemmaKeys.WithLayers(file, file.Int("sliding_window_pattern") ?? Every, RootKeys.ReadCohere(file)
            with
        {
            Family = DecoderFamily.Cohere2,
            Window = file.Int("sliding_window") ?? 4096,
        });
        return config with { UnrotatedEvery = config.FullEvery };
    }

    public static void WriteCohere2(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "layer_norm_eps", "hidden_act");
        FamilyKeys.WriteFloat(json, "logit_scale", config.LogitScale);
        json.WriteNumber("sliding_window", config.Window);
        GemmaKeys.WriteLayers(json, config);
    }

    private static void RequireName(ConfigJson file, string key, string value)
    {
        if (file.String(key) is { } given && given != value)
            throw file.Bad($"'{key}' is {Quoted.Of(given)}, a variant that is not supported; supported: {value}");
    }
}
