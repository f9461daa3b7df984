using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>
/// Sizes and switches of a GPT-2 model (Radford et al. 2019): pre-norm blocks of causal attention and an MLP 4 C wide,
/// learned position embeddings, LayerNorm. Read from and written as a Hugging Face config.json.
/// </summary>
public sealed record Gpt2Config
{
    // Generous, yet small enough that the parameter count of any accepted config fits in 63 bits.
    private const int MaxTokens = 1 << 24, MaxChannels = 1 << 20, MaxLayers = 1 << 16;
    private const int Gpt2Vocabulary = 50257, EndOfText = 50256;

    /// <summary>V: number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>T: the longest sequence, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>L: number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>H: attention heads per block.</summary>
    public required int Heads { get; init; }

    /// <summary>C: width of the residual stream, a multiple of <see cref="Heads"/>.</summary>
    public required int Channels { get; init; }

    /// <summary>Whether linear layers and norms have biases. False is Nano's own extension: the key "bias" in config.json.</summary>
    public bool Bias { get; init; } = true;

    /// <summary>Which GELU the MLP uses.</summary>
    public GeluForm Gelu { get; init; } = GeluForm.Tanh;

    /// <summary>How much is dropped while training, in [0, 1): after the embedding and at the end of both branches of a block, not inside attention.</summary>
    public float Dropout { get; init; }

    /// <summary>Whether the output matrix is the token embedding.</summary>
    public bool TiedHead { get; init; } = true;

    /// <summary>Added to the variance in LayerNorm.</summary>
    public float LayerNormEpsilon { get; init; } = 1e-5f;

    /// <summary>D: channels per head.</summary>
    public int HeadDim => Channels / Heads;

    /// <summary>The names that <see cref="Named"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"];

    /// <summary>The published sizes: gpt2 (124M parameters), gpt2-medium (350M), gpt2-large (774M), gpt2-xl (1558M).</summary>
    /// <exception cref="NanoException">The name is none of these.</exception>
    public static Gpt2Config Named(string name) => name switch
    {
        "gpt2" => Published(12, 12, 768),
        "gpt2-medium" => Published(24, 16, 1024),
        "gpt2-large" => Published(36, 20, 1280),
        "gpt2-xl" => Published(48, 25, 1600),
        _ => throw new NanoException($"there is no GPT-2 called {Quoted.Of(name)}", "choose gpt2, gpt2-medium, gpt2-large or gpt2-xl"),
    };

    private static Gpt2Config Published(int layers, int heads, int channels) => new()
    {
        VocabSize = Gpt2Vocabulary,
        ContextLength = 1024,
        Layers = layers,
        Heads = heads,
        Channels = channels,
    };

    /// <summary>Checks that a model of these sizes can be built.</summary>
    /// <exception cref="NanoException">It cannot; the message names the value.</exception>
    public void Validate()
    {
        if (Problem() is { } problem)
            throw new NanoException($"the model configuration is impossible: {problem}");
    }

    private string? Problem()
    {
        ReadOnlySpan<(string Name, int Value, int Max)> sizes =
        [
            ("vocabulary size", VocabSize, MaxTokens), ("context length", ContextLength, MaxTokens),
            ("number of layers", Layers, MaxLayers), ("number of heads", Heads, MaxChannels), ("number of channels", Channels, MaxChannels),
        ];
        foreach ((string name, int value, int max) in sizes)
            if (value < 1 || value > max)
                return $"the {name} is {value}; it must be from 1 to {max}";
        if (Channels % Heads != 0)
            return $"{Channels} channels cannot be divided among {Heads} heads; make channels a multiple of heads";
        if (!(Dropout >= 0 && Dropout < 1))
            return $"the dropout is {Dropout}; it must be at least 0 and less than 1";
        if (!(LayerNormEpsilon > 0 && float.IsFinite(LayerNormEpsilon)))
            return $"the LayerNorm epsilon is {LayerNormEpsilon}; it must be positive";
        return Enum.IsDefined(Gelu) ? null : $"there is no GELU form {(int)Gelu}";
    }

