using System.Text.Json;

namespace Nano;

/// <summary>The config.json of Llama, Mistral, Qwen2 and Qwen3, in the keys of transformers 4 and 5.</summary>
public sealed partial record DecoderConfig
{
    private const string Full = "full_attention", Sliding = "sliding_attention";

    /// <summary>Reads a config.json of this model_type.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong type.</exception>
    internal static DecoderConfig Read(ConfigJson file, string kind)
    {
        RefuseVariants(file);
        int layers = file.RequiredInt("num_hidden_layers"), heads = file.RequiredInt("num_attention_heads");
        bool attentionBias = kind switch
        {
            "qwen2" => false,
            "mistral" => false,
            _ => file.Bool("attention_bias") ?? false
        };
        var (window, firstWindowLayer) = ReadWindow(file, kind, layers);
        var config = new DecoderConfig
        {
            VocabSize = file.RequiredInt("vocab_size"),
            ContextLength = file.RequiredInt("max_position_embeddings"),
            Layers = layers,
            Heads = heads,
            Channels = file.RequiredInt("hidden_size"),
            KvHeads = file.Int("num_key_value_heads")
                ?? (kind == "llama" || file.Has("num_key_value_heads") ? heads
                    : file.RequiredInt("num_key_value_heads")),
            Intermediate = file.RequiredInt("intermediate_size"),
            TiedHead = file.Bool("tie_word_embeddings") ?? false,
            Dropout = file.Float("dropout") ?? 0,
            NormEpsilon = file.Float("rms_norm_eps") ?? 1e-6f,
            QkvBias = kind == "qwen2" || attentionBias,
            OutputBias = attentionBias,
            MlpBias = kind == "llama" && (file.Bool("mlp_bias") ?? false),
            QkNorm = kind == "qwen3",
            Window = window,
            FirstWindowLayer = firstWindowLayer,
        };
        int? headDim = file.Int("head_dim") ?? (kind == "qwen3" && !file.Has("head_dim") ? 128 : null);
        return WithRope(headDim is { } channels ? config with { HeadDim = channels } : config, file);
    }

    private static void RefuseVariants(ConfigJson file)
    {
        if (file.String("hidden_act") is { } activation and not ("silu" or "swish"))
            throw file.Bad($"'hidden_act' is {Quoted.Of(activation)}; supported: silu");
        if ((file.Double("partial_rotary_factor") ?? file.Object("rope_parameters")?.Double("partial_rotary_factor"))
            is { } part && part != 1)
            throw file.Bad($"'partial_rotary_factor' is {part}, a variant that is not supported: all channels of a "
                + "head are rotated");
    }

    /// <summary>
    /// Mistral has a window in all layers (4096 where the key is absent); Qwen only if
    /// use_sliding_window says so, from max_window_layers on or where layer_types says so.
    /// </summary>
    private static (int Window, int FirstLayer) ReadWindow(ConfigJson file, string kind, int layers)
    {
        if (kind == "llama")
            return (0, 0);
        if (kind == "mistral")
            return (file.Has("sliding_window") ? file.Int("sliding_window") ?? 0 : 4096, 0);
        int window = file.Bool("use_sliding_window") ?? false ? file.Int("sliding_window") ?? 0 : 0;
        int first = file.Strings("layer_types") is { } types ? FirstSliding(file, types, layers)
            : file.Int("max_window_layers") ?? 28;
        if (window == 0 && first < layers && file.Has("layer_types"))
            throw file.Bad($"'layer_types' has {Sliding} at {first}, but 'use_sliding_window' and 'sliding_window' "
                + "give no window");
        return window == 0 ? (0, 0) : (window, Math.Min(first, layers));
    }

    private static int FirstSliding(ConfigJson file, IReadOnlyList<string> types, int layers)
    {
        if (types.Count != layers)
            throw file.Bad($"'layer_types' has {types.Count} entries for {layers} layers");
        int first = types.TakeWhile(type => type == Full).Count();
        for (int i = first; i < layers; i++)
            if (types[i] != Sliding)
                throw file.Bad($"'layer_types' has {Quoted.Of(types[i])} at {i}; supported: some {Full}, then "
                    + $"{Sliding} to the end");
        return first;
    }

