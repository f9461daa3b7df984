using System.Text.Json;

namespace Nano;

/// <summary>Families of decoders, whose published files have names and keys of their own.</summary>
public enum DecoderFamily
{
    /// <summary>Llama, Mistral, Qwen2 and Qwen3: which one follows from the switches.</summary>
    Llama,

    /// <summary>Mixtral.</summary>
    Mixtral,

    /// <summary>Qwen3 as a mixture of experts.</summary>
    Qwen3Moe,

    /// <summary>DeepSeek-V3: latent attention, a mixture with a shared expert.</summary>
    DeepSeekV3,

    /// <summary>Gemma 2.</summary>
    Gemma2,

    /// <summary>Gemma 3, its text model.</summary>
    Gemma3,

    /// <summary>Phi-3 and Phi-4.</summary>
    Phi3,

    /// <summary>OLMo-2.</summary>
    Olmo2,

    /// <summary>GPT-NeoX and Pythia.</summary>
    GptNeox,

    /// <summary>BLOOM.</summary>
    Bloom,

    /// <summary>Falcon 7B and others whose branches share a norm, or run one behind the other.</summary>
    Falcon,

    /// <summary>Falcon 40B and 180B, whose parallel branches have norms of their own.</summary>
    FalconTwoNorms,

    /// <summary>MPT.</summary>
    Mpt,

    /// <summary>Command-R.</summary>
    Cohere,

    /// <summary>Command-R7B and A.</summary>
    Cohere2,

    /// <summary>SmolLM3.</summary>
    SmolLm3,

    /// <summary>StarCoder.</summary>
    StarCoder,

    /// <summary>StarCoder2.</summary>
    StarCoder2,

    /// <summary>OPT.</summary>
    Opt,

    /// <summary>GPT, the first.</summary>
    Gpt1,

    /// <summary>Jamba.</summary>
    Jamba,
}

/// <summary>The names and keys of a family's files.</summary>
/// <param name="ModelType">The model_type of config.json.</param>
/// <param name="Architecture">The class in transformers.</param>
/// <param name="Read">Reads the switches from config.json.</param>
/// <param name="Write">Writes them, all but the kind of model.</param>
/// <param name="Renames">Parts of names, Nano's and the files', in the order in which they are replaced.</param>
internal sealed record DecoderFacts(string ModelType, string Architecture, Func<ConfigJson, DecoderConfig> Read,
    Action<Utf8JsonWriter, DecoderConfig> Write, params ValueList<(string Nano, string File)> Renames)
{
    private const string Query = ".q_proj.", Key = ".k_proj.", Value = ".v_proj.", Gate = ".gate_proj.",
        Up = ".up_proj.";

    /// <summary>True if queries, keys and values are one tensor in the files, here called qkv_proj.</summary>
    public bool JoinsQkv { get; init; }

    /// <summary>The groups of rows of that tensor.</summary>
    public Func<DecoderConfig, int> QkvGroups { get; init; } = _ => 1;

    /// <summary>True if gate and up are one tensor in the files, here called gate_up_proj.</summary>
    public bool JoinsGate { get; init; }

    /// <summary>True if rows and columns of matrices are exchanged in the files.</summary>
    public bool TransposesMatrices { get; init; }

    /// <summary>A prefix of names that some files have and others do not.</summary>
    public string OptionalPrefix { get; init; } = "";

    /// <summary>The tensors of a model in the files.</summary>
    public IEnumerable<FileTensor> FileTensors(DecoderConfig config)
    {
        if (!TransposesMatrices)
            return Joined(config);
        var matrices = config.ParameterShapes().Where(parameter => parameter.Facts.IsInner)
            .Select(parameter => parameter.Name).ToHashSet(StringComparer.Ordinal);
        return Joined(config).Select(file => file with { IsTransposed = matrices.Contains(file.Parameters[0]) });
    }

    private IEnumerable<FileTensor> Joined(DecoderConfig config)
    {
        foreach (string name in config.ParameterShapes().Select(parameter => parameter.Name))
            if (JoinsQkv && name.Contains(Query, StringComparison.Ordinal))
                yield return new(Renamed(With(name, Query, ".qkv_proj.")), name, With(name, Query, Key),
                    With(name, Query, Value))
                { Groups = QkvGroups(config) };
            else if (JoinsGate && name.Contains(Gate, StringComparison.Ordinal))
                yield return new(Renamed(With(name, Gate, ".gate_up_proj.")), name, With(name, Gate, Up));
            else if (!(JoinsQkv && (name.Contains(Key, StringComparison.Ordinal)
                || name.Contains(Value, StringComparison.Ordinal)))
                && !(JoinsGate && name.Contains(Up, StringComparison.Ordinal)))
                yield return new(Renamed(name), name);
    }

    private static string With(string name, string part, string other) =>
        name.Replace(part, other, StringComparison.Ordinal);

    private string Renamed(string name) =>
        Renames.Aggregate(name, (renamed, pair) => renamed.Replace(pair.Nano, pair.File, StringComparison.Ordinal));
}

