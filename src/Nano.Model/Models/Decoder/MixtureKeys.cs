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
                new RouterRule(file.Int("num_experts_per_tok") ?? 2, Normalises: file.Bool("norm_topk_prob") ?? true))
            {
                ExpertsChoose = ExpertsChoose(file),
                BalanceLoss = file.Float("router_aux_loss_coef") ?? (ExpertsChoose(file) ? 0 : 0.001f),
                ZLoss = file.Float("router_z_loss_coef") ?? 0,
                SequenceLoss = file.Float("router_sequence_loss_coef") ?? 0,
            },
        }, file);
    }

    public static void WriteMixtral(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_act");
        FamilyKeys.WriteWindow(json, config);
        json.WriteNumber("num_local_experts", config.Mixture!.Experts);
        if (!config.Mixture.Rule.Normalises)
            json.WriteBoolean("norm_topk_prob", false);
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
                ExpertsChoose = ExpertsChoose(file),
                BalanceLoss = file.Float("router_aux_loss_coef") ?? (ExpertsChoose(file) ? 0 : 0.001f),
                ZLoss = file.Float("router_z_loss_coef") ?? 0,
                SequenceLoss = file.Float("router_sequence_loss_coef") ?? 0,
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

    /// <summary>
    /// DeepSeek-V3: latent attention; experts in groups, chosen by sigmoid scores with a bias; a shared expert; some
    /// layers at the beginning have one MLP.
    /// </summary>
    public static DecoderConfig ReadDeepSeek(ConfigJson file)
    {
        if (file.String("scoring_func") is { } scoring and not "sigmoid")
            throw file.Bad($"'scoring_func' is {Quoted.Of(scoring)}; supported: sigmoid");
        int plain = file.RequiredInt("qk_nope_head_dim"), rotary = file.RequiredInt("qk_rope_head_dim"),
            width = file.RequiredInt("moe_intermediate_size");
        var config = FamilyKeys.Sizes(file, "rms_norm_eps", tied: false) with
        {
            Family = DecoderFamily.DeepSeekV3,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.Silu),
            HeadDim = plain + rotary,
            RotaryDim = rotary,
            Pairing = file.Bool("rope_interleave") ?? true ? RopePairing.Interleaved : RopePairing.RotateHalf,
            Latent = new(file.Int("q_lora_rank") ?? 0, file.RequiredInt("kv_lora_rank"), plain, rotary,
                file.RequiredInt("v_head_dim")),
            Mixture = new(file.RequiredInt("n_routed_experts"), width, new RouterRule(
                file.RequiredInt("num_experts_per_tok"), RouterScoring.Sigmoid, file.Bool("norm_topk_prob") ?? true,
                file.Float("routed_scaling_factor") ?? 1, file.Int("n_group") ?? 1, file.Int("topk_group") ?? 1))
            {
                ChoosesWithBias = true,
                SharedWidth = width * (file.Int("n_shared_experts") ?? 0),
                FirstDense = file.Int("first_k_dense_replace") ?? 0,
                SequenceLoss = file.Bool("seq_aux") ?? true ? file.Float("aux_loss_alpha") ?? 0 : 0,
                BalanceLoss = file.Bool("seq_aux") ?? true ? 0 : file.Float("aux_loss_alpha") ?? 0,
                ZLoss = file.Float("router_z_loss_coef") ?? 0,
            },
        };
        config = DecoderConfig.WithRope(config, file);
        if (config.RopeScaling is not RopeScaling.Yarn yarn)
            return config;
        double all = (file.Object("rope_scaling") ?? file.Object("rope_parameters"))?.Double("mscale_all_dim") ?? 0;
        double magnitude = all == 0 ? 1 : RopeScaling.Yarn.DefaultMagnitude(yarn.Factor, all);
        return config with { AttentionScale = (float)(magnitude * magnitude / Math.Sqrt(plain + rotary)) };
    }

    public static void WriteDeepSeek(Utf8JsonWriter json, DecoderConfig config)
    {
        var (latent, mixture) = (config.Latent!, config.Mixture!);
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_act");
        if (latent.QueryRank == 0)
            json.WriteNull("q_lora_rank");
        else
            json.WriteNumber("q_lora_rank", latent.QueryRank);
        json.WriteNumber("kv_lora_rank", latent.Rank);
        json.WriteNumber("qk_nope_head_dim", latent.PlainDim);
        json.WriteNumber("qk_rope_head_dim", latent.RotaryDim);
        json.WriteNumber("v_head_dim", latent.ValueDim);
        json.WriteBoolean("rope_interleave", config.Pairing == RopePairing.Interleaved);
        json.WriteNumber("moe_intermediate_size", mixture.Width);
        json.WriteNumber("n_routed_experts", mixture.Experts);
        json.WriteNumber("num_experts_per_tok", mixture.Rule.Chosen);
        json.WriteNumber("n_shared_experts", mixture.SharedWidth / mixture.Width);
        json.WriteNumber("n_group", mixture.Rule.Groups);
        json.WriteNumber("topk_group", mixture.Rule.GroupsChosen);
        json.WriteNumber("first_k_dense_replace", mixture.FirstDense);
        FamilyKeys.WriteFloat(json, "routed_scaling_factor", mixture.Rule.Factor);
        json.WriteBoolean("norm_topk_prob", mixture.Rule.Normalises);
        json.WriteString("scoring_func", "sigmoid");
        json.WriteString("topk_method", "noaux_tc");
        if (mixture.SequenceLoss + mixture.BalanceLoss > 0)
        {
            FamilyKeys.WriteFloat(json, "aux_loss_alpha", mixture.SequenceLoss + mixture.BalanceLoss);
            json.WriteBoolean("seq_aux", mixture.SequenceLoss > 0);
        }
        if (mixture.ZLoss != 0)
            FamilyKeys.WriteFloat(json, "router_z_loss_coef", mixture.ZLoss);
    }

    /// <summary>Nano's own key: "tokens" choose their experts, or "experts" their tokens.</summary>
    private static bool ExpertsChoose(ConfigJson file) => file.String("router_choice") switch
    {
        null or "tokens" => false,
        "experts" => true,
        var choice => throw file.Bad($"'router_choice' is {Quoted.Of(choice)}; supported: tokens, experts"),
    };

    private static void WriteRouter(Utf8JsonWriter json, MixtureConfig mixture)
    {
        if (mixture.ExpertsChoose)
            json.WriteString("router_choice", "experts");
        json.WriteNumber("num_experts_per_tok", mixture.Rule.Chosen);
        FamilyKeys.WriteFloat(json, "router_aux_loss_coef", mixture.BalanceLoss);
        if (mixture.ZLoss != 0)
            FamilyKeys.WriteFloat(json, "router_z_loss_coef", mixture.ZLoss);
        if (mixture.SequenceLoss != 0)
            FamilyKeys.WriteFloat(json, "router_sequence_loss_coef", mixture.SequenceLoss);
    }
}
