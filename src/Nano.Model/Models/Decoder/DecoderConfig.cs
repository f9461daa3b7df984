using System.Globalization;

namespace Nano;

/// <summary>The places of norms in a block.</summary>
public enum NormPlacement
{
    /// <summary>Before attention and MLP.</summary>
    Before,

    /// <summary>Behind them, on what is added to the residual stream.</summary>
    After,

    /// <summary>Both.</summary>
    Both,

    /// <summary>On the sum of residual stream and branch, as the first transformers had it (GPT-1).</summary>
    AfterSum,
}

/// <summary>The ways in which attention knows positions.</summary>
public enum PositionKind
{
    /// <summary>Queries and keys are rotated.</summary>
    Rotary,

    /// <summary>Scores fall with the distance, by a slope of each head (ALiBi).</summary>
    Slopes,

    /// <summary>A table has a row for each position, which is added to the token's (OPT, GPT-1, StarCoder).</summary>
    Learned,

    /// <summary>Only through what a token may see.</summary>
    None,
}

/// <summary>
/// A decoder as data: the switches in which Llama 1 to 3.2, TinyLlama, SmolLM, Mistral, Qwen2, Qwen2.5, Qwen3, Mixtral,
/// Gemma 2 and 3, Phi-3 and 4, OLMo-2, GPT-NeoX and Pythia, BLOOM, Falcon, MPT, Cohere, SmolLM3, StarCoder, OPT and
/// GPT-1 differ. What is not said is as in Llama.
/// </summary>
public sealed partial record DecoderConfig : ModelConfig
{
    /// <summary>I: width of the MLP.</summary>
    public required int Intermediate { get; init; }

    /// <summary>The family, whose files and keys of config.json it has.</summary>
    public DecoderFamily Family { get; init; } = DecoderFamily.Llama;

    /// <summary>The kind of all norms.</summary>
    public NormKind NormKind { get; init; }

    /// <summary>The places of norms in a block.</summary>
    public NormPlacement Norms { get; init; }

    /// <summary>True if attention and MLP read the same residual stream.</summary>
    public bool IsParallel { get; init; }

    /// <summary>True if they read the same norm of it, too.</summary>
    public bool SharesNorm { get; init; }

    /// <summary>True if embeddings pass a norm (BLOOM).</summary>
    public bool EmbeddingNorm { get; init; }

    /// <summary>Factor on embeddings (Gemma: the square root of the channels).</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>The activation function of the MLP.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Silu;

    /// <summary>True if the MLP is gated.</summary>
    public bool IsGated { get; init; } = true;

    /// <summary>The mixture of experts in place of MLPs, or null.</summary>
    public MixtureConfig? Mixture { get; init; }

    /// <summary>The sizes of latent attention in place of heads of keys and values, or null.</summary>
    public LatentConfig? Latent { get; init; }

    /// <summary>The layers that are mixers of Mamba in place of attention, or null (Jamba).</summary>
    public HybridConfig? Hybrid { get; init; }

    /// <summary>Factor on attention's scores; 0 for 1 / sqrt(D).</summary>
    public float AttentionScale { get; init; }

    /// <summary>The bound of attention's scores, or 0 (Gemma 2).</summary>
    public float ScoreCap { get; init; }

    /// <summary>The bound of logits, or 0 (Gemma 2).</summary>
    public float LogitCap { get; init; }

    /// <summary>Factor on logits (Cohere).</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>The way in which attention knows positions.</summary>
    public PositionKind Positions { get; init; }

    /// <summary>Rows of the table of positions before that of the first position (OPT: 2).</summary>
    public int PositionOffset { get; init; }

    /// <summary>n: each n-th layer does not rotate (SmolLM3, Cohere 2); 0 if all do.</summary>
    public int UnrotatedEvery { get; init; }

    /// <summary>True if there is a norm before the head; GPT-1 has none.</summary>
    public bool HasFinalNorm { get; init; } = true;

    /// <summary>Channels of a head that are rotated, the first ones; D where nothing else is said.</summary>
    public int RotaryDim { get => GivenRotaryDim ?? HeadDim; init => GivenRotaryDim = value; }

    private int? GivenRotaryDim { get; init; }

    /// <summary>The base of the rotary angles in layers with a window, where it is another (Gemma 3).</summary>
    public double? LocalRopeTheta { get; init; }

    /// <summary>Added to the mean square, or the variance, in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-6f;

    /// <summary>The base of the rotary angles.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>
    /// The scaling of the rotary angles for texts longer than in training; null for none.
    /// </summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>
    /// The channels of a head that are rotated together. Hugging Face's files use
    /// <see cref="RopePairing.RotateHalf"/>, Meta's and llama2.c's the other.
    /// </summary>
    public RopePairing Pairing { get; init; } = RopePairing.RotateHalf;

