using System.Text.Json;

namespace Nano;

/// <summary>config.json of GPT-NeoX, BLOOM, Falcon and MPT: layer norms and plain MLPs with GELU.</summary>
internal static class NeoKeys
{
    private const int PlainFactor = 4;

    /// <summary>GPT-NeoX and Pythia: parallel branches, a part of each head rotated, biases.</summary>
    public static DecoderConfig ReadNeox(ConfigJson file)
    {
        bool bias = file.Bool("attention_bias") ?? true, parallel = file.Bool("use_parallel_residual") ?? true;
        var config = FamilyKeys.Sizes(file, "layer_norm_eps", tied: false) with
        {
            Family = DecoderFamily.GptNeox,
            NormKind = NormKind.Layer,
            IsParallel = parallel,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.GeluErf),
            IsGated = false,
            QkvBias = bias,
            OutputBias = bias,
            MlpBias = true,
        };
        var rope = file.Object("rope_parameters");
        double part = rope?.Double("partial_rotary_factor") ?? file.Double("rotary_pct") ?? 0.25;
        config = DecoderConfig.WithRope(config, file);
        return DecoderConfig.WithRotaryPart(config, part, file) with
        {
            RopeTheta = rope?.Double("rope_theta") ?? file.Double("rotary_emb_base") ?? 10000,
        };
    }

    public static void WriteNeox(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("hidden_size", config.Channels);
        json.WriteNumber("intermediate_size", config.Intermediate);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("max_position_embeddings", config.ContextLength);
        json.WriteString("hidden_act", FamilyKeys.NameOf(config.Activation));
        FamilyKeys.WriteFloat(json, "rotary_pct", (double)config.RotaryDim / config.HeadDim);
        FamilyKeys.WriteFloat(json, "rotary_emb_base", config.RopeTheta);
        json.WriteNumber("initializer_range", 0.02);
        FamilyKeys.WriteFloat(json, "layer_norm_eps", config.NormEpsilon);
        json.WriteBoolean("use_parallel_residual", config.IsParallel);
        json.WriteBoolean("attention_bias", config.QkvBias);
        FamilyKeys.WriteEnd(json, config);
    }

    /// <summary>BLOOM: slopes instead of positions, a norm behind the embedding, biases.</summary>
    public static DecoderConfig ReadBloom(ConfigJson file)
    {
        FamilyKeys.Require(file, "apply_residual_connection_post_layernorm", false);
        int C = file.Int("hidden_size") ?? file.RequiredInt("n_embed");
        int layers = file.Int("n_layer") ?? file.RequiredInt("num_hidden_layers"),
            heads = file.Int("n_head") ?? file.RequiredInt("num_attention_heads");
        return Plain(file.RequiredInt("vocab_size"), file.Int("seq_length") ?? 2048, layers, heads, C) with
        {
            Family = DecoderFamily.Bloom,
            NormKind = NormKind.Layer,
            NormEpsilon = file.Float("layer_norm_epsilon") ?? 1e-5f,
            EmbeddingNorm = true,
            Positions = PositionKind.Slopes,
            Activation = ActivationKind.GeluTanh,
            QkvBias = true,
            OutputBias = true,
            MlpBias = true,
            TiedHead = file.Bool("tie_word_embeddings") ?? true,
            Dropout = file.Float("dropout") ?? 0,
        };
    }

    public static void WriteBloom(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("hidden_size", config.Channels);
        json.WriteNumber("n_layer", config.Layers);
        json.WriteNumber("n_head", config.Heads);
        json.WriteNumber("seq_length", config.ContextLength);
        json.WriteNumber("initializer_range", 0.02);
        FamilyKeys.WriteFloat(json, "layer_norm_epsilon", config.NormEpsilon);
        json.WriteBoolean("apply_residual_connection_post_layernorm", false);
        FamilyKeys.WriteEnd(json, config);
    }

    /// <summary>Falcon: parallel branches behind one norm (7B) or two (40B), few key heads, no biases but the norms'.
    /// </summary>
    public static DecoderConfig ReadFalcon(ConfigJson file)
    {
        FamilyKeys.Require(file, "alibi", false);
        bool isNew = file.Bool("new_decoder_architecture") ?? false, parallel = isNew
            || (file.Bool("parallel_attn") ?? true), bias = file.Bool("bias") ?? false;
        int heads = file.RequiredInt("num_attention_heads"), C = file.RequiredInt("hidden_size");
        int keys = isNew ? file.RequiredInt("num_kv_heads") : file.Bool("multi_query") ?? true ? 1 : heads;
        bool shares = parallel && (!isNew || file.Int("num_ln_in_parallel_attn") == 1);
        var config = Plain(file.RequiredInt("vocab_size"), file.Int("max_position_embeddings") ?? 2048,
            file.RequiredInt("num_hidden_layers"), heads, C) with
        {
            Family = parallel && !shares ? DecoderFamily.FalconTwoNorms : DecoderFamily.Falcon,
            KvHeads = keys,
            Intermediate = file.Int("ffn_hidden_size") ?? C * PlainFactor,
            NormKind = NormKind.Layer,
            NormEpsilon = file.Float("layer_norm_epsilon") ?? 1e-5f,
            IsParallel = parallel,
            SharesNorm = shares,
            Activation = FamilyKeys.Activation(file, "activation", ActivationKind.GeluErf),
            QkvBias = bias,
            OutputBias = bias,
            MlpBias = bias,
            TiedHead = file.Bool("tie_word_embeddings") ?? true,
            Dropout = file.Float("dropout") ?? 0,
        };
        return DecoderConfig.WithRope(config, file);
    }

    public static void WriteFalcon(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("hidden_size", config.Channels);
        json.WriteNumber("ffn_hidden_size", config.Intermediate);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_attention_heads", config.Heads);
        bool isNew = config.KvHeads is not 1 && config.KvHeads != config.Heads;
        json.WriteNumber("num_kv_heads", config.KvHeads);
        json.WriteBoolean("multi_query", config.KvHeads == 1);
        json.WriteBoolean("new_decoder_architecture", isNew || (config.IsParallel && !config.SharesNorm));
        json.WriteNumber("num_ln_in_parallel_attn", config.SharesNorm ? 1 : 2);
        json.WriteBoolean("parallel_attn", config.IsParallel);
        json.WriteBoolean("bias", config.QkvBias);
        json.WriteBoolean("alibi", false);
        json.WriteString("activation", FamilyKeys.NameOf(config.Activation));
        config.WriteRope(json);
        json.WriteNumber("initializer_range", 0.02);
        FamilyKeys.WriteFloat(json, "layer_norm_epsilon", config.NormEpsilon);
        FamilyKeys.WriteEnd(json, config);
    }

    /// <summary>MPT: slopes instead of positions, norms without biases.</summary>
    public static DecoderConfig ReadMpt(ConfigJson file)
    {
        FamilyKeys.Require(file, "no_bias", true);
        if (file.Object("attn_config") is { } attention)
        {
            FamilyKeys.Require(attention, "alibi", true);
            FamilyKeys.Require(attention, "qk_ln", false);
        }
        int C = file.RequiredInt("d_model"), factor = file.Int("expansion_ratio") ?? PlainFactor;
        return Plain(file.RequiredInt("vocab_size"), file.Int("max_seq_len") ?? 2048, file.RequiredInt("n_layers"),
            file.RequiredInt("n_heads"), C) with
        {
            Family = DecoderFamily.Mpt,
            Intermediate = C * factor,
            NormKind = NormKind.LayerWithoutBias,
            NormEpsilon = file.Float("layer_norm_epsilon") ?? 1e-5f,
            Positions = PositionKind.Slopes,
            TiedHead = file.Bool("tie_word_embeddings") ?? true,
            Dropout = file.Float("dropout") ?? 0,
        };
    }

    public static void WriteMpt(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("d_model", config.Channels);
        json.WriteNumber("n_layers", config.Layers);
        json.WriteNumber("n_heads", config.Heads);
        json.WriteNumber("expansion_ratio", config.Intermediate / config.Channels);
        json.WriteNumber("max_seq_len", config.ContextLength);
        json.WriteStartObject("attn_config");
        json.WriteBoolean("alibi", true);
        json.WriteEndObject();
        json.WriteBoolean("no_bias", true);
        FamilyKeys.WriteFloat(json, "layer_norm_epsilon", config.NormEpsilon);
        FamilyKeys.WriteEnd(json, config);
    }

    /// <summary>A decoder with a plain MLP with GELU, four times as wide.</summary>
    private static DecoderConfig Plain(int vocabulary, int context, int layers, int heads, int channels) => new()
    {
        VocabSize = vocabulary,
        ContextLength = context,
        Layers = layers,
        Heads = heads,
        Channels = channels,
        Intermediate = (int)Math.Min(int.MaxValue, (long)PlainFactor * channels),
        Activation = ActivationKind.GeluErf,
        IsGated = false,
    };
}
