namespace Nano;

/// <summary>A family of decoders in GGUF files.</summary>
/// <param name="Architecture">The name that files have for it.</param>
/// <param name="Read">Its switches, from sizes and switches that all have.</param>
internal sealed record GgufFamily(string Architecture, Func<GgufSizes, DecoderConfig> Read)
{
    /// <summary>True if queries, keys and values are one tensor, in this order.</summary>
    public bool JoinsQkv { get; init; }

    /// <summary>True if gate and up are one tensor, in this order.</summary>
    public bool JoinsGate { get; init; }

    /// <summary>The keys that it has beside those of all.</summary>
    public Action<GgufMetadata, DecoderConfig> Write { get; init; } = (_, _) => { };
}

/// <summary>The families of decoders that GGUF files hold, as llama.cpp has them.</summary>
internal static class GgufFamilies
{
    /// <summary>The tensors of longrope's factors.</summary>
    public const string LongFactors = "rope_factors_long.weight", ShortFactors = "rope_factors_short.weight";

    private const int MoreLayers2 = 46, MoreLayers3 = 62; // Gemma 2 and 3 of 27 billion parameters
    private const int Gemma3Every = 6, CohereEvery = 4, SmolEvery = 4;
    private const float AlibiBias = 8;

    private static readonly Dictionary<DecoderFamily, GgufFamily> All = new()
    {
        [DecoderFamily.Mixtral] = new("llama", ReadMixtral) { Write = WriteExperts },
        [DecoderFamily.Qwen3Moe] = new("qwen3moe", ReadQwen3Moe) { Write = WriteExperts },
        [DecoderFamily.Gemma2] = new("gemma2", ReadGemma2)
        {
            Write = (metadata, config) =>
            {
                metadata.Set("gemma2.attn_logit_softcapping", config.ScoreCap);
                metadata.Set("gemma2.final_logit_softcapping", config.LogitCap);
            },
        },
        [DecoderFamily.Gemma3] = new("gemma3", ReadGemma3)
        {
            Write = (metadata, config) =>
                metadata.Set("gemma3.rope.freq_base_swa", (float)(config.LocalRopeTheta ?? config.RopeTheta)),
        },
        [DecoderFamily.Phi3] = new("phi3", ReadPhi3) { JoinsQkv = true, JoinsGate = true, Write = WritePhi3 },
        [DecoderFamily.Olmo2] = new("olmo2", sizes => sizes.Config with
        {
            Norms = NormPlacement.After,
            QkNorm = false,
            QkNormAllHeads = true,
        }),
        [DecoderFamily.GptNeox] = new("gptneox", sizes => Plain(sizes) with
        {
            IsParallel = sizes.Bool("use_parallel_residual") ?? true,
        })
        {
            JoinsQkv = true,
            Write = (metadata, config) => metadata.Set("gptneox.use_parallel_residual", config.IsParallel),
        },
        [DecoderFamily.Bloom] = new("bloom", sizes => Plain(sizes) with
        {
            EmbeddingNorm = true,
            Positions = PositionKind.Slopes,
            Activation = ActivationKind.GeluTanh,
        })
        { JoinsQkv = true },
        [DecoderFamily.Falcon] = new("falcon", ReadFalcon) { JoinsQkv = true },
        [DecoderFamily.FalconTwoNorms] = new("falcon", ReadFalcon) { JoinsQkv = true },
        [DecoderFamily.Mpt] = new("mpt", ReadMpt)
        { JoinsQkv = true, Write = (metadata, _) => metadata.Set("mpt.attention.max_alibi_bias", AlibiBias) },
        [DecoderFamily.Cohere] = new("command-r", ReadCohere) { Write = WriteCohere },
        [DecoderFamily.Cohere2] = new("cohere2", sizes => ReadCohere(sizes) with
        {
            FullEvery = CohereEvery,
            UnrotatedEvery = CohereEvery,
        })
        { Write = WriteCohere },
        [DecoderFamily.SmolLm3] = new("smollm3", sizes => sizes.Config with { UnrotatedEvery = SmolEvery }),
        [DecoderFamily.StarCoder2] = new("starcoder2", sizes => Plain(sizes) with
        {
            Activation = ActivationKind.GeluTanh,
        }),
        [DecoderFamily.StarCoder] = new("starcoder", sizes => Plain(sizes) with
        {
            Positions = PositionKind.Learned,
            Activation = ActivationKind.GeluTanh,
        })
        { JoinsQkv = true },
    };

    /// <summary>The names of all.</summary>
    public static IEnumerable<string> Architectures => All.Values.Select(family => family.Architecture).Distinct();

    /// <summary>A model's family; null for Llama, Mistral, Qwen2 and Qwen3, and for those that no file holds.</summary>
    public static GgufFamily? Of(DecoderConfig config) => All.GetValueOrDefault(config.Family);

