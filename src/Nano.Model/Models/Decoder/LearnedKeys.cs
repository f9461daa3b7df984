using System.Text.Json;

namespace Nano;

/// <summary>config.json of OPT, GPT-1 and StarCoder: a table of positions, layer norms, plain MLPs, biases.</summary>
internal static class LearnedKeys
{
    private const int OptOffset = 2;

    private static readonly string[] Dropouts = ["resid_pdrop", "embd_pdrop", "attn_pdrop"];

    /// <summary>OPT: norms before the branches, ReLU; two rows before the first position.</summary>
    public static DecoderConfig ReadOpt(ConfigJson file)
    {
        FamilyKeys.Require(file, "do_layer_norm_before", true);
        FamilyKeys.Require(file, "_remove_final_layer_norm", false);
        FamilyKeys.Require(file, "enable_bias", true);
        FamilyKeys.Require(file, "layer_norm_elementwise_affine", true);
        int C = file.RequiredInt("hidden_size");
        if (file.Int("word_embed_proj_dim") is { } width && width != C)
            throw file.Bad($"'word_embed_proj_dim' is {width}, a variant that is not supported; supported: "
                + $"'hidden_size', {C}");
        return Plain(file, C, file.RequiredInt("max_position_embeddings"), file.RequiredInt("num_hidden_layers"),
            file.RequiredInt("num_attention_heads"), file.RequiredInt("ffn_dim")) with
        {
            Family = DecoderFamily.Opt,
            PositionOffset = OptOffset,
            Activation = FamilyKeys.Activation(file, "activation_function", ActivationKind.Relu),
            Dropout = file.Float("dropout") ?? 0.1f,
        };
    }

    public static void WriteOpt(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("hidden_size", config.Channels);
        json.WriteNumber("word_embed_proj_dim", config.Channels);
        json.WriteNumber("ffn_dim", config.Intermediate);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("max_position_embeddings", config.ContextLength);
        json.WriteString("activation_function", FamilyKeys.NameOf(config.Activation));
        json.WriteBoolean("do_layer_norm_before", true);
        FamilyKeys.WriteFloat(json, "init_std", 0.02);
        FamilyKeys.WriteFloat(json, "dropout", config.Dropout);
        FamilyKeys.WriteFloat(json, "attention_dropout", 0.0);
        json.WriteBoolean("tie_word_embeddings", config.TiedHead);
        json.WriteString("torch_dtype", "float32");
    }

    /// <summary>GPT-1: norms on the sums, none before the head; "gelu" is the tanh form.</summary>
    public static DecoderConfig ReadGpt1(ConfigJson file) => Plain(file, file.RequiredInt("n_embd"),
        file.RequiredInt("n_positions"), file.RequiredInt("n_layer"), file.RequiredInt("n_head"), null) with
    {
        Family = DecoderFamily.Gpt1,
        Norms = NormPlacement.AfterSum,
        HasFinalNorm = false,
        NormEpsilon = file.Float("layer_norm_epsilon") ?? 1e-5f,
        Activation = file.String("afn") switch
        {
            null or "gelu" => ActivationKind.GeluTanh,
            "relu" => ActivationKind.Relu,
            "silu" or "swish" => ActivationKind.Silu,
            string name => throw file.Bad($"'afn' is {Quoted.Of(name)}; supported: gelu, relu, silu"),
        },
        Dropout = Gpt2Config.ReadDropout(file),
    };

    public static void WriteGpt1(Utf8JsonWriter json, DecoderConfig config)
    {
        WriteSizes(json, config);
        json.WriteString("afn", config.Activation == ActivationKind.GeluTanh ? "gelu"
            : FamilyKeys.NameOf(config.Activation));
        WriteEnd(json, config);
    }

    /// <summary>StarCoder: GPT-2 whose heads share one head of keys and values, or have their own.</summary>
    public static DecoderConfig ReadStarCoder(ConfigJson file)
    {
        FamilyKeys.Require(file, "scale_attn_weights", true);
        FamilyKeys.Require(file, "add_cross_attention", false);
        int heads = file.RequiredInt("n_head");
        return Plain(file, file.RequiredInt("n_embd"), file.RequiredInt("n_positions"), file.RequiredInt("n_layer"),
            heads, file.Int("n_inner")) with
        {
            Family = DecoderFamily.StarCoder,
            KvHeads = file.Bool("multi_query") ?? true ? 1 : heads,
            NormEpsilon = file.Float("layer_norm_epsilon") ?? 1e-5f,
            Activation = FamilyKeys.Activation(file, "activation_function", ActivationKind.GeluTanh),
            Dropout = Gpt2Config.ReadDropout(file),
        };
    }

    public static void WriteStarCoder(Utf8JsonWriter json, DecoderConfig config)
    {
        WriteSizes(json, config);
        json.WriteNumber("n_inner", config.Intermediate);
        json.WriteBoolean("multi_query", config.KvHeads == 1);
        json.WriteString("activation_function", FamilyKeys.NameOf(config.Activation));
        json.WriteBoolean("scale_attn_weights", true);
        WriteEnd(json, config);
    }

    private static void WriteSizes(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("n_positions", config.ContextLength);
        json.WriteNumber("n_embd", config.Channels);
        json.WriteNumber("n_layer", config.Layers);
        json.WriteNumber("n_head", config.Heads);
    }

    private static void WriteEnd(Utf8JsonWriter json, DecoderConfig config)
    {
        foreach (string key in Dropouts)
            FamilyKeys.WriteFloat(json, key, config.Dropout);
        FamilyKeys.WriteFloat(json, "layer_norm_epsilon", config.NormEpsilon);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteBoolean("tie_word_embeddings", config.TiedHead);
        json.WriteString("torch_dtype", "float32");
    }

    /// <summary>A decoder with a table of positions, layer norms, a plain MLP, for null four times as wide.</summary>
    private static DecoderConfig Plain(ConfigJson file, int channels, int context, int layers, int heads, int? width)
        => new()
        {
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = context,
            Layers = layers,
            Heads = heads,
            Channels = channels,
            Intermediate = width ?? (int)Math.Min(int.MaxValue, 4L * channels),
            Positions = PositionKind.Learned,
            NormKind = NormKind.Layer,
            NormEpsilon = 1e-5f,
            IsGated = false,
            QkvBias = true,
            OutputBias = true,
            MlpBias = true,
            TiedHead = file.Bool("tie_word_embeddings") ?? true,
        };
}
