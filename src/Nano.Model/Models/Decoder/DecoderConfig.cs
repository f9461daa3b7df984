using System.Globalization;

namespace Nano;

/// <summary>
/// A model of the Llama family as data: RMSNorm, rotary positions, SwiGLU, grouped heads, and the
/// switches in which Llama 1 to 3.2, TinyLlama, SmolLM, Mistral, Qwen2, Qwen2.5 and Qwen3 (dense)
/// differ.
/// </summary>
public sealed partial record DecoderConfig : ModelConfig
{
    /// <summary>I: width of the MLP.</summary>
    public required int Intermediate { get; init; }

    /// <summary>Added to the mean square in RMSNorm.</summary>
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
    /// True if every head of queries and keys passes an RMSNorm of its own before it is rotated
    /// (Qwen3).
    /// </summary>
    public bool QkNorm { get; init; }

    /// <summary>
    /// Number of keys that a query sees, its own included, in the layers from
    /// <see cref="FirstWindowLayer"/> on; 0 for all.
    /// </summary>
    public int Window { get; init; }

    /// <summary>The first layer whose attention has the <see cref="Window"/>; those below see everything.</summary>
    public int FirstWindowLayer { get; init; }

    internal override LanguageModel NewModel(Parameters parameters) => new Decoder(this, parameters);

    /// <inheritdoc/>
    public override string ModelType => Published()?.Type ?? "llama";

    /// <summary>Number of keys that a query of a layer sees; 0 for all.</summary>
    public int WindowOf(int layer) => layer >= FirstWindowLayer ? Window : 0;

    /// <summary>The MLP becomes wider with the channels, in whole eights.</summary>
    public override DecoderConfig WithSizes(int contextLength, int? layers, int? heads, int? channels)
    {
        var resized = (DecoderConfig)base.WithSizes(contextLength, layers, heads, channels);
        return resized.Channels == Channels ? resized
            : resized with
            {
                Intermediate = (int)Math.Min(MaxChannels,
                (((long)Intermediate * resized.Channels / Channels) + 7) / 8 * 8)
            };
    }

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (base.Problem() is { } problem)
            return problem;
        if (Intermediate < 1 || Intermediate > MaxChannels)
            return $"the MLP has {Intermediate} channels; it must have from 1 to {MaxChannels}";
        if (HeadDim % 2 != 0)
            return $"a head has {HeadDim} channels; rotary positions need an even number";
        if (!(NormEpsilon > 0 && float.IsFinite(NormEpsilon)))
            return $"the RMSNorm epsilon is {NormEpsilon}; it must be positive";
        if (!(RopeTheta > 1 && double.IsFinite(RopeTheta)))
            return $"the base of the rotary angles is {RopeTheta}; it must be above 1";
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
            _ => (1, 1),
        };
        if (!(factor >= 1 && factor <= MaxChannels))
            return $"the factor of the rotary scaling is {factor}; it must be from 1 to {MaxChannels}";
        if (original < 1 && RopeScaling is not RopeScaling.Linear)
            return $"the original context of the rotary scaling is {original}; it must be positive";
        return RopeScaling switch
        {
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
            RopeScaling.Dynamic when HeadDim == 2 => "dynamic rotary scaling needs heads of more than 2 channels",
            _ => null,
        };
    }

    /// <inheritdoc/>
    internal override IEnumerable<SharedInput> SharedInputs(int block)
    {
        string layer = $"model.layers.{block}.", attention = layer + "self_attn.", mlp = layer + "mlp.";
        return
        [
            new([attention + "q_proj.weight", attention + "k_proj.weight", attention + "v_proj.weight"],
                [layer + "input_layernorm.weight"], 0),
            // A value that several heads read has one scale.
            new([attention + "o_proj.weight"], KvHeads == Heads ? Parts(attention + "v_proj", QkvBias) : [], 0),
            new([mlp + "gate_proj.weight", mlp + "up_proj.weight"], [layer + "post_attention_layernorm.weight"], 0),
            new([mlp + "down_proj.weight"], Parts(mlp + "up_proj", MlpBias), 0),
        ];

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
        ("window", Text(Window)), ("first_window_layer", Text(FirstWindowLayer)),
    ];
}
