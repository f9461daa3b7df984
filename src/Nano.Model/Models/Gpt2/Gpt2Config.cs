using System.Text.Json;

namespace Nano;

/// <summary>
/// A GPT-2 model (Radford et al. 2019): pre-norm blocks of causal attention and an MLP 4 C wide,
/// learned position embeddings, LayerNorm.
/// </summary>
public sealed record Gpt2Config : ModelConfig
{
    private const int Gpt2Vocabulary = 50257, EndOfText = 50256;

    /// <summary>
    /// True if linear layers and norms have biases. False is Nano's own extension: the key "bias"
    /// in config.json.
    /// </summary>
    public bool Bias { get; init; } = true;

    /// <summary>The form of GELU in the MLP.</summary>
    public GeluForm Gelu { get; init; } = GeluForm.Tanh;

    /// <summary>Added to the variance in LayerNorm.</summary>
    public float LayerNormEpsilon { get; init; } = 1e-5f;

    internal override LanguageModel NewModel(Parameters parameters) => new Gpt2(this, parameters);

    /// <inheritdoc/>
    public override string ModelType => "gpt2";

    internal override string OptionalPrefix => "transformer.";

    /// <inheritdoc/>
    public override IEnumerable<FileTensor> FileTensors() => ParameterShapes().Select(parameter => new FileTensor(
        parameter.Facts.Role == ParameterRole.Head ? parameter.Name : OptionalPrefix + parameter.Name, parameter.Name)
    { IsTransposed = parameter.Facts.IsInner });

    /// <summary>The names that <see cref="Named"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"];

    /// <summary>
    /// The published sizes: gpt2 (124M parameters), gpt2-medium (350M), gpt2-large (774M), gpt2-xl
    /// (1558M).
    /// </summary>
    /// <exception cref="NanoException">The name is none of these.</exception>
    public static Gpt2Config Named(string name) => name switch
    {
        "gpt2" => Published(12, 12, 768),
        "gpt2-medium" => Published(24, 16, 1024),
        "gpt2-large" => Published(36, 20, 1280),
        "gpt2-xl" => Published(48, 25, 1600),
        _ => throw new NanoException($"there is no GPT-2 called {Quoted.Of(name)}",
            "choose gpt2, gpt2-medium, gpt2-large or gpt2-xl"),
    };

    private static Gpt2Config Published(int layers, int heads, int channels) => new()
    {
        VocabSize = Gpt2Vocabulary,
        ContextLength = 1024,
        Layers = layers,
        Heads = heads,
        Channels = channels,
        BosToken = EndOfText,
        EosTokens = [EndOfText],
    };

    /// <inheritdoc/>
    protected internal override string? Problem()
    {
        if (base.Problem() is { } problem)
            return problem;
        if (KvHeads != Heads || HeadDim * Heads != Channels)
            return $"{KvHeads} key heads of {HeadDim} channels; those of GPT-2 are its {Heads} heads, which share "
                + $"{Channels} channels";
        if (!(LayerNormEpsilon > 0 && float.IsFinite(LayerNormEpsilon)))
            return $"the LayerNorm epsilon is {LayerNormEpsilon}; it must be positive";
        return Enum.IsDefined(Gelu) ? null : $"there is no GELU form {(int)Gelu}";
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Name, string Value)> Describe() =>
        [.. base.Describe(), ("bias", Text(Bias)), ("gelu", Gelu.ToString()), ("norm_epsilon", Text(LayerNormEpsilon))];