    /// <summary>
    /// rope_parameters (transformers 5), or rope_theta and rope_scaling (4). Where a scaling
    /// stretches max_position_embeddings instead of having been counted in (dynamic always, yarn
    /// when the original context is no smaller), the context is the original one times the factor.
    /// </summary>
    internal static DecoderConfig WithRope(DecoderConfig config, ConfigJson file)
    {
        string outer = file.Object("rope_parameters") is null ? "rope_scaling" : "rope_parameters";
        var rope = file.Object(outer);
        if (rope?.Object(Full) is { } full && config.Family == DecoderFamily.Gemma3)
            rope = full;
        if (rope is not null && (rope.Has(Full) || rope.Has(Sliding)))
            throw file.Bad($"'{outer}' differs by kind of layer; supported: one for all");
        double theta = rope?.Double("rope_theta") ?? file.Double("rope_theta") ?? 10000;
        double part = rope?.Double("partial_rotary_factor") ?? file.Double("partial_rotary_factor") ?? 1;
        config = WithRotaryPart(config with { RopeTheta = theta }, part, file);
        if (rope is null)
            return config;
        string? type = rope.String("rope_type") ?? rope.String("type") ?? (rope.Has("factor") ? null : "default");
        int? given = rope.Int("original_max_position_embeddings");
        int original = given ?? config.ContextLength;
        switch (type)
        {
            case "default":
                return config;
            case "linear":
                return config with { RopeScaling = new RopeScaling.Linear(rope.RequiredDouble("factor")) };
            case "dynamic":
                return Stretched(config, rope.RequiredDouble("factor"), original,
                    factor => new RopeScaling.Dynamic(factor, original));
            case "yarn":
                return Stretched(config, rope.Double("factor") ?? (double)config.ContextLength / original, original,
                    factor => ReadYarn(rope, factor, original));
            case "llama3":
                return config with
                {
                    RopeScaling = new RopeScaling.Llama3(rope.RequiredDouble("factor"),
                    rope.RequiredDouble("low_freq_factor"), rope.RequiredDouble("high_freq_factor"), original)
                };
            case "longrope" or "su":
                original = file.Int("original_max_position_embeddings") ?? given
                    ?? throw file.Bad("the key 'original_max_position_embeddings' is missing");
                return config with
                {
                    RopeScaling = new RopeScaling.LongRope([.. rope.Doubles("short_factor")],
                        [.. rope.Doubles("long_factor")], original, config.ContextLength)
                };
            default:
                throw file.Bad($"'{outer}.rope_type' is {(type is null ? "missing" : Quoted.Of(type))}; supported: "
                    + "default, linear, dynamic, yarn, llama3, longrope");
        }
    }

    /// <summary>The configuration with the first part of each head rotated.</summary>
    internal static DecoderConfig WithRotaryPart(DecoderConfig config, double part, ConfigJson file) => part switch
    {
        1 => config,
        > 0 and < 1 => config with { RotaryDim = (int)(config.HeadDim * part) },
        _ => throw file.Bad($"the rotated part of a head is {part}; it must be above 0 and at most 1"),
    };

    private static DecoderConfig Stretched(DecoderConfig config, double factor, int original,
        Func<double, RopeScaling> scaling) =>
        config with
        {
            RopeScaling = scaling(factor),
            ContextLength = config.ContextLength > original ? config.ContextLength : Stretch(original, factor)
        };

    /// <summary>The context that a factor makes of an original one. A factor out of range is refused later.</summary>
    private static int Stretch(int original, double factor) =>
        factor is >= 1 and <= MaxChannels ? (int)Math.Min(int.MaxValue, original * factor) : original;

    private static RopeScaling.Yarn ReadYarn(ConfigJson rope, double factor, int original)
    {
        double? attention = rope.Double("attention_factor");
        if (attention is null && rope.Double("mscale") is { } scale and not 0
            && rope.Double("mscale_all_dim") is { } all and not 0)
            attention = RopeScaling.Yarn.DefaultMagnitude(factor, scale)
                / RopeScaling.Yarn.DefaultMagnitude(factor, all);
        return new(factor, original, rope.Double("beta_fast") ?? 32, rope.Double("beta_slow") ?? 1, attention,
            rope.Bool("truncate") ?? true);
    }

    /// <summary>The model_type that has these features in transformers, and its class; null where none has.</summary>
    private (string Type, string Architecture)? Published() => this switch
    {
        { Pairing: not RopePairing.RotateHalf } => null,
        { QkNorm: true, MlpBias: false } when QkvBias == OutputBias => ("qwen3", "Qwen3ForCausalLM"),
        { QkNorm: false, MlpBias: false, QkvBias: true, OutputBias: false } => ("qwen2", "Qwen2ForCausalLM"),
        { QkNorm: false, MlpBias: false, QkvBias: false, OutputBias: false, Window: > 0, FirstWindowLayer: 0 } =>
            ("mistral", "MistralForCausalLM"),
        { QkNorm: false, Window: 0 } when QkvBias == OutputBias => ("llama", "LlamaForCausalLM"),
        _ => null,
    };

    /// <inheritdoc/>
    protected override void WriteTo(Utf8JsonWriter json)
    {
        if (Family == DecoderFamily.Llama)
        {
            WriteLlama(json);
            return;
        }
        var facts = DecoderFamilies.Of(Family);
        WriteKind(json, facts.Architecture, facts.ModelType);
        facts.Write(json, this);
    }

