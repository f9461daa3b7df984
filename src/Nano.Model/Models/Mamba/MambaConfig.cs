using System.Text.Json;

namespace Nano;

/// <summary>A Mamba (Gu and Dao, 2023) or Mamba-2 (Dao and Gu, 2024) as data.</summary>
public sealed record MambaConfig : RecurrentConfig
{
    private const int PublishedContext = 2048;

    /// <summary>
    /// True for Mamba-2: <see cref="ModelConfig.Heads"/> of <see cref="ModelConfig.HeadDim"/> channels with a matrix of
    /// state each. False for Mamba, whose channels have a vector each, and which has one head.
    /// </summary>
    public bool IsMamba2 { get; init; }

    /// <summary>I: channels of the mixer; all heads together.</summary>
    public required int Intermediate { get; init; }

    /// <summary>N: numbers of state for each channel.</summary>
    public required int StateSize { get; init; }

    /// <summary>K: steps that the convolution sees.</summary>
    public int Kernel { get; init; } = 4;

    /// <summary>Rank of the matrix that makes step sizes, in Mamba.</summary>
    public int StepRank { get; init; } = 1;

    /// <summary>G: groups of heads that share B and C, in Mamba-2.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>True if the convolution has a bias.</summary>
    public bool ConvolutionBias { get; init; } = true;

    /// <summary>True if the first and the last matrix of a block have biases.</summary>
    public bool Bias { get; init; }

    /// <summary>Added to the mean square in norms.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>The sizes of a mixer.</summary>
    internal MixerConfig Mixer => new(Intermediate, StateSize, Kernel, NormEpsilon)
    {
        StepRank = StepRank,
        Heads = IsMamba2 ? Heads : 0,
        Groups = Groups,
        ConvolutionBias = ConvolutionBias,
        Bias = Bias,
    };

    /// <inheritdoc/>
    protected override IReadOnlyList<Shape> StateShapes => Mixer.StateShapes;

    /// <inheritdoc/>
    protected override double ScanFlops => Mixer.ScanFlops;

    internal override LanguageModel NewModel(Parameters parameters) => new Mamba(this, parameters);

