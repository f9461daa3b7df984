using System.Text.Json;

namespace Nano;

/// <summary>config.json of Gemma 2 and 3.</summary>
internal static class GemmaKeys
{
    private const string Full = "full_attention", Sliding = "sliding_attention";

    /// <summary>Gemma 2: bounds of scores and logits, a window in every second layer.</summary>
    public static DecoderConfig Read2(ConfigJson file) => WithLayers(file, 2, Read(file) with
    {
        Family = DecoderFamily.Gemma2,
        ScoreCap = file.Float("attn_logit_softcapping") ?? 0,
        LogitCap = file.Float("final_logit_softcapping") ?? 0,
    });

    /// <summary>
    /// Gemma 3: norms of queries and keys, five layers with a window and a base of their own, then one
    /// without.
    /// </summary>
    public static DecoderConfig Read3(ConfigJson file)
    {
        if (file.Float("attn_logit_softcapping") is { } cap)
            throw file.Bad($"'attn_logit_softcapping' is {cap}, a variant that is not supported");
        var config = WithLayers(file, file.Int("sliding_window_pattern") ?? 6, Read(file) with
        {
            Family = DecoderFamily.Gemma3,
            QkNorm = true,
            LogitCap = file.Float("final_logit_softcapping") ?? 0,
        });
        double local = file.Object("rope_parameters")?.Object(Sliding)?.Double("rope_theta")
            ?? file.Double("rope_local_base_freq") ?? 10000;
        return config with { LocalRopeTheta = local };
    }

    private static DecoderConfig Read(ConfigJson file)
    {
        var config = FamilyKeys.Sizes(file, "rms_norm_eps", tied: true);
        if (!file.Has("head_dim"))
            config = config with { HeadDim = 256 };
        double scalar = file.Double("query_pre_attn_scalar") ?? 256;
        return DecoderConfig.WithRope(config with
        {
            NormKind = NormKind.RmsPlusOne,
            NormEpsilon = file.Float("rms_norm_eps") ?? 1e-6f,
            Norms = NormPlacement.Both,
            Activation = FamilyKeys.Activation(file, "hidden_activation", ActivationKind.GeluTanh),
            EmbeddingScale = (float)Math.Sqrt(config.Channels),
            AttentionScale = (float)(1 / Math.Sqrt(scalar)),
            Window = file.Int("sliding_window") ?? 4096,
        }, file);
    }

    /// <summary>The layers with a window: all but each n-th, as layer_types says or as the family has it.</summary>
    internal static DecoderConfig WithLayers(ConfigJson file, int every, DecoderConfig config)
    {
        if (file.Strings("layer_types") is not { } types)
            return config with { FullEvery = every };
        if (types.Count != config.Layers)
            throw file.Bad($"'layer_types' has {types.Count} entries for {config.Layers} layers");
        int first = types.TakeWhile(type => type == Sliding).Count() + 1;
        for (int i = 0; i < types.Count; i++)
            if (types[i] != ((i + 1) % first == 0 ? Full : Sliding))
                throw file.Bad($"'layer_types' has {Quoted.Of(types[i])} at {i}; supported: {Sliding} but for each "
                    + $"{first}th layer, {Full}");
        return config with { FullEvery = first };
    }

    public static void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_activation");
        double scalar = 1 / Math.Pow(config.AttentionScale, 2);
        double whole = Math.Round(scalar);
        // A power of a float32; the whole number that it came from gives the same one.
        json.WriteNumber("query_pre_attn_scalar",
            (float)(1 / Math.Sqrt(whole)) == config.AttentionScale ? whole : scalar);
        json.WriteNumber("sliding_window", config.Window);
        FamilyKeys.WriteOrNull(json, "attn_logit_softcapping", config.ScoreCap);
        FamilyKeys.WriteOrNull(json, "final_logit_softcapping", config.LogitCap);
        if (config.LocalRopeTheta is { } local)
            FamilyKeys.WriteFloat(json, "rope_local_base_freq", local);
        WriteLayers(json, config);
    }

    internal static void WriteLayers(Utf8JsonWriter json, DecoderConfig config)
    {
        json.WriteStartArray("layer_types");
        for (int layer = 0; layer < config.Layers; layer++)
            json.WriteStringValue(config.WindowOf(layer) > 0 ? Sliding : Full);
        json.WriteEndArray();
    }
}