    internal void WriteLlama(Utf8JsonWriter json)
    {
        var (type, architecture) = Published() ?? throw new NanoException(Pairing != RopePairing.RotateHalf
            ? "a config.json cannot say that rotary pairs are interleaved"
            : $"no model_type has these features together: QK-norm {QkNorm}, biases of q, k, v {QkvBias}, of the "
            + $"attention output {OutputBias}, of the MLP {MlpBias}, window {Window} from layer {FirstWindowLayer} on",
            Pairing != RopePairing.RotateHalf ? "permute the rows of the query and key weights to rotate-half first"
                : null);
        WriteKind(json, architecture, type);
        json.WriteNumber("vocab_size", VocabSize);
        json.WriteNumber("hidden_size", Channels);
        json.WriteNumber("intermediate_size", Intermediate);
        json.WriteNumber("num_hidden_layers", Layers);
        json.WriteNumber("num_attention_heads", Heads);
        json.WriteNumber("num_key_value_heads", KvHeads);
        json.WriteNumber("head_dim", HeadDim);
        json.WriteString("hidden_act", "silu");
        WriteRope(json);
        json.WriteNumber("initializer_range", 0.02);
        WriteFloat(json, "rms_norm_eps", NormEpsilon);
        if (type is "llama" or "qwen3")
            json.WriteBoolean("attention_bias", QkvBias);
        if (type == "llama")
            json.WriteBoolean("mlp_bias", MlpBias);
        WriteWindow(json, type);
        WriteFloat(json, "attention_dropout", 0f);
        if (Dropout != 0)
            WriteFloat(json, "dropout", Dropout); // Nano's own extension
        json.WriteBoolean("tie_word_embeddings", TiedHead);
        json.WriteString("torch_dtype", "float32");
    }

    private void WriteWindow(Utf8JsonWriter json, string type)
    {
        if (type == "llama")
            return;
        if (Window > 0)
            json.WriteNumber("sliding_window", Window);
        else
            json.WriteNull("sliding_window");
        if (type == "mistral")
            return;
        json.WriteBoolean("use_sliding_window", Window > 0);
        json.WriteNumber("max_window_layers", Window > 0 ? FirstWindowLayer : Layers);
    }

    internal void WriteRope(Utf8JsonWriter json)
    {
        // transformers takes max_position_embeddings for the original context of the dynamic scaling.
        bool stretched = RopeScaling is RopeScaling.Dynamic { OriginalContext: var original, Factor: var stretch }
            && Stretch(original, stretch) == ContextLength;
        json.WriteNumber("max_position_embeddings",
            stretched ? ((RopeScaling.Dynamic)RopeScaling!).OriginalContext : ContextLength);
        WriteFloat(json, "rope_theta", RopeTheta);
        if (RotaryDim != HeadDim)
            WriteFloat(json, "partial_rotary_factor", (double)RotaryDim / HeadDim);
        if (RopeScaling is RopeScaling.LongRope { OriginalContext: var trained })
            json.WriteNumber("original_max_position_embeddings", trained);
        if (RopeScaling is null)
        {
            json.WriteNull("rope_scaling");
            return;
        }
        json.WriteStartObject("rope_scaling");
        switch (RopeScaling)
        {
            case RopeScaling.Linear linear:
                Write("linear", linear.Factor, null);
                break;
            case RopeScaling.Dynamic dynamic:
                Write("dynamic", dynamic.Factor, stretched ? null : dynamic.OriginalContext);
                break;
            case RopeScaling.Yarn yarn:
                Write("yarn", yarn.Factor, yarn.OriginalContext, ("beta_fast", yarn.BetaFast),
                    ("beta_slow", yarn.BetaSlow), ("attention_factor", yarn.AttentionFactor));
                if (!yarn.Truncate)
                    json.WriteBoolean("truncate", false);
                break;
            case RopeScaling.LongRope longRope:
                json.WriteString("type", "longrope");
                WriteNumbers(json, "short_factor", longRope.Short);
                WriteNumbers(json, "long_factor", longRope.Long);
                break;
            case RopeScaling.Llama3 llama3:
                Write("llama3", llama3.Factor, llama3.OriginalContext, ("low_freq_factor", llama3.LowFactor),
                    ("high_freq_factor", llama3.HighFactor));
                break;
        }
        json.WriteEndObject();

        void Write(string type, double factor, int? originalContext,
            params ReadOnlySpan<(string Key, double? Value)> numbers)
        {
            json.WriteString("rope_type", type);
            WriteFloat(json, "factor", factor);
            foreach (var (key, value) in numbers)
                if (value is { } number)
                    WriteFloat(json, key, number);
            if (originalContext is { } context)
                json.WriteNumber("original_max_position_embeddings", context);
        }
    }

    private static void WriteNumbers(Utf8JsonWriter json, string key, IEnumerable<double> numbers)
    {
        json.WriteStartArray(key);
        foreach (double number in numbers)
            json.WriteNumberValue(number);
        json.WriteEndArray();
    }
}
