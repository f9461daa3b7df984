using System.Text.Json;

namespace Nano;

/// <summary>The keys of config.json that most families of decoders share.</summary>
internal static class FamilyKeys
{
    /// <summary>The sizes, under the names that most have.</summary>
    public static DecoderConfig Sizes(ConfigJson file, string epsilonKey, bool tied)
    {
        int heads = file.RequiredInt("num_attention_heads");
        var config = new DecoderConfig
        {
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = file.RequiredInt("max_position_embeddings"),
            Layers = file.RequiredInt("num_hidden_layers"),
            Heads = heads,
            Channels = file.RequiredInt("hidden_size"),
            KvHeads = file.Int("num_key_value_heads") ?? heads,
            Intermediate = file.RequiredInt("intermediate_size"),
            NormEpsilon = file.Float(epsilonKey) ?? 1e-5f,
            TiedHead = file.Bool("tie_word_embeddings") ?? tied,
            Dropout = file.Float("dropout") ?? 0,
            QkvBias = file.Bool("attention_bias") ?? false,
            OutputBias = file.Bool("attention_bias") ?? false,
        };
        return file.Int("head_dim") is { } D ? config with { HeadDim = D } : config;
    }

    /// <summary>Refuses a switch that does not have the one value that is supported.</summary>
    /// <exception cref="BadFileException">It has another.</exception>
    public static void Require(ConfigJson file, string key, bool value)
    {
        if (file.Bool(key) is { } given && given != value)
            throw file.Bad($"'{key}' is {(given ? "true" : "false")}, a variant that is not supported");
    }

    /// <summary>The activation function that a key names.</summary>
    /// <exception cref="BadFileException">It is none that is supported.</exception>
    public static ActivationKind Activation(ConfigJson file, string key, ActivationKind otherwise) =>
        file.String(key) switch
        {
            null => otherwise,
            "silu" or "swish" => ActivationKind.Silu,
            "gelu" => ActivationKind.GeluErf,
            "gelu_pytorch_tanh" or "gelu_new" or "gelu_fast" => ActivationKind.GeluTanh,
            "quick_gelu" => ActivationKind.QuickGelu,
            "relu" => ActivationKind.Relu,
            var name => throw file.Bad($"'{key}' is {Quoted.Of(name)}; supported: silu, gelu, gelu_pytorch_tanh, "
                + "quick_gelu, relu"),
        };

    /// <summary>The name of an activation function.</summary>
    public static string NameOf(ActivationKind activation) => activation switch
    {
        ActivationKind.Silu => "silu",
        ActivationKind.GeluErf => "gelu",
        ActivationKind.GeluTanh => "gelu_pytorch_tanh",
        ActivationKind.QuickGelu => "quick_gelu",
        _ => activation.ToString().ToLowerInvariant(),
    };

    /// <summary>Writes what <see cref="Sizes"/> reads.</summary>
    public static void WriteSizes(Utf8JsonWriter json, DecoderConfig config, string epsilonKey, string activationKey)
    {
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("hidden_size", config.Channels);
        json.WriteNumber("intermediate_size", config.Intermediate);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("num_key_value_heads", config.KvHeads);
        json.WriteNumber("head_dim", config.HeadDim);
        json.WriteString(activationKey, NameOf(config.Activation));
        config.WriteRope(json);
        json.WriteNumber("initializer_range", 0.02);
        WriteFloat(json, epsilonKey, config.NormEpsilon);
        json.WriteBoolean("attention_bias", config.QkvBias);
        WriteEnd(json, config);
    }

    /// <summary>Writes what all have at the end.</summary>
    public static void WriteEnd(Utf8JsonWriter json, DecoderConfig config)
    {
        if (config.Dropout != 0)
            WriteFloat(json, "dropout", config.Dropout); // Nano's own extension
        json.WriteBoolean("tie_word_embeddings", config.TiedHead);
        json.WriteString("torch_dtype", "float32");
    }

    /// <summary>Writes a number with a point.</summary>
    public static void WriteFloat(Utf8JsonWriter json, string key, IFormattable value) =>
        ModelConfig.WriteFloat(json, key, value);

    /// <summary>Writes the length of a window, or null for none.</summary>
    public static void WriteWindow(Utf8JsonWriter json, DecoderConfig config)
    {
        if (config.Window == 0)
            json.WriteNull("sliding_window");
        else
            json.WriteNumber("sliding_window", config.Window);
    }

    /// <summary>Writes a number, or null for 0.</summary>
    public static void WriteOrNull(Utf8JsonWriter json, string key, float value)
    {
        if (value == 0)
            json.WriteNull(key);
        else
            WriteFloat(json, key, value);
    }
}

/// <summary>config.json of Phi-3, OLMo-2 and Cohere: Llama with other norms and rotations.</summary>
internal static class RootKeys
{
    /// <summary>Phi-3 and 4: a part of each head may be rotated; longrope.</summary>
    public static DecoderConfig ReadPhi3(ConfigJson file)
    {
        FamilyKeys.Require(file, "attention_bias", false);
        var config = FamilyKeys.Sizes(file, "rms_norm_eps", tied: false) with
        {
            Family = DecoderFamily.Phi3,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.Silu),
            Window = file.Int("sliding_window") ?? 0,
        };
        return DecoderConfig.WithRope(config, file);
    }

    public static void WritePhi3(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_act");
        FamilyKeys.WriteWindow(json, config);
    }

    /// <summary>OLMo-2: norms behind the branches, and over all heads of queries and keys.</summary>
    public static DecoderConfig ReadOlmo2(ConfigJson file) => DecoderConfig.WithRope(
        FamilyKeys.Sizes(file, "rms_norm_eps", tied: false) with
        {
            Family = DecoderFamily.Olmo2,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.Silu),
            Norms = NormPlacement.After,
            QkNormAllHeads = true,
        }, file);

    public static void WriteOlmo2(Utf8JsonWriter json, DecoderConfig config) =>
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_act");

    /// <summary>Cohere: parallel branches behind one norm without a bias, pairs of neighbours rotated.</summary>
    public static DecoderConfig ReadCohere(ConfigJson file)
    {
        FamilyKeys.Require(file, "use_qk_norm", false);
        return DecoderConfig.WithRope(FamilyKeys.Sizes(file, "layer_norm_eps", tied: true) with
        {
            Family = DecoderFamily.Cohere,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.Silu),
            NormKind = NormKind.LayerWithoutBias,
            IsParallel = true,
            SharesNorm = true,
            Pairing = RopePairing.Interleaved,
            LogitScale = file.Float("logit_scale") ?? 0.0625f,
        }, file);
    }

    public static void WriteCohere(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "layer_norm_eps", "hidden_act");
        FamilyKeys.WriteFloat(json, "logit_scale", config.LogitScale);
        json.WriteBoolean("use_qk_norm", false);
    }
}