    /// <summary>True if queries, keys and values have biases (Qwen2).</summary>
    public bool QkvBias { get; init; }

    /// <summary>True if the projection after attention has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>True if the MLP has biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>
    /// True if every head of queries and keys passes a norm before it is rotated, with weights that the heads share
    /// (Qwen3, Gemma 3).
    /// </summary>
    public bool QkNorm { get; init; }

    /// <summary>True if queries and keys pass a norm over all heads of a token before rotation (OLMo-2).</summary>
    public bool QkNormAllHeads { get; init; }

    /// <summary>
    /// Number of keys that a query sees, its own included, in the layers from
    /// <see cref="FirstWindowLayer"/> on; 0 for all.
    /// </summary>
    public int Window { get; init; }

    /// <summary>The first layer whose attention has the <see cref="Window"/>; those below see everything.</summary>
    public int FirstWindowLayer { get; init; }

    /// <summary>n: each n-th layer sees everything and the others have the window; 0 for none of them.</summary>
    public int FullEvery { get; init; }

    internal override LanguageModel NewModel(Parameters parameters) => new Decoder(this, parameters);

    /// <inheritdoc/>
    public override bool IsCausal => Mixture is not { ExpertsChoose: true };

    /// <inheritdoc/>
    public override bool ChoosesExpertsWithBias => Mixture is { ChoosesWithBias: true };

    /// <inheritdoc/>
    public override string ModelType => Family == DecoderFamily.Llama ? Published()?.Type ?? "llama"
        : DecoderFamilies.Of(Family).ModelType;

    /// <inheritdoc/>
    public override IEnumerable<FileTensor> FileTensors() => DecoderFamilies.Of(Family).FileTensors(this);

    /// <inheritdoc/>
    internal override string OptionalPrefix => DecoderFamilies.Of(Family).OptionalPrefix;

    /// <summary>Of latent attention a cache holds latents and rotated keys.</summary>
    internal override IReadOnlyList<CacheLayer> CacheLayers => [.. Enumerable.Range(0, Layers).Select(layer =>
        MixerOf(layer) is { } mixer ? new CacheLayer(0, 0) { States = mixer.StateShapes }
            : Latent is { } latent ? new CacheLayer(latent.Rank + latent.RotaryDim, latent.Rank)
            : new CacheLayer(KvHeads * HeadDim, KvHeads * HeadDim) { Window = WindowOf(layer) })];

    internal override bool CarriesStates => Hybrid is not null;

    /// <summary>The sizes of the mixer that a layer has in place of attention, or null.</summary>
    internal MixerConfig? MixerOf(int layer) => Hybrid?.IsAttention(layer) == false ? Hybrid.Mixer : null;

    /// <summary>As others; layers that are mixers have scans in place of attention.</summary>
    public override double TrainingFlopsPerToken(int T)
    {
        double flops = base.TrainingFlopsPerToken(T);
        for (int layer = 0; layer < Layers && Hybrid is not null; layer++)
            if (MixerOf(layer) is { } mixer)
                flops += mixer.ScanFlops - (12.0 * Heads * HeadDim * T);
        return flops;
    }

    /// <inheritdoc/>
    public override int? LengthOfOtherKeys =>
        RopeScaling is RopeScaling.LongRope { OriginalContext: var original } ? original : null;

    internal override WeightType FittingCache(WeightType type) => Latent is null ? base.FittingCache(type)
        : type == WeightType.F32 ? type
        : throw new NanoException($"latents are cached in float32, not in {type}", "take f32");

    /// <summary>Number of keys that a query of a layer sees; 0 for all.</summary>
    public int WindowOf(int layer) => FullEvery > 0 ? (layer + 1) % FullEvery == 0 ? 0 : Window
        : layer >= FirstWindowLayer ? Window : 0;

    /// <summary>True if queries and keys of a layer are rotated.</summary>
    public bool RotatesAt(int layer) =>
        Positions == PositionKind.Rotary && (UnrotatedEvery == 0 || (layer + 1) % UnrotatedEvery != 0);