    /// <summary>The configuration of a file of one of these, or null.</summary>
    /// <exception cref="BadFileException">A value is missing, or not one that is supported.</exception>
    public static DecoderConfig? Read(GgufSizes sizes)
    {
        bool isMixture = sizes.Size("expert_count") > 0;
        foreach (var (kind, family) in All)
            if (family.Architecture == sizes.Architecture && (kind != DecoderFamily.Mixtral || isMixture))
                return family.Read(sizes with { Config = sizes.Config with { Family = kind } });
        return null;
    }

    /// <summary>The reason why no file holds a model of these families, or null.</summary>
    public static string? Refusal(DecoderConfig config)
    {
        var (usual, every) = (Scale(config), config.FullEvery);
        return config switch
        {
            { RopeScaling: not (null or RopeScaling.Linear or RopeScaling.Yarn or RopeScaling.LongRope) } =>
                $"its rotary scaling is {config.RopeScaling.GetType().Name}, which its GGUF does not know",
            { Family: DecoderFamily.Gemma2 or DecoderFamily.Gemma3 } when config.AttentionScale != usual =>
                $"its scores are multiplied by {config.AttentionScale}; GGUF's {All[config.Family].Architecture} of "
                + $"{config.Layers} layers means {usual}",
            { Family: DecoderFamily.Gemma2 } when every != 2 => "not each second layer has a window",
            { Family: DecoderFamily.Gemma3 } when every != Gemma3Every || config.LogitCap != 0 =>
                "not each sixth layer is without a window, or its logits are bounded",
            { Family: DecoderFamily.Cohere2 } when every != CohereEvery => "not each fourth layer is without a window",
            { Family: DecoderFamily.SmolLm3 } when config.UnrotatedEvery != SmolEvery =>
                "not each fourth layer is without positions",
            { Family: DecoderFamily.Falcon or DecoderFamily.FalconTwoNorms } when !config.IsParallel
                || config.QkvBias =>
                "GGUF's falcon has parallel branches and no biases",
            { Mixture: { } mixture } when mixture.Rule.Scoring != RouterScoring.Softmax || !mixture.Rule.Normalises
                || mixture.Every != 1 || mixture.FirstDense > 0 || mixture.DenseLayers.Count > 0 =>
                "some layers have one MLP, or the weights of experts are not divided by their sum",
            _ when !MeansActivation(config) =>
                $"its activation function is {config.Activation}, which its GGUF does not mean",
            _ => null,
        };
    }

    /// <summary>True if a file's architecture means the activation function that a model has.</summary>
    private static bool MeansActivation(DecoderConfig config) => config.Activation == config.Family switch
    {
        DecoderFamily.Gemma2 or DecoderFamily.Gemma3 or DecoderFamily.Bloom or DecoderFamily.StarCoder
            or DecoderFamily.StarCoder2 => ActivationKind.GeluTanh,
        DecoderFamily.GptNeox or DecoderFamily.Falcon or DecoderFamily.FalconTwoNorms or DecoderFamily.Mpt =>
            ActivationKind.GeluErf,
        _ => ActivationKind.Silu,
    };

    /// <summary>A decoder with layer norms and a plain MLP.</summary>
    private static DecoderConfig Plain(GgufSizes sizes) => sizes.Config with
    {
        NormKind = sizes.Has("output_norm.bias") ? NormKind.Layer : NormKind.LayerWithoutBias,
        Activation = ActivationKind.GeluErf,
        IsGated = false,
    };

    private static DecoderConfig ReadFalcon(GgufSizes sizes)
    {
        bool hasTwo = sizes.Has("blk.0.attn_norm_2.weight");
        return Plain(sizes) with
        {
            Family = hasTwo ? DecoderFamily.FalconTwoNorms : DecoderFamily.Falcon,
            IsParallel = true,
            SharesNorm = !hasTwo,
        };
    }

    private static DecoderConfig ReadMixtral(GgufSizes sizes) =>
        sizes.Config with { Mixture = Experts(sizes, sizes.Config.Intermediate) };

    private static DecoderConfig ReadQwen3Moe(GgufSizes sizes) => sizes.Config with
    {
        QkNorm = true,
        Mixture = Experts(sizes, sizes.Size("expert_feed_forward_length")
            ?? throw sizes.Missing("expert_feed_forward_length")),
    };

    private static MixtureConfig Experts(GgufSizes sizes, int width) => new(sizes.Size("expert_count")
        ?? throw sizes.Missing("expert_count"), width, new RouterRule(sizes.Size("expert_used_count")
        ?? throw sizes.Missing("expert_used_count")));

    private static void WriteExperts(GgufMetadata metadata, DecoderConfig config)
    {
        string arch = All[config.Family].Architecture;
        metadata.Set($"{arch}.expert_count", (uint)config.Mixture!.Experts);
        metadata.Set($"{arch}.expert_used_count", (uint)config.Mixture.Rule.Chosen);
        if (config.Family == DecoderFamily.Qwen3Moe)
            metadata.Set($"{arch}.expert_feed_forward_length", (uint)config.Mixture.Width);
    }