    /// <summary>
    /// Reads a config.json of model_type gpt2. The context length is n_positions, or the older
    /// n_ctx if that is absent.
    /// </summary>
    /// <exception cref="BadFileException">A variant of GPT-2 that is not supported, or a value of
    /// the wrong type.</exception>
    internal static Gpt2Config Read(ConfigJson file)
    {
        var config = new Gpt2Config
        {
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = file.Int("n_positions") ?? file.RequiredInt("n_ctx"),
            Layers = file.RequiredInt("n_layer"),
            Heads = file.RequiredInt("n_head"),
            Channels = file.RequiredInt("n_embd"),
            Bias = file.Bool("bias") ?? true,
            Gelu = ReadGelu(file),
            Dropout = ReadDropout(file),
            TiedHead = file.Bool("tie_word_embeddings") ?? true,
            LayerNormEpsilon = file.Float("layer_norm_epsilon") ?? 1e-5f,
        };
        RefuseVariants(file, config);
        return config;
    }

    private static GeluForm ReadGelu(ConfigJson file) => file.String("activation_function") switch
    {
        null or "gelu_new" or "gelu_pytorch_tanh" => GeluForm.Tanh,
        "gelu" => GeluForm.Erf,
        string other => throw file.Bad(
            $"'activation_function' is {Quoted.Of(other)}; supported: gelu_new, gelu_pytorch_tanh, gelu"),
    };

    internal static float ReadDropout(ConfigJson file)
    {
        (string Key, float Value)? first = null;
        foreach (string key in (string[])["resid_pdrop", "embd_pdrop", "attn_pdrop"])
        {
            if (file.Float(key) is not { } value)
                continue;
            first ??= (key, value);
            if (value != first.Value.Value)
                throw file.Bad($"'{first.Value.Key}' is {first.Value.Value} but '{key}' is {value}; one dropout for "
                    + "all three is supported (to generate text, any value serves)");
        }
        return first?.Value ?? 0.1f;
    }

    private static void RefuseVariants(ConfigJson file, Gpt2Config config)
    {
        if (file.Int("n_inner") is { } inner && inner != 4L * config.Channels)
            throw file.Bad($"'n_inner' is {inner}; supported: null or 4 n_embd = {4L * config.Channels}");
        ReadOnlySpan<(string Key, bool Supported)> switches =
            [("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false), ("add_cross_attention", false)];
        foreach ((string key, bool supported) in switches)
            if (file.Bool(key) is { } value && value != supported)
                throw file.Bad($"'{key}' is {(value ? "true" : "false")}, a variant of GPT-2 that is not supported");
    }

    /// <inheritdoc/>
    internal override IEnumerable<SharedInput> SharedInputs(int block)
    {
        string h = $"h.{block}.";
        return
        [
            new([h + "attn.c_attn.weight"], Parts("ln_1"), 0),
            new([h + "attn.c_proj.weight"], Parts("attn.c_attn"), 2 * Channels),
            new([h + "mlp.c_fc.weight"], Parts("ln_2"), 0),
            new([h + "mlp.c_proj.weight"], [], 0), // behind a GELU
        ];

        string[] Parts(string layer) => Bias ? [$"{h}{layer}.weight", $"{h}{layer}.bias"] : [$"{h}{layer}.weight"];
    }

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        WriteKind(json, "GPT2LMHeadModel", ModelType);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("n_positions", ContextLength);
        json.WriteNumber("n_ctx", ContextLength);
        json.WriteNumber("n_embd", Channels);
        json.WriteNumber("n_layer", Layers);
        json.WriteNumber("n_head", Heads);
        json.WriteNull("n_inner");
        json.WriteString("activation_function", Gelu == GeluForm.Tanh ? "gelu_new" : "gelu");
        foreach (string key in (string[])["resid_pdrop", "embd_pdrop", "attn_pdrop"])
            WriteFloat(json, key, Dropout);
        WriteFloat(json, "layer_norm_epsilon", LayerNormEpsilon);
        json.WriteNumber("initializer_range", 0.02);
        json.WriteBoolean("scale_attn_weights", true);
        json.WriteBoolean("tie_word_embeddings", TiedHead);
        json.WriteString("torch_dtype", "float32");
        if (!Bias)
            json.WriteBoolean("bias", false);
    }
}