    /// <summary>The MLP becomes wider with the channels, in whole eights.</summary>
    public override DecoderConfig WithSizes(int contextLength, int? layers, int? heads, int? channels)
    {
        var resized = (DecoderConfig)base.WithSizes(contextLength, layers, heads, channels);
        return resized.Channels == Channels ? resized
            : resized with
            {
                Intermediate = (int)Math.Min(MaxChannels,
                (((long)Intermediate * resized.Channels / Channels) + 7) / 8 * 8),
                Hybrid = Hybrid?.Widened(resized.Channels, Channels),
            };
    }

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (base.Problem() is { } problem)
            return problem;
        if (Intermediate < 1 || Intermediate > MaxChannels)
            return $"the MLP has {Intermediate} channels; it must have from 1 to {MaxChannels}";
        if (Positions == PositionKind.Rotary && RotaryDim == HeadDim && HeadDim % 2 != 0)
            return $"a head has {HeadDim} channels; rotary positions need an even number";
        if (Positions == PositionKind.Rotary && (RotaryDim % 2 != 0 || RotaryDim < 2 || RotaryDim > HeadDim))
            return $"{RotaryDim} of a head's {HeadDim} channels are rotated; they must be an even number";
        if (Latent is not null && (Latent.PlainDim + Latent.RotaryDim != HeadDim || KvHeads != Heads
            || RotaryDim != Latent.RotaryDim || Positions != PositionKind.Rotary))
            return $"latent attention of {Latent} does not fit heads of {HeadDim} channels";
        if (Latent?.Problem(MaxChannels) is { } latent)
            return latent;
        if ((Mixture?.Problem(Layers, MaxChannels) ?? Hybrid?.Problem(MaxChannels)) is { } part)
            return part;
        if (!(AttentionScale >= 0 && ScoreCap >= 0 && LogitCap >= 0 && float.IsFinite(AttentionScale + ScoreCap
            + LogitCap + LogitScale + EmbeddingScale)))
            return $"factors and bounds of attention ({AttentionScale}, {ScoreCap}), logits ({LogitScale}, {LogitCap}) "
                + $"and embeddings ({EmbeddingScale}) must be finite";
        if (QkNorm && QkNormAllHeads)
            return "queries and keys have norms of each head or of all, not both";
        if ((SharesNorm && !(IsParallel && Norms == NormPlacement.Before)) || FullEvery < 0
            || UnrotatedEvery < 0)
            return "only parallel branches can share a norm, and each n-th layer needs a positive n";
        if (PositionOffset < 0 || PositionOffset > MaxChannels)
            return $"{PositionOffset} rows before the first position; there must be from 0 to {MaxChannels}";
        if (IsParallel && Norms == NormPlacement.AfterSum)
            return "parallel branches have one sum, on which two norms cannot be";
        if (SizeChecks.EpsilonProblem(NormEpsilon) is { } epsilon)
            return epsilon;
        if (!(RopeTheta > 1 && double.IsFinite(RopeTheta)))
            return $"the base of the rotary angles is {RopeTheta}; it must be above 1";
        if (LocalRopeTheta is { } local && !(local > 1 && double.IsFinite(local)))
            return $"the base of the rotary angles in windows is {local}; it must be above 1";
        if (Window < 0 || FirstWindowLayer < 0 || FirstWindowLayer > Layers)
            return $"a window of {Window} from layer {FirstWindowLayer} on; neither can be negative, nor the layer "
                + $"above {Layers}";
        return Enum.IsDefined(Pairing) ? ScalingProblem() : $"there is no rotary pairing {(int)Pairing}";
    }

    private string? ScalingProblem()
    {
        var (factor, original) = RopeScaling switch
        {
            RopeScaling.Linear linear => (linear.Factor, 0),
            RopeScaling.Dynamic dynamic => (dynamic.Factor, dynamic.OriginalContext),
            RopeScaling.Yarn yarn => (yarn.Factor, yarn.OriginalContext),
            RopeScaling.Llama3 llama3 => (llama3.Factor, llama3.OriginalContext),
            RopeScaling.LongRope longRope => (1, longRope.OriginalContext),
            _ => (1, 1),
        };
        if (!(factor >= 1 && factor <= MaxChannels))
            return $"the factor of the rotary scaling is {factor}; it must be from 1 to {MaxChannels}";
        if (original < 1 && RopeScaling is not RopeScaling.Linear)
            return $"the original context of the rotary scaling is {original}; it must be positive";
        return RopeScaling switch
        {
            RopeScaling.LongRope { Short: var few, Long: var many } when few.Count != RotaryDim / 2
                || many.Count != RotaryDim / 2 || few.Concat(many).Any(f => !(f > 0 && double.IsFinite(f))) =>
                $"the rotary scaling has {few.Count} and {many.Count} factors; {RotaryDim} channels need "
                + $"{RotaryDim / 2}, all positive",
            RopeScaling.Llama3
            {
                LowFactor: var low,
                HighFactor: var high
            } when !(low > 0 && high > low && double.IsFinite(high)) =>
                $"the frequency factors of the rotary scaling are {low} and {high}; they must be positive, the "
                + "second larger",
            RopeScaling.Yarn
            {
                BetaSlow: var slow,
                BetaFast: var fast
            } when !(slow > 0 && fast >= slow && double.IsFinite(fast)) =>
                $"beta_fast and beta_slow of the rotary scaling are {fast} and {slow}; they must be positive, the "
                + "first at least the second",
            RopeScaling.Yarn { AttentionFactor: { } attention } when !(attention > 0 && double.IsFinite(attention)) =>
                $"the attention factor of the rotary scaling is {attention}; it must be positive",
            RopeScaling.Dynamic when RotaryDim == 2 => "dynamic rotary scaling needs heads of more than 2 channels",
            _ => null,
        };
    }

    /// <inheritdoc/>
    internal override IEnumerable<SharedInput> SharedInputs(int block)
    {
        string layer = $"model.layers.{block}.", attention = layer + "self_attn.", mlp = layer + "mlp.";
        bool before = Norms is NormPlacement.Before or NormPlacement.Both;
        string mlpNorm = SharesNorm ? "input_layernorm" : Norms == NormPlacement.Both ? "pre_feedforward_layernorm"
            : "post_attention_layernorm";
        if (MixerOf(block) is not null)
            yield break; // their inputs are measured as those of a Mamba
        yield return new([attention + "q_proj.weight", attention + "k_proj.weight", attention + "v_proj.weight"],
            before && !SharesNorm ? NormParts(layer + "input_layernorm") : [], 0);
        // A value that several heads read has one scale.
        yield return new([attention + "o_proj.weight"],
            KvHeads == Heads ? Parts(attention + "v_proj", QkvBias) : [], 0);
        if (Mixture?.IsDense(block) == false)
            yield break;
        string[] readers = IsGated ? [mlp + "gate_proj.weight", mlp + "up_proj.weight"] : [mlp + "up_proj.weight"];
        yield return new(readers, before && !SharesNorm ? NormParts(layer + mlpNorm) : [], 0);
        // Behind an activation function a factor is another one.
        yield return new([mlp + "down_proj.weight"], IsGated ? Parts(mlp + "up_proj", MlpBias) : [], 0);

        string[] NormParts(string norm) =>
            NormKind == NormKind.RmsPlusOne ? [] : Parts(norm, NormKind == NormKind.Layer);
        static string[] Parts(string linear, bool bias) =>
            bias ? [linear + ".weight", linear + ".bias"] : [linear + ".weight"];
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        .. base.Describe(), ("kv_heads", Text(KvHeads)), ("head_dim", Text(HeadDim)),
            ("intermediate", Text(Intermediate)), ("norm_epsilon", Text(NormEpsilon)),
        ("rope_theta", Text(RopeTheta)), ("rope_scaling", RopeScaling is null ? "none"
            : string.Create(CultureInfo.InvariantCulture, $"{RopeScaling}")), ("rope_pairing", Pairing.ToString()),
        ("qkv_bias", Text(QkvBias)), ("output_bias", Text(OutputBias)), ("mlp_bias", Text(MlpBias)),
            ("qk_norm", Text(QkNorm)),
        ("window", Text(Window)), ("first_window_layer", Text(FirstWindowLayer)), .. DescribeFamily(),
    ];

    /// <summary>The switches that are not as in Llama.</summary>
    private IEnumerable<(string Name, string Value)> DescribeFamily()
    {
        var llama = new DecoderConfig
        {
            VocabSize = VocabSize,
            ContextLength = ContextLength,
            Layers = Layers,
            Heads = Heads,
            Channels = Channels,
            Intermediate = Intermediate,
        };
        (string Name, object? Value, object? Default)[] switches =
        [
            ("family", Family, llama.Family), ("norm", NormKind, llama.NormKind), ("norms", Norms, llama.Norms),
            ("parallel", IsParallel, false), ("shares_norm", SharesNorm, false),
            ("embedding_norm", EmbeddingNorm, false), ("embedding_scale", EmbeddingScale, 1f),
            ("activation", Activation, llama.Activation), ("gated", IsGated, true), ("mixture", Mixture, null),
            ("latent", Latent, null), ("hybrid", Hybrid, null), ("qk_norm_all_heads", QkNormAllHeads, false),
            ("attention_scale", AttentionScale, 0f), ("score_cap", ScoreCap, 0f), ("logit_cap", LogitCap, 0f),
            ("logit_scale", LogitScale, 1f), ("positions", Positions, llama.Positions),
            ("rotary_dim", RotaryDim, HeadDim), ("local_rope_theta", LocalRopeTheta, null),
            ("position_offset", PositionOffset, 0), ("unrotated_every", UnrotatedEvery, 0),
            ("final_norm", HasFinalNorm, true), ("full_every", FullEvery, 0),
        ];
        return switches.Where(item => !Equals(item.Value, item.Default))
            .Select(item => (item.Name, string.Create(CultureInfo.InvariantCulture, $"{item.Value}")));
    }
}