    /// <inheritdoc/>
    public override string ModelType => IsMamba2 ? "mamba2" : "mamba";

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if ((base.Problem() ?? SizeChecks.Problem(("width of the mixer", Intermediate, MaxChannels),
            ("number of states", StateSize, 1 << 16), ("kernel of the convolution", Kernel, 1 << 10),
            ("rank of step sizes", StepRank, MaxChannels), ("number of groups", Groups, MaxChannels))) is { } problem)
            return problem;
        if (IsMamba2 && (long)Heads * HeadDim != Intermediate)
            return $"{Heads} heads of {HeadDim} channels are not the mixer's {Intermediate} channels";
        if (IsMamba2 && (Heads % Groups != 0 || (long)Groups * StateSize > MaxChannels))
            return $"{Heads} heads cannot be divided among {Groups} groups of {StateSize} states";
        if (!IsMamba2 && Heads != 1)
            return $"there are {Heads} heads; a mamba has one, a mamba2 may have more";
        return SizeChecks.EpsilonProblem(NormEpsilon);
    }

    /// <summary>The mixer, and the rank of step sizes, become wider with the channels.</summary>
    public override MambaConfig WithSizes(int contextLength, int? layers, int? heads, int? channels)
    {
        int C = channels ?? Channels, width = (int)Math.Min(MaxChannels, (long)Intermediate * C / Channels);
        int H = !IsMamba2 ? 1 : heads ?? Math.Max(1, width / HeadDim);
        var resized = this with
        {
            ContextLength = contextLength,
            Layers = layers ?? Layers,
            Channels = C,
            Intermediate = width,
            StepRank = (int)Math.Clamp((long)StepRank * C / Channels, 1, MaxChannels),
            Heads = H,
        };
        return IsMamba2 ? resized with { HeadDim = width / Math.Max(1, H) } : resized;
    }

    /// <summary>Reads a config.json of model_type mamba or mamba2.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong type.</exception>
    internal static MambaConfig Read(ConfigJson file, bool isMamba2)
    {
        if (file.String("hidden_act") is { } activation and not ("silu" or "swish"))
            throw file.Bad($"'hidden_act' is {Quoted.Of(activation)}; supported: silu");
        if (file.Doubles("time_step_limit") is { Count: > 0 } limits && (limits.Count != 2 || limits[0] > 0
            || limits[1] < float.MaxValue / 1e9))
            throw file.Bad("'time_step_limit' bounds step sizes, a variant that is not supported");
        FamilyKeys.Require(file, "rms_norm", true);
        int C = file.RequiredInt("hidden_size");
        var config = new MambaConfig
        {
            IsMamba2 = isMamba2,
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = file.Int("max_position_embeddings") ?? PublishedContext,
            Layers = file.RequiredInt("num_hidden_layers"),
            Heads = isMamba2 ? file.RequiredInt("num_heads") : 1,
            Channels = C,
            Intermediate = isMamba2 ? 0 : file.Int("intermediate_size") ?? checked((int)Math.Min(int.MaxValue,
                (long)(file.Int("expand") ?? 2) * C)),
            StateSize = file.Int("state_size") ?? (isMamba2 ? 128 : 16),
            Kernel = file.Int("conv_kernel") ?? 4,
            StepRank = isMamba2 ? 1 : file.Int("time_step_rank") ?? (int)((C + 15L) / 16),
            Groups = isMamba2 ? file.Int("n_groups") ?? 8 : 1,
            ConvolutionBias = file.Bool("use_conv_bias") ?? true,
            Bias = file.Bool("use_bias") ?? false,
            NormEpsilon = file.Float("layer_norm_epsilon") ?? 1e-5f,
            TiedHead = file.Bool("tie_word_embeddings") ?? !isMamba2,
            Dropout = file.Float("dropout") ?? 0,
        };
        if (!isMamba2)
            return config;
        int D = file.RequiredInt("head_dim");
        return config with { HeadDim = D, Intermediate = (int)Math.Min(int.MaxValue, (long)D * config.Heads) };
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, IsMamba2 ? "Mamba2ForCausalLM" : "MambaForCausalLM", ModelType);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("max_position_embeddings", ContextLength);
        json.WriteNumber("hidden_size", Channels);
        json.WriteNumber("num_hidden_layers", Layers);
        json.WriteNumber("state_size", StateSize);
        json.WriteNumber("conv_kernel", Kernel);
        WriteFloat(json, "expand", (double)Intermediate / Channels);
        if (IsMamba2)
        {
            json.WriteNumber("num_heads", Heads);
            json.WriteNumber("head_dim", HeadDim);
            json.WriteNumber("n_groups", Groups);
        }
        else
        {
            json.WriteNumber("intermediate_size", Intermediate);
            json.WriteNumber("time_step_rank", StepRank);
        }
        json.WriteString("hidden_act", "silu");
        json.WriteBoolean("use_bias", Bias);
        json.WriteBoolean("use_conv_bias", ConvolutionBias);
        WriteFloat(json, "layer_norm_epsilon", NormEpsilon);
        WriteFloat(json, "dropout", Dropout);
        json.WriteBoolean("tie_word_embeddings", TiedHead);
        json.WriteString("torch_dtype", "float32");
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
    [
        .. base.Describe(), ("mixer", Text(Intermediate)), ("states", Text(StateSize)), ("kernel", Text(Kernel)),
        ("step_rank", Text(StepRank)), ("groups", Text(Groups)), ("bias", Text(Bias)),
        ("convolution_bias", Text(ConvolutionBias)), ("norm_epsilon", Text(NormEpsilon)),
    ];

    /// <inheritdoc/>
    internal override IEnumerable<SharedInput> SharedInputs(int block)
    {
        string layer = $"backbone.layers.{block}.", mixer = layer + "mixer.";
        yield return new([mixer + "in_proj.weight"], [layer + "norm.weight"], 0);
        if (!IsMamba2)
        {
            yield return new([mixer + "x_proj.weight"], [], 0); // behind a SiLU
            yield return new([mixer + "dt_proj.weight"], [mixer + "x_proj.weight"], 0);
        }
        yield return new([mixer + "out_proj.weight"], IsMamba2 ? [mixer + "norm.weight"] : [], 0);
    }
}
