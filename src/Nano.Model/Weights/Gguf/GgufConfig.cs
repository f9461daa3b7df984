namespace Nano;

/// <summary>
/// A model's configuration as GGUF metadata: gpt2, llama (Mistral included), qwen2, qwen3, and the families of
/// <see cref="GgufFamilies"/>.
/// </summary>
internal static class GgufConfig
{
    private const string Architecture = "general.architecture", FileType = "general.file_type";
    private const string VersionKey = "general.quantization_version";
    private static readonly string Supported = string.Join(", ", ((string[])["gpt2", "llama", "qwen2", "qwen3"])
        .Concat(GgufFamilies.Architectures.Where(name => name != "llama")));

    /// <summary>The tensor of divisors of rotary frequencies.</summary>
    public const string RopeFactors = "rope_freqs.weight";

    // The version of the blocks' layouts.
    private const uint QuantisationVersion = 2;

    /// <summary>
    /// The scalings that Llama 3.1 and 3.2 were published with, which a file holds as the factors
    /// they come to.
    /// </summary>
    private static readonly RopeScaling.Llama3[] KnownScalings = [new(8, 1, 4, 8192), new(32, 1, 4, 8192)];

    /// <summary>
    /// True if rows of queries and keys lie in interleaved pairs: in llama and smollm3 they do; other
    /// architectures use the layout of transformers.
    /// </summary>
    public static bool IsInterleaved(GgufMetadata metadata) => metadata.String(Architecture) is "llama" or "smollm3";

    /// <summary>
    /// Reads a configuration from a file's metadata, and from its tensors what only they tell: the
    /// vocabulary, and which parameters exist.
    /// </summary>
    /// <exception cref="BadFileException">Something is missing, or the model is not supported.</exception>
    public static ModelConfig Read(GgufMetadata file, IReadOnlyDictionary<string, GgufTensor> tensors,
        Func<string, float[]?> factors)
    {
        string arch = file.String(Architecture) ?? throw Bad(file, $"the metadata key '{Architecture}' is missing");
        ModelConfig config = arch switch
        {
            "gpt2" => new Gpt2Config
            {
                VocabSize = Vocabulary(file, tensors),
                ContextLength = Required(file, $"{arch}.context_length"),
                Layers = Required(file, $"{arch}.block_count"),
                Heads = Required(file, $"{arch}.attention.head_count"),
                Channels = Required(file, $"{arch}.embedding_length"),
                LayerNormEpsilon = file.Float($"{arch}.attention.layer_norm_epsilon") ?? 1e-5f,
                TiedHead = !tensors.ContainsKey("output.weight"),
            },
            "llama" or "qwen2" or "qwen3" when file.Size($"{arch}.expert_count") is null or 0 =>
                ReadLlama(file, tensors, arch, factors(RopeFactors)),
            "qwen2" or "qwen3" => throw Bad(file, $"it is a mixture of {file.Size($"{arch}.expert_count")} experts, "
                + $"which is not supported for {arch}"),
            _ when GgufFamilies.Architectures.Contains(arch) => ReadFamily(file, tensors, arch, factors),
            _ => throw Bad(file, $"the architecture {Quoted.Of(arch)} is not supported; supported: {Supported}"),
        };
        config = config with
        {
            BosToken = Token(file, Gguf.BosKey),
            EosTokens = Token(file, Gguf.EosKey) is { } eos ? [eos] : []
        };
        try
        {
            config.Validate();
        }
        catch (NanoException e)
        {
            throw new BadFileException(file.Path, $"the metadata: {e.Message}", e);
        }
        if (file.Size($"{arch}.feed_forward_length") is { } wide
            && wide != (config is DecoderConfig llama ? llama.Intermediate : 4L * config.Channels))
            throw Bad(file, $"the metadata key '{arch}.feed_forward_length' is {wide}; supported for {arch}: 4 "
                + "times the embedding length");
        return config;
    }

    private static DecoderConfig ReadFamily(GgufMetadata file, IReadOnlyDictionary<string, GgufTensor> tensors,
        string arch, Func<string, float[]?> factors)
    {
        DecoderConfig config = ReadSizes(file, tensors, arch);
        if (file.Size($"{arch}.rope.dimension_count") is { } rotated && rotated != config.HeadDim)
            config = config with { RotaryDim = rotated };
        // Factors of Llama 3 or of longrope say it themselves.
        if (file.Float($"{arch}.rope.scaling.factor") is not null)
            config = config with { RopeScaling = ReadScaling(file, arch, config) };
        return GgufFamilies.Read(new(file, arch, config, tensors.ContainsKey, factors))!;
    }

