using System.Text.Json;

namespace Nano;

/// <summary>The layers of a decoder that are mixers of Mamba.</summary>
/// <param name="Mixer">Their sizes.</param>
/// <param name="Every">n: each n-th layer is attention.</param>
/// <param name="First">The first layer that is.</param>
public sealed record HybridConfig(MixerConfig Mixer, int Every, int First)
{
    /// <summary>True if a layer is attention.</summary>
    public bool IsAttention(int layer) => layer % Every == First;

    /// <summary>Mixers that become wider with the channels.</summary>
    internal HybridConfig Widened(int channels, int before) => this with
    {
        Mixer = Mixer with { Width = (int)Math.Min(int.MaxValue, (long)Mixer.Width * channels / before) },
    };

    /// <summary>The error in the sizes, or null.</summary>
    internal string? Problem(int most) => Every < 1 || First < 0 || First >= Every
        ? $"attention in each {Every}th layer from {First} on; the first must be below"
        : Mixer.Width < 1 || Mixer.Width > most || Mixer.StateSize is < 1 or > 1 << 16
            || Mixer.Kernel is < 1 or > 1 << 10 || Mixer.StepRank < 1 || Mixer.StepRank > most
        ? $"a mixer of {Mixer.Width} channels, {Mixer.StateSize} states, a kernel of {Mixer.Kernel} and rank "
            + $"{Mixer.StepRank}; all must be positive, and not that large" : null;
}

/// <summary>
/// config.json of Jamba (Lieber et al., "Jamba: A Hybrid Transformer-Mamba Language Model", 2024): no positions, each
/// n-th layer attention and the others mixers, each m-th MLP a mixture of experts whose weights are not divided by
/// their sum.
/// </summary>
internal static class HybridKeys
{
    private const int AttentionEvery = 8, FirstAttention = 4, MixtureEvery = 2, FirstMixture = 1;

    public static DecoderConfig Read(ConfigJson file)
    {
        if (file.Int("sliding_window") is { } window)
            throw file.Bad($"'sliding_window' is {window}, a variant that is not supported");
        var config = FamilyKeys.Sizes(file, "rms_norm_eps", tied: false) with
        {
            Family = DecoderFamily.Jamba,
            ContextLength = file.Int("max_position_embeddings") ?? 262144,
            NormEpsilon = file.Float("rms_norm_eps") ?? 1e-6f,
            Activation = FamilyKeys.Activation(file, "hidden_act", ActivationKind.Silu),
            Positions = PositionKind.None,
        };
        int C = config.Channels;
        return config with
        {
            Hybrid = new(new((int)Math.Min(int.MaxValue, (long)C * (file.Int("mamba_expand") ?? 2)),
                file.Int("mamba_d_state") ?? 16, file.Int("mamba_d_conv") ?? 4, config.NormEpsilon)
            {
                StepRank = file.Int("mamba_dt_rank") ?? (int)((C + 15L) / 16),
                ConvolutionBias = file.Bool("mamba_conv_bias") ?? true,
                Bias = file.Bool("mamba_proj_bias") ?? false,
                NormsInputs = true,
            }, file.Int("attn_layer_period") ?? AttentionEvery, file.Int("attn_layer_offset") ?? FirstAttention),
            Mixture = ReadMixture(file, config),
        };
    }

    private static MixtureConfig? ReadMixture(ConfigJson file, DecoderConfig config)
    {
        int experts = file.Int("num_experts") ?? 16, every = file.Int("expert_layer_period") ?? MixtureEvery,
            first = file.Int("expert_layer_offset") ?? FirstMixture;
        if (every < 1 || first < 0 || first >= every)
            throw file.Bad($"'expert_layer_offset' is {first}; it must be from 0 to 'expert_layer_period' - 1");
        return experts == 1 ? null : new(experts, config.Intermediate,
            new RouterRule(file.Int("num_experts_per_tok") ?? 2, Normalises: false))
        {
            DenseLayers = [.. Enumerable.Range(0, Math.Clamp(config.Layers, 0, 1 << 16))
                .Where(layer => layer % every != first)],
            BalanceLoss = file.Float("router_aux_loss_coef") ?? 0.001f,
        };
    }

    public static void Write(Utf8JsonWriter json, DecoderConfig config)
    {
        FamilyKeys.WriteSizes(json, config, "rms_norm_eps", "hidden_act");
        var (mixer, every, first) = config.Hybrid!;
        json.WriteNumber("attn_layer_period", every);
        json.WriteNumber("attn_layer_offset", first);
        json.WriteNumber("mamba_d_state", mixer.StateSize);
        json.WriteNumber("mamba_d_conv", mixer.Kernel);
        json.WriteNumber("mamba_expand", mixer.Width / config.Channels);
        json.WriteNumber("mamba_dt_rank", mixer.StepRank);
        json.WriteBoolean("mamba_conv_bias", mixer.ConvolutionBias);
        json.WriteBoolean("mamba_proj_bias", mixer.Bias);
        int[] mixtures = [.. Enumerable.Range(0, config.Layers)
            .Where(layer => config.Mixture?.IsDense(layer) == false)];
        json.WriteNumber("num_experts", config.Mixture?.Experts ?? 1);
        json.WriteNumber("expert_layer_period", mixtures.Length > 1 ? mixtures[1] - mixtures[0] : config.Layers);
        json.WriteNumber("expert_layer_offset", mixtures.Length > 0 ? mixtures[0] : 0);
        json.WriteNumber("num_experts_per_tok", config.Mixture?.Rule.Chosen ?? 1);
        FamilyKeys.WriteFloat(json, "router_aux_loss_coef", config.Mixture?.BalanceLoss ?? 0);
    }
}
