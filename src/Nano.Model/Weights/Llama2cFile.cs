using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// Checkpoints of llama2.c (format: its export.py): version 0, the legacy one without a version, 1
/// in float32, and 2 in int8 with a scale for each group. They say sizes only: RMSNorm's epsilon is
/// 1e-5, the rotary base 10,000, pairs are interleaved, and there are no biases.
/// </summary>
public static class Llama2cFile
{
    /// <summary>The first uint32 of versions 1 and 2.</summary>
    public const uint Magic = 0x616b3432;

    private const int LegacyHeaderBytes = 7 * sizeof(int), HeaderBytes = 256, DefaultGroup = 64;
    private const float Epsilon = 1e-5f, RopeTheta = 10_000f;

    private const string Tokens = "model.embed_tokens.weight", FinalNorm = "model.norm.weight", Head = "lm_head.weight",
        AttentionNorm = "input_layernorm", MlpNorm = "post_attention_layernorm";

    private static readonly string[] Attention = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
        "self_attn.o_proj"];
    private static readonly string[] Mlp = ["mlp.gate_proj", "mlp.down_proj", "mlp.up_proj"];

    /// <summary>Opens a checkpoint of any version.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed, or longer or shorter than its header says.</exception>
    public static ModelSource Open(string path)
    {
        var file = new BinaryFile(path, "check the path; it should be a checkpoint of llama2.c");
        try
        {
            bool legacy = file.UInt32(0) != Magic;
            int version = legacy ? 0 : file.Int32(4);
            if (version is < 0 or > 2 || (version == 0 && !legacy))
                throw file.Bad($"it is version {version} of llama2.c's checkpoints; supported: 0, 1 and 2");
            DecoderConfig config = ReadHeader(file, version);
            int group = version == 2 ? file.Int32(HeaderFields + 1) : 1;
            if (group < 1)
                throw file.Bad($"the group size is {group}; expected 1 or more");
            CheckLength(file, config, version, group);
            return new ModelSource(path, config, Tensors(file, config, version, group),
                file)
            { TokenizerPath = Beside(path, "tokenizer.bin") };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The position of the flag for a shared head: after magic, version and seven sizes.
    /// </summary>
    private const int HeaderFields = 36;

    private static DecoderConfig ReadHeader(BinaryFile file, int version)
    {
        int at = version == 0 ? 0 : 8, vocabulary = file.Int32(at + 20);
        if (version > 0 && file.Slice(HeaderFields, 1)[0] > 1)
            throw file.Bad($"the flag for a shared classifier, at byte {HeaderFields}, is "
                + $"{file.Slice(HeaderFields, 1)[0]}; expected 0 or 1");
        var config = new DecoderConfig
        {
            Channels = file.Int32(at),
            Intermediate = file.Int32(at + 4),
            Layers = file.Int32(at + 8),
            Heads = file.Int32(at + 12),
            KvHeads = file.Int32(at + 16),
            VocabSize = version == 0 && vocabulary is < 0 and > int.MinValue ? -vocabulary : vocabulary,
            ContextLength = file.Int32(at + 24),
            TiedHead = version == 0 ? vocabulary > 0 : file.Slice(HeaderFields, 1)[0] == 1,
            NormEpsilon = Epsilon,
            RopeTheta = RopeTheta,
        };
        try
        {
            config.Validate();
        }
        catch (NanoException e)
        {
            throw new BadFileException(file.Path,
                $"the header: {e.Message}{(version == 0 ? "; is this a model file at all?" : "")}", e);
        }
        return config;
    }

    /// <summary>
    /// The file must be exactly as long as its sizes say; checked before a name is listed or a byte
    /// reserved.
    /// </summary>
    private static void CheckLength(BinaryFile file, DecoderConfig config, int version, int group)
    {
        Int128 C = config.Channels, table = C * config.VocabSize, norms = C * ((2 * config.Layers) + 1);
        Int128 layer = (2 * C * config.Heads * config.HeadDim) + (2 * C * config.KvHeads * config.HeadDim)
            + (3 * C * config.Intermediate);
        Int128 matrices = (layer * config.Layers) + (config.TiedHead ? table : 2 * table);
        Int128 expected = version switch
        {
            0 => LegacyHeaderBytes
                + (sizeof(float) * (norms + matrices + ((Int128)config.ContextLength * config.HeadDim))),
            1 => HeaderBytes + (sizeof(float) * (norms + matrices)),
            _ => HeaderBytes + (sizeof(float) * norms) + matrices + (sizeof(float) * (matrices / group)),
        };
        if (file.Length != expected)
            throw file.Bad($"it has {file.Length} bytes; its header (version {version}, {config.Layers} layers, "
                + $"{config.Channels} channels, vocabulary {config.VocabSize}, context {config.ContextLength}) asks "
                + $"for {expected}");
    }

    private static List<ModelTensor> Tensors(BinaryFile file, DecoderConfig config, int version, int group)
    {
        var declared = config.ParameterShapes().ToDictionary(parameter => parameter.Name, StringComparer.Ordinal);
        var found = new Dictionary<string, ModelTensor>(StringComparer.Ordinal);
        long offset = version == 0 ? LegacyHeaderBytes : HeaderBytes;
        foreach (string name in Order(config, version))
        {
            (_, Shape shape, ParameterFacts facts) = declared[name];
            long start = offset, count = shape.Length;
            if (name == Head && version == 0)
                // cos and sin of every position, which are computed here
                start = offset += (long)config.ContextLength * config.HeadDim * sizeof(float);
            bool grouped = version == 2 && shape.Rank == 2;
            if (grouped && count % group != 0)
                throw file.Bad($"tensor '{name}' has {count} elements, which groups of {group} do not divide");
            ModelTensor tensor = grouped
                ? new ModelTensor(name, shape, WeightType.F32,
                    (element, destination) => Dequantise(file, start, count, group, element,
                        MemoryMarshal.Cast<byte, float>(destination)))
                : new ModelTensor(name, shape, WeightType.F32,
                    (element, destination) => file.Copy(start + (element * sizeof(float)), destination));
            found.Add(name, facts.IsRotated ? RopeLayout.ToRotateHalf(tensor, config.HeadDim) : tensor);
            offset += grouped ? count + (count / group * sizeof(float)) : count * sizeof(float);
        }
        return [.. declared.Keys.Select(name => found[name])];
    }

    /// <summary>The parameters in the order of a file.</summary>
    private static IEnumerable<string> Order(DecoderConfig config, int version)
    {
        IEnumerable<string> Each(params IEnumerable<string> names) =>
            names.SelectMany(name => Enumerable.Range(0, config.Layers)
                .Select(layer => $"model.layers.{layer}.{name}.weight"));
        IEnumerable<string> head = config.TiedHead ? [] : [Head];
        return version == 0
            ? [Tokens, .. Each(AttentionNorm), .. Each(Attention), .. Each(MlpNorm), .. Each(Mlp), FinalNorm, .. head]
            : [.. Each(AttentionNorm), .. Each(MlpNorm), FinalNorm, Tokens, .. Each(Attention), .. Each(Mlp), .. head];
    }

    private static void Dequantise(BinaryFile file, long start, long count, int group, long element, Span<float> to)
    {
        ReadOnlySpan<sbyte> numbers = MemoryMarshal.Cast<byte, sbyte>(file.Slice(start + element, to.Length));
        long firstGroup = element / group;
        int groups = to.Length == 0 ? 0 : (int)(((element + to.Length - 1) / group) - firstGroup + 1);
        ReadOnlySpan<float> scales =
            MemoryMarshal.Cast<byte, float>(file.Slice(start + count + (firstGroup * sizeof(float)),
                groups * sizeof(float)));
        for (int i = 0; i < to.Length; i++)
            to[i] = numbers[i] * scales[(int)(((element + i) / group) - firstGroup)];
    }

    /// <summary>Writes a checkpoint whole or not at all.</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="source">A Llama without biases, norms of queries and keys, or scaled positions.</param>
    /// <param name="version">0, 1 or 2. Version 2 rounds matrices to int8.</param>
    /// <exception cref="NanoException">The format cannot hold this model, or the file cannot be written.</exception>
    public static void Write(string path, ModelSource source, int version = 0)
    {
        if (version is < 0 or > 2)
            throw new ArgumentOutOfRangeException(nameof(version), version, "llama2.c has versions 0, 1 and 2");
        if (Refusal(source.Config) is { } reason)
            throw new NanoException($"a checkpoint of llama2.c cannot hold this model: {reason}",
                "write it as safetensors or GGUF");
        var config = (DecoderConfig)source.Config;
        int group = DefaultGroup;
        while (config.Channels % group != 0)
            group /= 2;
        var tensors = source.Declared.ToDictionary(pair => pair.Tensor.Name, StringComparer.Ordinal);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(Header(config, version, group));
            foreach (string name in Order(config, version))
            {
                (ModelTensor tensor, ParameterFacts facts) = tensors[name];
                if (facts.IsRotated)
                    tensor = RopeLayout.ToInterleaved(tensor, config.HeadDim);
                if (version == 2 && tensor.Shape.Rank == 2)
                    Llama2cGroups.Write(stream, tensor.As(WeightType.F32), group);
                else
                    tensor.As(WeightType.F32).WriteTo(stream);
                if (version == 0 && name == FinalNorm)
                    WriteTables(stream, config);
            }
        });
    }

    private static string? Refusal(ModelConfig model) => model switch
    {
        not DecoderConfig { Family: DecoderFamily.Llama } =>
            $"it is a {model.ModelType}; llama2.c's checkpoints hold Llama",
        DecoderConfig config when config.QkvBias || config.OutputBias || config.MlpBias => "it has biases",
        DecoderConfig { QkNorm: true } => "it has norms of queries and keys",
        DecoderConfig { RopeScaling: not null } => "its rotary positions are scaled",
        DecoderConfig { RopeTheta: not RopeTheta } config =>
            $"its rotary base is {config.RopeTheta}; llama2.c computes with {RopeTheta}",
        DecoderConfig { NormEpsilon: not Epsilon } config =>
            $"its RMSNorm epsilon is {config.NormEpsilon}; llama2.c computes with {Epsilon}",
        DecoderConfig { Window: > 0 } config when config.Window < config.ContextLength =>
            $"a token sees only {config.Window} others of {config.ContextLength}",
        DecoderConfig config when config.HeadDim * config.Heads != config.Channels =>
            $"its heads have {config.HeadDim} channels, which is not {config.Channels} over {config.Heads}",
        _ => null,
    };

    private static byte[] Header(DecoderConfig config, int version, int group)
    {
        int vocabulary = version == 0 && !config.TiedHead ? -config.VocabSize : config.VocabSize;
        ReadOnlySpan<int> sizes = [config.Channels, config.Intermediate, config.Layers, config.Heads, config.KvHeads,
            vocabulary, config.ContextLength];
        if (version == 0)
            return MemoryMarshal.AsBytes(sizes).ToArray();
        var header = new byte[HeaderBytes];
        MemoryMarshal.AsBytes([Magic, (uint)version]).CopyTo(header);
        MemoryMarshal.AsBytes(sizes).CopyTo(header.AsSpan(8));
        header[HeaderFields] = config.TiedHead ? (byte)1 : (byte)0;
        if (version == 2)
            BitConverter.TryWriteBytes(header.AsSpan(HeaderFields + 1), group);
        return header;
    }

    /// <summary>Cosines, then sines of position times frequency, as the original's float32 computes them.</summary>
    private static void WriteTables(Stream stream, DecoderConfig config)
    {
        int half = config.HeadDim / 2;
        var row = new float[half];
        foreach (bool cosine in (ReadOnlySpan<bool>)[true, false])
            for (int t = 0; t < config.ContextLength; t++)
            {
                for (int i = 0; i < half; i++)
                {
                    float angle = t * (1f / MathF.Pow(RopeTheta, (float)(2 * i) / config.HeadDim));
                    row[i] = (float)(cosine ? Math.Cos(angle) : Math.Sin(angle));
                }
                stream.Write(MemoryMarshal.AsBytes(row.AsSpan()));
            }
    }

    /// <summary>A file in the same folder if there is one.</summary>
    private static string? Beside(string path, string name)
    {
        string beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, name);
        return File.Exists(beside) ? beside : null;
    }
}
