using System.Text.Json;

namespace Nano;

/// <summary>config.json of mixtures of experts.</summary>
internal static class MixtureKeys
{
    /// <summary>Mixtral: Mistral whose MLPs are all mixtures.</summary>
    public static DecoderConfig ReadMixtral(ConfigJson file)
    {
        var config = FamilyKeys.Sizes(file, "rms_norm_eps", tied: false);
        return DecoderConfig.WithRope(config with
        {
            Family = DecoderFamily.Mixtral,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.Silu),
            Window = file.Int("sliding_window") ?? 0,
            Mixture = new(file.Int("num_local_experts") ?? 8, config.Intermediate,
                new RouterRule(file.Int("num_experts_per_tok") ?? 2))
            {
                BalanceLoss = file.Float("router_aux_loss_coef") ?? 0.001f,
                ZLoss = file.Float("router_z_loss_coef") ?? 0,
            },
        }, file);
    }

    public static void WriteMixtral(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_act");
        FamilyKeys.WriteOrNull(json, "sliding_window", config.Window);
        json.WriteNumber("num_local_experts", config.Mixture!.Experts);
        WriteRouter(json, config.Mixture);
    }

    /// <summary>Qwen3 as a mixture: norms of queries and keys; some layers may have one MLP.</summary>
    public static DecoderConfig ReadQwen3(ConfigJson file)
    {
        FamilyKeys.Require(file, "use_sliding_window", false);
        return DecoderConfig.WithRope(FamilyKeys.Sizes(file, "rms_norm_eps", tied: false) with
        {
            Family = DecoderFamily.Qwen3Moe,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.Silu),
            QkNorm = true,
            Mixture = new(file.RequiredInt("num_experts"), file.RequiredInt("moe_intermediate_size"),
                new RouterRule(file.RequiredInt("num_experts_per_tok"),
                    Normalises: file.Bool("norm_topk_prob") ?? false))
            {
                Every = file.Int("decoder_sparse_step") ?? 1,
                DenseLayers = [.. file.Ints("mlp_only_layers")],
                BalanceLoss = file.Float("router_aux_loss_coef") ?? 0.001f,
                ZLoss = file.Float("router_z_loss_coef") ?? 0,
            },
        }, file);
    }

    public static void WriteQwen3(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_act");
        MixtureConfig mixture = config.Mixture!;
        json.WriteNumber("num_experts", mixture.Experts);
        json.WriteNumber("moe_intermediate_size", mixture.Width);
        json.WriteBoolean("norm_topk_prob", mixture.Rule.Normalises);
        json.WriteNumber("decoder_sparse_step", mixture.Every);
        json.WriteStartArray("mlp_only_layers");
        foreach (int layer in mixture.DenseLayers)
            json.WriteNumberValue(layer);
        json.WriteEndArray();
        WriteRouter(json, mixture);
    }

    private static void WriteRouter(Utf8JsonWriter json, MixtureConfig mixture)
    {
        json.WriteNumber("num_experts_per_tok", mixture.Rule.Chosen);
        FamilyKeys.WriteFloat(json, "router_aux_loss_coef", mixture.BalanceLoss);
        if (mixture.ZLoss != 0)
            FamilyKeys.WriteFloat(json, "router_z_loss_coef", mixture.ZLoss);
    }
}