    private static DecoderConfig ReadLlama(GgufMetadata file, IReadOnlyDictionary<string, GgufTensor> tensors,
        string arch, float[]? factors)
    {
        DecoderConfig config = ReadSizes(file, tensors, arch);
        if (file.Size($"{arch}.rope.dimension_count") is { } other && other != config.HeadDim)
            throw Bad(file, $"the metadata key '{arch}.rope.dimension_count' is {other}; supported: the "
                + $"{config.HeadDim} channels of a head");
        return config with
        {
            RopeScaling = factors is null ? ReadScaling(file, arch, config) : FromFactors(file, config, factors)
        };
    }

    /// <summary>The sizes and switches that all families have.</summary>
    private static DecoderConfig ReadSizes(GgufMetadata file, IReadOnlyDictionary<string, GgufTensor> tensors,
        string arch)
    {
        int heads = Required(file, $"{arch}.attention.head_count"),
            channels = Required(file, $"{arch}.embedding_length");
        int headDim = file.Size($"{arch}.attention.key_length") ?? (heads == 0 ? 0 : channels / heads);
        if (file.Size($"{arch}.attention.value_length") is { } other && other != headDim)
            throw Bad(file, $"the metadata key '{arch}.attention.value_length' is {other}; supported: the {headDim} "
                + "channels of a head");
        return new DecoderConfig
        {
            VocabSize = Vocabulary(file, tensors),
            ContextLength = Required(file, $"{arch}.context_length"),
            Layers = Required(file, $"{arch}.block_count"),
            Heads = heads,
            KvHeads = file.Size($"{arch}.attention.head_count_kv") ?? heads,
            Channels = channels,
            HeadDim = headDim,
            Intermediate = Required(file, $"{arch}.feed_forward_length"),
            NormEpsilon = file.Float($"{arch}.attention.layer_norm_rms_epsilon")
                ?? file.Float($"{arch}.attention.layer_norm_epsilon")
                ?? throw Bad(file, $"the metadata key '{arch}.attention.layer_norm_rms_epsilon' is missing"),
            RopeTheta = file.Float($"{arch}.rope.freq_base") ?? 10_000,
            Window = file.Size($"{arch}.attention.sliding_window") ?? 0,
            TiedHead = !tensors.ContainsKey("output.weight"),
            QkvBias = tensors.ContainsKey("blk.0.attn_q.bias") || tensors.ContainsKey("blk.0.attn_qkv.bias"),
            OutputBias = tensors.ContainsKey("blk.0.attn_output.bias"),
            MlpBias = tensors.ContainsKey("blk.0.ffn_up.bias"),
            QkNorm = tensors.ContainsKey("blk.0.attn_q_norm.weight"),
        };
    }

    private static RopeScaling? ReadScaling(GgufMetadata file, string arch, DecoderConfig config)
    {
        string type = file.String($"{arch}.rope.scaling.type") ?? "none";
        double Factor() => file.Float($"{arch}.rope.scaling.factor")
            ?? throw Bad(file, $"the metadata key '{arch}.rope.scaling.factor' is missing");
        return type switch
        {
            "none" => null,
            "linear" => new RopeScaling.Linear(Factor()),
            "yarn" => new RopeScaling.Yarn(Factor(),
                file.Size($"{arch}.rope.scaling.original_context_length") ?? config.ContextLength),
            _ => throw Bad(file,
                $"the rotary scaling {Quoted.Of(type)} is not supported; supported: none, linear, yarn, and the "
                + "factors of Llama 3"),
        };
    }

    private static RopeScaling.Llama3 FromFactors(GgufMetadata file, DecoderConfig config, float[] factors)
    {
        if (factors.Length == config.HeadDim / 2 && config.RopeTheta > 1 && config.HeadDim > 0)
            foreach (RopeScaling.Llama3 scaling in KnownScalings)
                if (Factors(config, scaling).Zip(factors)
                    .All(pair => Math.Abs(pair.First - pair.Second) <= 1e-4 * Math.Abs(pair.First)))
                    return scaling;
        throw Bad(file, $"its {factors.Length} rotary factors are not those of Llama 3.1 or 3.2; no others are "
            + "supported");
    }

