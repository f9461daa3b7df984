using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// GPT-2 checkpoints of llm.c (format: its train_gpt2.py and README): 256 int32 of header, then
/// every kind of parameter for all layers at once, in float32 (version 3) or bfloat16 (version 5),
/// the token table padded to a multiple of 128 rows.
/// </summary>
public static class LlmcFile
{
    /// <summary>The first int32 of a checkpoint, and of a debug state.</summary>
    public const int Magic = 20240326, DebugMagic = 20240327;

    internal const int HeaderBytes = 256 * sizeof(int);
    private const int Float32Version = 3, BFloat16Version = 5, VocabularyPadding = 128, PublishedVocabulary = 50257;

    /// <summary>The parameters of a layer in the order of the file, by Nano's names.</summary>
    private static readonly string[] LayerParameters =
    [
        "ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias", "attn.c_proj.weight", "attn.c_proj.bias",
        "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight", "mlp.c_proj.bias",
    ];

    /// <summary>Opens a checkpoint.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed, or longer or shorter than its header says.</exception>
    public static ModelSource Open(string path)
    {
        var file = new BinaryFile(path, "check the path; it should be a checkpoint of llm.c");
        try
        {
            if (file.Int32(0) != Magic)
                throw file.Bad($"it starts with {file.Int32(0)}; a GPT-2 checkpoint of llm.c starts with {Magic}");
            int version = file.Int32(4);
            if (version is not (Float32Version or BFloat16Version))
                throw file.Bad($"it is version {version} of llm.c's checkpoints; supported: {Float32Version} "
                    + $"(float32) and {BFloat16Version} (bfloat16)");
            var type = version == Float32Version ? WeightType.F32 : WeightType.BF16;
            (Gpt2Config config, int paddedVocabulary) = Header(file);
            long expected = HeaderBytes + (Int128)Elements(config, paddedVocabulary)
                * WeightTypes.SizeOf(type) is var bytes && bytes <= long.MaxValue ? (long)bytes : long.MaxValue;
            if (file.Length != expected)
                throw file.Bad($"it has {file.Length} bytes; its header ({config.Layers} layers, {config.Channels} "
                    + $"channels, context {config.ContextLength}, vocabulary {paddedVocabulary}) asks for {expected}");
            return new ModelSource(path, config, Tensors(file, config, paddedVocabulary, type, HeaderBytes), file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static (Gpt2Config Config, int PaddedVocabulary) Header(BinaryFile file)
    {
        var config = new Gpt2Config
        {
            ContextLength = file.Int32(8),
            VocabSize = file.Int32(12),
            Layers = file.Int32(16),
            Heads = file.Int32(20),
            Channels = file.Int32(24),
        };
        try
        {
            config.Validate();
        }
        catch (NanoException e)
        {
            throw new BadFileException(file.Path, $"the header: {e.Message}", e);
        }
        if (config.VocabSize == PublishedVocabulary)
            config = config with { BosToken = PublishedVocabulary - 1, EosTokens = [PublishedVocabulary - 1] };
        int padded = file.Int32(28);
        return padded >= config.VocabSize && padded < 1 << 25 ? (config, padded)
            : throw file.Bad($"the header's padded vocabulary is {padded}; expected {config.VocabSize} or a "
            + "little more");
    }

    /// <summary>Number of parameters, those of the padding included. A valid config's fits 63 bits.</summary>
    internal static long Elements(Gpt2Config config, int paddedVocabulary)
    {
        long C = config.Channels;
        return ((paddedVocabulary + (long)config.ContextLength + 2) * C) + (config.Layers * ((12 * C * C) + (13 * C)));
    }

    /// <summary>All parameters of a model whose values lie in llm.c's order from a position of a file on.</summary>
    internal static IReadOnlyList<ModelTensor> Tensors(BinaryFile file, Gpt2Config config, int paddedVocabulary,
        WeightType type, long start)
    {
        var shapes = config.ParameterShapes().ToDictionary(parameter => parameter.Name, parameter => parameter.Shape,
            StringComparer.Ordinal);
        var found = new Dictionary<string, ModelTensor>(StringComparer.Ordinal);
        int size = WeightTypes.SizeOf(type);
        long offset = start;
        foreach (string name in Order(config))
        {
            long from = offset;
            found.Add(name, new ModelTensor(name, shapes[name], type,
                (element, destination) => file.Copy(from + (element * size), destination)));
            offset += (name == "wte.weight" ? paddedVocabulary * (long)config.Channels : shapes[name].Length) * size;
        }
        return [.. shapes.Keys.Select(name => found[name])];
    }

    private static IEnumerable<string> Order(Gpt2Config config) =>
    [
        "wte.weight", "wpe.weight",
        .. LayerParameters.SelectMany(name => Enumerable.Range(0, config.Layers).Select(layer => $"h.{layer}.{name}")),
        "ln_f.weight", "ln_f.bias",
    ];

    /// <summary>Writes a checkpoint whole or not at all.</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="source">A GPT-2 with biases, a tied head and the tanh form of GELU.</param>
    /// <param name="type">F32 or BF16; null means BF16 if all tensors are, else F32.</param>
    /// <exception cref="NanoException">The format cannot hold this model, or the file cannot be written.</exception>
    public static void Write(string path, ModelSource source, WeightType? type = null)
    {
        if (Refusal(source.Config, type) is { } reason)
            throw new NanoException($"a checkpoint of llm.c cannot hold this model: {reason}",
                "write it as safetensors or GGUF");
        var config = (Gpt2Config)source.Config;
        WeightType stored = type
            ?? (source.Tensors.All(tensor => tensor.Type == WeightType.BF16) ? WeightType.BF16 : WeightType.F32);
        int paddedVocabulary = (config.VocabSize + VocabularyPadding - 1) / VocabularyPadding * VocabularyPadding;
        var header = new int[256];
        ((int[])[Magic, stored == WeightType.F32 ? Float32Version : BFloat16Version, config.ContextLength,
            config.VocabSize, config.Layers, config.Heads, config.Channels, paddedVocabulary])
            .CopyTo(header, 0);
        var tensors = source.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(MemoryMarshal.AsBytes(header.AsSpan()));
            foreach (string name in Order(config))
            {
                tensors[name].As(stored).WriteTo(stream);
                if (name == "wte.weight")
                    stream.Write(new byte[(paddedVocabulary - config.VocabSize) * config.Channels
                        * WeightTypes.SizeOf(stored)]);
            }
        });
    }

    private static string? Refusal(ModelConfig model, WeightType? type) => model switch
    {
        not Gpt2Config => $"it is a {model.ModelType}; llm.c's checkpoints hold GPT-2",
        Gpt2Config { Bias: false } => "it has no biases",
        Gpt2Config { TiedHead: false } => "its head is not the token table",
        Gpt2Config { Gelu: not GeluForm.Tanh } => "it uses the erf form of GELU; llm.c computes the tanh form",
        Gpt2Config { LayerNormEpsilon: not 1e-5f } config =>
            $"its LayerNorm epsilon is {config.LayerNormEpsilon}; llm.c computes with 1e-5",
        _ => type is null or WeightType.F32 or WeightType.BF16 ? null : $"the type {type}; it holds F32 and BF16",
    };
}