/// <summary>The families by name: one entry each, their keys of config.json in files of their own.</summary>
internal static class DecoderFamilies
{
    private static readonly DecoderFacts Falcon = new("falcon", "FalconForCausalLM", NeoKeys.ReadFalcon,
        NeoKeys.WriteFalcon, ("model.embed_tokens", "transformer.word_embeddings"), ("model.layers.", "transformer.h."),
        ("model.norm", "transformer.ln_f"), ("self_attn.qkv_proj", "self_attention.query_key_value"),
        ("self_attn.o_proj", "self_attention.dense"), ("mlp.up_proj", "mlp.dense_h_to_4h"),
        ("mlp.down_proj", "mlp.dense_4h_to_h"))
    {
        JoinsQkv = true,
        QkvGroups = config => config.KvHeads,
        OptionalPrefix = "transformer.",
    };

    private static readonly Dictionary<DecoderFamily, DecoderFacts> All = new()
    {
        [DecoderFamily.Llama] = new("llama", "LlamaForCausalLM", file => DecoderConfig.Read(file, "llama"),
            (json, config) => config.WriteLlama(json)),
        [DecoderFamily.Mixtral] = new("mixtral", "MixtralForCausalLM", MixtureKeys.ReadMixtral,
            MixtureKeys.WriteMixtral, (".mlp.", ".block_sparse_moe."), (".gate_proj.", ".w1."), (".up_proj.", ".w3."),
            (".down_proj.", ".w2.")),
        [DecoderFamily.Qwen3Moe] = new("qwen3_moe", "Qwen3MoeForCausalLM", MixtureKeys.ReadQwen3,
            MixtureKeys.WriteQwen3),
        [DecoderFamily.DeepSeekV3] = new("deepseek_v3", "DeepseekV3ForCausalLM", MixtureKeys.ReadDeepSeek,
            MixtureKeys.WriteDeepSeek),
        [DecoderFamily.Gemma2] = new("gemma2", "Gemma2ForCausalLM", GemmaKeys.Read2, GemmaKeys.Write),
        [DecoderFamily.Gemma3] = new("gemma3_text", "Gemma3ForCausalLM", GemmaKeys.Read3, GemmaKeys.Write)
        { OptionalPrefix = "language_model." },
        [DecoderFamily.Phi3] = new("phi3", "Phi3ForCausalLM", RootKeys.ReadPhi3, RootKeys.WritePhi3)
        { JoinsQkv = true, JoinsGate = true },
        [DecoderFamily.Olmo2] = new("olmo2", "Olmo2ForCausalLM", RootKeys.ReadOlmo2, RootKeys.WriteOlmo2),
        [DecoderFamily.Cohere] = new("cohere", "CohereForCausalLM", RootKeys.ReadCohere, RootKeys.WriteCohere),
        [DecoderFamily.GptNeox] = new("gpt_neox", "GPTNeoXForCausalLM", NeoKeys.ReadNeox, NeoKeys.WriteNeox,
            ("model.embed_tokens", "gpt_neox.embed_in"), ("model.layers.", "gpt_neox.layers."),
            ("model.norm", "gpt_neox.final_layer_norm"), ("self_attn.qkv_proj", "attention.query_key_value"),
            ("self_attn.o_proj", "attention.dense"), ("mlp.up_proj", "mlp.dense_h_to_4h"),
            ("mlp.down_proj", "mlp.dense_4h_to_h"), ("lm_head", "embed_out"))
        { JoinsQkv = true, QkvGroups = config => config.Heads },
        [DecoderFamily.Bloom] = new("bloom", "BloomForCausalLM", NeoKeys.ReadBloom, NeoKeys.WriteBloom,
            ("model.embed_tokens", "transformer.word_embeddings"),
            ("model.embed_norm", "transformer.word_embeddings_layernorm"), ("model.layers.", "transformer.h."),
            ("model.norm", "transformer.ln_f"), ("self_attn.qkv_proj", "self_attention.query_key_value"),
            ("self_attn.o_proj", "self_attention.dense"), ("mlp.up_proj", "mlp.dense_h_to_4h"),
            ("mlp.down_proj", "mlp.dense_4h_to_h"))
        { JoinsQkv = true, QkvGroups = config => config.Heads, OptionalPrefix = "transformer." },
        [DecoderFamily.Falcon] = Falcon,
        [DecoderFamily.FalconTwoNorms] = Falcon with
        {
            Renames = [.. Falcon.Renames, ("input_layernorm", "ln_attn"), ("post_attention_layernorm", "ln_mlp")],
        },
        [DecoderFamily.Mpt] = new("mpt", "MptForCausalLM", NeoKeys.ReadMpt, NeoKeys.WriteMpt,
            ("model.embed_tokens", "transformer.wte"), ("model.layers.", "transformer.blocks."),
            ("model.norm", "transformer.norm_f"), ("input_layernorm", "norm_1"), ("post_attention_layernorm", "norm_2"),
            ("self_attn.qkv_proj", "attn.Wqkv"), ("self_attn.o_proj", "attn.out_proj"), ("mlp.", "ffn."))
        { JoinsQkv = true, OptionalPrefix = "transformer." },
        [DecoderFamily.Cohere2] = new("cohere2", "Cohere2ForCausalLM", RecentKeys.ReadCohere2, RecentKeys.WriteCohere2),
        [DecoderFamily.SmolLm3] = new("smollm3", "SmolLM3ForCausalLM", RecentKeys.ReadSmolLm3,
            RecentKeys.WriteSmolLm3),
        [DecoderFamily.StarCoder2] = new("starcoder2", "Starcoder2ForCausalLM", RecentKeys.ReadStarCoder2,
            RecentKeys.WriteStarCoder2, ("mlp.up_proj", "mlp.c_fc"), ("mlp.down_proj", "mlp.c_proj")),
        [DecoderFamily.StarCoder] = new("gpt_bigcode", "GPTBigCodeForCausalLM", LearnedKeys.ReadStarCoder,
            LearnedKeys.WriteStarCoder, ("model.embed_tokens", "transformer.wte"),
            ("model.embed_positions", "transformer.wpe"), ("model.layers.", "transformer.h."),
            ("model.norm", "transformer.ln_f"), ("input_layernorm", "ln_1"), ("post_attention_layernorm", "ln_2"),
            ("self_attn.qkv_proj", "attn.c_attn"), ("self_attn.o_proj", "attn.c_proj"), ("mlp.up_proj", "mlp.c_fc"),
            ("mlp.down_proj", "mlp.c_proj"))
        {
            JoinsQkv = true,
            QkvGroups = config => config.KvHeads == 1 ? 1 : config.Heads,
            OptionalPrefix = "transformer.",
        },
        [DecoderFamily.Opt] = new("opt", "OPTForCausalLM", LearnedKeys.ReadOpt, LearnedKeys.WriteOpt,
            ("model.", "model.decoder."), ("decoder.norm", "decoder.final_layer_norm"),
            ("input_layernorm", "self_attn_layer_norm"), ("post_attention_layernorm", "final_layer_norm"),
            (".o_proj.", ".out_proj."), ("mlp.up_proj", "fc1"), ("mlp.down_proj", "fc2"))
        { OptionalPrefix = "model." },
        [DecoderFamily.Gpt1] = new("openai-gpt", "OpenAIGPTLMHeadModel", LearnedKeys.ReadGpt1, LearnedKeys.WriteGpt1,
            ("model.embed_tokens", "transformer.tokens_embed"),
            ("model.embed_positions", "transformer.positions_embed"),
            ("model.layers.", "transformer.h."), ("post_attention_layernorm", "ln_1"),
            ("post_feedforward_layernorm", "ln_2"), ("self_attn.qkv_proj", "attn.c_attn"),
            ("self_attn.o_proj", "attn.c_proj"), ("mlp.up_proj", "mlp.c_fc"), ("mlp.down_proj", "mlp.c_proj"))
        { JoinsQkv = true, TransposesMatrices = true, OptionalPrefix = "transformer." },
        [DecoderFamily.Jamba] = new("jamba", "JambaForCausalLM", HybridKeys.Read, HybridKeys.Write,
            ("model.norm", "model.final_layernorm"), ("post_attention_layernorm", "pre_ff_layernorm"),
            ("mlp.gate.", "feed_forward.router."), (".mlp.", ".feed_forward.")),
    };

    /// <summary>The model_types of all, those of Llama's family too.</summary>
    public static IEnumerable<string> ModelTypes =>
        ["llama", "mistral", "qwen2", "qwen3", .. All.Values.Skip(1).Select(facts => facts.ModelType).Distinct()];

    /// <summary>A family's files.</summary>
    public static DecoderFacts Of(DecoderFamily family) => All[family];

    /// <summary>The switches that a config.json of a model_type gives, or null if it is of no decoder here.</summary>
    /// <exception cref="BadFileException">A variant that is not supported, or a value of the wrong type.</exception>
    public static DecoderConfig? Read(ConfigJson file, string? kind) =>
        kind is "llama" or "mistral" or "qwen2" or "qwen3" ? DecoderConfig.Read(file, kind)
            : All.Values.FirstOrDefault(facts => facts.ModelType == kind)?.Read(file);
}