    /// <summary>The tensors of rotary factors that a file has beside parameters, with their numbers.</summary>
    public static IEnumerable<(string Name, float[] Factors)> Factors(ModelConfig config) =>
        (config as DecoderConfig)?.RopeScaling switch
        {
            RopeScaling.Llama3 scaling => [(RopeFactors, Factors((DecoderConfig)config, scaling))],
            RopeScaling.LongRope longRope =>
            [
                (GgufFamilies.LongFactors, [.. longRope.Long.Select(factor => (float)factor)]),
                (GgufFamilies.ShortFactors, [.. longRope.Short.Select(factor => (float)factor)]),
            ],
            _ => [],
        };

    /// <summary>The divisors of the rotary frequencies under Llama 3's scaling.</summary>
    private static float[] Factors(DecoderConfig config, RopeScaling.Llama3 scaling)
    {
        double[] plain = RopeTable.InverseFrequencies(config.HeadDim, config.RopeTheta),
            scaled = scaling.Frequencies(config.HeadDim, config.RopeTheta);
        return [.. plain.Zip(scaled, (before, after) => (float)(before / after))];
    }

    /// <summary>The reason why a GGUF file cannot hold a model, or null.</summary>
    public static string? Refusal(ModelConfig config) => config switch
    {
        RecurrentConfig => $"it is a {config.ModelType}, which is written as a folder only",
        Gpt2Config { Bias: false } => "GGUF's gpt2 has biases",
        Gpt2Config { Gelu: not GeluForm.Tanh } => "it uses the erf form of GELU; GGUF's gpt2 means the tanh form",
        DecoderConfig { Family: not DecoderFamily.Llama } decoder when GgufFamilies.Of(decoder) is null =>
            $"models of type {config.ModelType} are not written as GGUF",
        DecoderConfig { Family: not DecoderFamily.Llama } decoder when GgufFamilies.Refusal(decoder) is { } reason =>
            reason,
        DecoderConfig { RopeScaling: RopeScaling.Dynamic } => "its rotary scaling is dynamic, which GGUF does not know",
        DecoderConfig { RopeScaling: RopeScaling.Yarn yarn } when yarn != new RopeScaling.Yarn(yarn.Factor,
            yarn.OriginalContext) => "its YaRN has settings of its own, which GGUF does not know",
        DecoderConfig { RopeScaling: RopeScaling.Llama3 scaling } when !KnownScalings.Contains(scaling) =>
            "its Llama 3 scaling is not one of the published",
        DecoderConfig { Window: > 0, FirstWindowLayer: > 0 } => "its window is for some layers only",
        DecoderConfig { QkNorm: true, QkvBias: true } => "it has both norms and biases of queries and keys",
        _ => null,
    };

    /// <summary>
    /// The metadata of a model: what its own file said, or new; with the type of the weights as
    /// they will be.
    /// </summary>
    /// <param name="source">The model.</param>
    /// <param name="fileType">The type of the file; null means that weights stay as they are.</param>
    /// <param name="path">The file, for errors.</param>
    public static GgufMetadata Write(ModelSource source, GgufFileType? fileType, string path)
    {
        var metadata = new GgufMetadata(path);
        if (source.Metadata is { } old)
        {
            foreach (string key in old.Keys)
                metadata.CopyFrom(old, key);
            if (fileType is { } stated)
                SetTypes(metadata, stated);
            return metadata;
        }
        string arch = source.Config switch
        {
            DecoderConfig { Family: not DecoderFamily.Llama } other => GgufFamilies.Of(other)!.Architecture,
            DecoderConfig { QkNorm: true } => "qwen3",
            DecoderConfig { QkvBias: true, OutputBias: false } => "qwen2",
            DecoderConfig => "llama",
            _ => "gpt2"
        };
        metadata.Set(Architecture, arch);
        SetTypes(metadata, fileType ?? FileTypeOf(source.Tensors.MaxBy(tensor => tensor.Shape.Length)!.Type));
        WriteSizes(metadata, source.Config, arch);
        if (source.Config is DecoderConfig llama)
            WriteLlama(metadata, llama, arch);
        return metadata;
    }