    private static DecoderConfig ReadGemma2(GgufSizes sizes) => Gemma(sizes) with
    {
        ScoreCap = sizes.Float("attn_logit_softcapping") ?? 50,
        LogitCap = sizes.Float("final_logit_softcapping") ?? 30,
        FullEvery = 2,
    };

    private static DecoderConfig ReadGemma3(GgufSizes sizes) => Gemma(sizes) with
    {
        QkNorm = true,
        FullEvery = Gemma3Every,
        LocalRopeTheta = sizes.Float("rope.freq_base_swa") ?? 10_000,
    };

    private static DecoderConfig Gemma(GgufSizes sizes) => sizes.Config with
    {
        NormKind = NormKind.RmsPlusOne,
        Norms = NormPlacement.Both,
        Activation = ActivationKind.GeluTanh,
        EmbeddingScale = (float)Math.Sqrt(sizes.Config.Channels),
        AttentionScale = Scale(sizes.Config),
        Window = sizes.Size("attention.sliding_window") ?? 4096,
    };

    /// <summary>The factor of scores that Gemma's files mean.</summary>
    private static float Scale(DecoderConfig config)
    {
        bool isLargest = config.Layers == (config.Family == DecoderFamily.Gemma2 ? MoreLayers2 : MoreLayers3);
        return (float)(1 / Math.Sqrt(isLargest ? config.Channels / Math.Max(1, config.Heads) : config.HeadDim));
    }

    private static DecoderConfig ReadPhi3(GgufSizes sizes)
    {
        if (sizes.Factors(ShortFactors) is not { } few
            || sizes.Factors(LongFactors) is not { } many)
            return sizes.Config;
        return sizes.Config with
        {
            RopeScaling = new RopeScaling.LongRope([.. few.Select(Decimal)], [.. many.Select(Decimal)],
                sizes.Size("rope.scaling.original_context_length") ?? sizes.Config.ContextLength,
                sizes.Config.ContextLength),
        };

        // The shortest decimal number that is this float32: the one that a config.json has.
        static double Decimal(float factor) => double.Parse(factor.ToString("R",
            System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture);
    }

    private static void WritePhi3(GgufMetadata metadata, DecoderConfig config)
    {
        if (config.RopeScaling is not RopeScaling.LongRope longRope)
            return;
        metadata.Set("phi3.rope.scaling.original_context_length", (uint)longRope.OriginalContext);
        metadata.Set("phi3.rope.scaling.attn_factor", (float)longRope.Magnitude);
    }

    private static DecoderConfig ReadMpt(GgufSizes sizes)
    {
        if (sizes.Float("attention.max_alibi_bias") is { } bias && bias != AlibiBias)
            throw sizes.Bad($"the metadata key 'mpt.attention.max_alibi_bias' is {bias}; supported: {AlibiBias}");
        if (sizes.Float("attention.clamp_kqv") is { } clamp && clamp != 0)
            throw sizes.Bad($"the metadata key 'mpt.attention.clamp_kqv' is {clamp}; supported: 0");
        return Plain(sizes) with { Positions = PositionKind.Slopes };
    }

    private static DecoderConfig ReadCohere(GgufSizes sizes) => sizes.Config with
    {
        NormKind = NormKind.LayerWithoutBias,
        IsParallel = true,
        SharesNorm = true,
        Pairing = RopePairing.Interleaved,
        LogitScale = sizes.Float("logit_scale") ?? throw sizes.Missing("logit_scale"),
    };

    private static void WriteCohere(GgufMetadata metadata, DecoderConfig config) =>
        metadata.Set($"{All[config.Family].Architecture}.logit_scale", config.LogitScale);
}

/// <summary>A file's metadata and tensors, from which a family reads its switches.</summary>
/// <param name="File">The metadata.</param>
/// <param name="Architecture">The file's architecture, with which its keys begin.</param>
/// <param name="Config">The sizes and switches that all families have.</param>
/// <param name="Has">True if the file has a tensor of a name.</param>
/// <param name="Factors">The numbers of a tensor of rotary factors, or null if it is not there.</param>
internal sealed record GgufSizes(GgufMetadata File, string Architecture, DecoderConfig Config, Func<string, bool> Has,
    Func<string, float[]?> Factors)
{
    public int? Size(string key) => File.Size($"{Architecture}.{key}");

    public float? Float(string key) => File.Float($"{Architecture}.{key}");

    public bool? Bool(string key) => File.Bool($"{Architecture}.{key}");

    public BadFileException Missing(string key) => Bad($"the metadata key '{Architecture}.{key}' is missing");

    public BadFileException Bad(string problem) => new(File.Path, problem);
}