    /// <summary>Reads a config.json; see <see cref="FromJson"/>.</summary>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">It is not the configuration of a GPT-2.</exception>
    public static Gpt2Config Load(string path) =>
        FromJson(System.Text.Encoding.UTF8.GetString(InputFile.ReadUtf8(path, MaxFileBytes, "a model's folder holds its config.json")), path);

    private const int MaxFileBytes = 1 << 20;

    /// <summary>
    /// Reads a Hugging Face config.json of model_type gpt2. Sizes are required; for other absent keys the defaults of transformers hold.
    /// n_positions decides the context length, the older n_ctx only where it is absent. Keys that do not change the arithmetic are passed over.
    /// </summary>
    /// <param name="json">The file's text.</param>
    /// <param name="path">The file, for errors.</param>
    /// <exception cref="BadFileException">Malformed, another kind of model, or a variant of GPT-2 that is not supported.</exception>
    public static Gpt2Config FromJson(string json, string path)
    {
        using var file = new ConfigJson(json, path);
        string? kind = file.String("model_type");
        if (kind != "gpt2")
            throw file.Bad($"'model_type' is {(kind is null ? "missing" : Quoted.Of(kind))}; supported: gpt2");
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
        if (config.Problem() is { } problem)
            throw file.Bad(problem);
        RefuseVariants(file, config);
        return config;
    }

    private static GeluForm ReadGelu(ConfigJson file) => file.String("activation_function") switch
    {
        null or "gelu_new" or "gelu_pytorch_tanh" => GeluForm.Tanh,
        "gelu" => GeluForm.Erf,
        string other => throw file.Bad($"'activation_function' is {Quoted.Of(other)}; supported: gelu_new, gelu_pytorch_tanh, gelu"),
    };

    private static float ReadDropout(ConfigJson file)
    {
        (string Key, float Value)? first = null;
        foreach (string key in (string[])["resid_pdrop", "embd_pdrop", "attn_pdrop"])
        {
            if (file.Float(key) is not { } value)
                continue;
            first ??= (key, value);
            if (value != first.Value.Value)
                throw file.Bad($"'{first.Value.Key}' is {first.Value.Value} but '{key}' is {value}; one dropout for all three is supported (to generate text, any value serves)");
        }
        return first?.Value ?? 0.1f;
    }

    private static void RefuseVariants(ConfigJson file, Gpt2Config config)
    {
        if (file.Int("n_inner") is { } inner && inner != 4 * config.Channels)
            throw file.Bad($"'n_inner' is {inner}; supported: null or 4 n_embd = {4 * config.Channels}");
        ReadOnlySpan<(string Key, bool Supported)> switches =
            [("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false), ("add_cross_attention", false)];
        foreach ((string key, bool supported) in switches)
            if (file.Bool(key) is { } value && value != supported)
                throw file.Bad($"'{key}' is {(value ? "true" : "false")}, a variant of GPT-2 that is not supported");
    }

    /// <summary>
    /// The config.json of this model for transformers and for <see cref="FromJson"/>; the same config gives the same text.
    /// The end-of-text id is written for GPT-2's own vocabulary and is null for others.
    /// </summary>
    /// <exception cref="NanoException">The config is impossible.</exception>
    public string ToJson()
    {
        Validate();
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
            WriteTo(json);
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    private void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartArray("architectures");
        json.WriteStringValue("GPT2LMHeadModel");
        json.WriteEndArray();
        json.WriteString("model_type", "gpt2");
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
        foreach (string key in (string[])["bos_token_id", "eos_token_id"])
        {
            if (VocabSize == Gpt2Vocabulary)
                json.WriteNumber(key, EndOfText);
            else
                json.WriteNull(key);
        }
        if (!Bias)
            json.WriteBoolean("bias", false);
        json.WriteEndObject();
    }

    // Python tells 0 from 0.0, and readers there may insist on a float.
    private static void WriteFloat(Utf8JsonWriter json, string key, float value)
    {
        string text = value.ToString(CultureInfo.InvariantCulture);
        json.WritePropertyName(key);
        json.WriteRawValue(text.AsSpan().ContainsAny('.', 'E') ? text : text + ".0");
    }
}