    private static void WriteSizes(GgufMetadata metadata, ModelConfig config, string arch)
    {
        metadata.Set($"{arch}.vocab_size", (uint)config.VocabSize);
        metadata.Set($"{arch}.context_length", (uint)config.ContextLength);
        metadata.Set($"{arch}.embedding_length", (uint)config.Channels);
        metadata.Set($"{arch}.block_count", (uint)config.Layers);
        metadata.Set($"{arch}.feed_forward_length",
            (uint)(config is DecoderConfig llama ? llama.Intermediate : 4 * config.Channels));
        metadata.Set($"{arch}.attention.head_count", (uint)config.Heads);
        if (config is Gpt2Config gpt2)
            metadata.Set($"{arch}.attention.layer_norm_epsilon", gpt2.LayerNormEpsilon);
        if (config.BosToken is { } bos)
            metadata.Set(Gguf.BosKey, (uint)bos);
        if (config.EosTokens.Count > 0)
            metadata.Set(Gguf.EosKey, (uint)config.EosTokens[0]);
    }

    private static void WriteLlama(GgufMetadata metadata, DecoderConfig config, string arch)
    {
        metadata.Set($"{arch}.attention.head_count_kv", (uint)config.KvHeads);
        metadata.Set($"{arch}.attention.key_length", (uint)config.HeadDim);
        metadata.Set($"{arch}.attention.value_length", (uint)config.HeadDim);
        bool isRms = config.NormKind is NormKind.Rms or NormKind.RmsPlusOne;
        metadata.Set($"{arch}.attention.layer_norm_{(isRms ? "rms_" : "")}epsilon", config.NormEpsilon);
        if (config.Positions == PositionKind.Rotary)
        {
            metadata.Set($"{arch}.rope.dimension_count", (uint)config.RotaryDim);
            metadata.Set($"{arch}.rope.freq_base", (float)config.RopeTheta);
        }
        if (config.Window > 0)
            metadata.Set($"{arch}.attention.sliding_window", (uint)config.Window);
        if (config.RopeScaling is RopeScaling.Linear linear)
            WriteScaling(metadata, arch, "linear", linear.Factor);
        if (config.RopeScaling is RopeScaling.Yarn yarn)
        {
            WriteScaling(metadata, arch, "yarn", yarn.Factor);
            metadata.Set($"{arch}.rope.scaling.original_context_length", (uint)yarn.OriginalContext);
        }
        GgufFamilies.Of(config)?.Write(metadata, config);
    }

    private static void WriteScaling(GgufMetadata metadata, string arch, string type, double factor)
    {
        metadata.Set($"{arch}.rope.scaling.type", type);
        metadata.Set($"{arch}.rope.scaling.factor", (float)factor);
    }

    /// <summary>The type of a file whose matrices are all of one type of plain numbers.</summary>
    public static GgufFileType FileTypeOf(WeightType type) => type switch
    {
        WeightType.F16 => GgufFileType.F16,
        WeightType.BF16 => GgufFileType.BF16,
        _ => GgufFileType.F32,
    };

    /// <summary>States the importance with which a model was quantised, under the keys of llama.cpp.</summary>
    public static void SetImportance(GgufMetadata metadata, ImportanceMatrix importance)
    {
        const string Prefix = "quantize.imatrix.";
        if (importance.Path is { } path)
            metadata.Set(Prefix + "file", path);
        if (importance.DataSets.Count > 0)
            metadata.Set(Prefix + "dataset", importance.DataSets[0]);
        metadata.Set(Prefix + "entries_count", (uint)importance.Tensors.Count);
        if (importance.Chunks > 0)
            metadata.Set(Prefix + "chunks_count", (uint)importance.Chunks);
    }

    private static void SetTypes(GgufMetadata metadata, GgufFileType type)
    {
        if (type is not (GgufFileType.F32 or GgufFileType.F16 or GgufFileType.BF16))
            metadata.Set(VersionKey, QuantisationVersion);
        metadata.Set(FileType, (uint)type);
    }

    private static int Vocabulary(GgufMetadata file, IReadOnlyDictionary<string, GgufTensor> tensors)
    {
        if (!tensors.TryGetValue("token_embd.weight", out GgufTensor? table))
            throw Bad(file, "tensor 'token_embd.weight' is missing");
        return table.Shape.Count == 2 && table.Shape[0] <= int.MaxValue ? (int)table.Shape[0]
            : throw Bad(file, $"tensor 'token_embd.weight' has shape [{string.Join(", ", table.Shape)}]; expected a "
            + "row for each token");
    }

    /// <summary>A token's id; the largest uint32 means none.</summary>
    private static int? Token(GgufMetadata file, string key) =>
        file.Integer(key) == uint.MaxValue ? null : file.Size(key);

    private static int Required(GgufMetadata file, string key) =>
        file.Size(key) ?? throw Bad(file, $"the metadata key '{key}' is missing");

    private static BadFileException Bad(GgufMetadata file, string problem) => new(file.Path, problem);
}
