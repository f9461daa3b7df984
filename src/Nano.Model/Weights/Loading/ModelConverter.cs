using System.Globalization;

namespace Nano;

/// <summary>Options of a conversion.</summary>
public sealed record ConversionOptions
{
    /// <summary>The format; null means the one that the output's name suggests.</summary>
    public ModelFormat? Format { get; init; }

    /// <summary>The type of the weights; null means what they are, where the format has it.</summary>
    public WeightType? Type { get; init; }

    /// <summary>The quantisation of a GGUF file; null means none.</summary>
    public QuantisationOptions? Quantisation { get; init; }

    /// <summary>Matrices that a folder gets as codes; null means none.</summary>
    internal GroupedMatrices? Grouped { get; init; }

    /// <summary>The most bytes of weights in one safetensors file; 0 means a single file.</summary>
    public long ShardBytes { get; init; }

    /// <summary>llama2.c: 0 legacy, 1 float32, 2 int8.</summary>
    public int Llama2cVersion { get; init; }

    /// <summary>True to replace an existing file of the output's name.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>The result of a conversion.</summary>
/// <param name="From">The format of the input.</param>
/// <param name="To">The format of the output.</param>
/// <param name="Config">The model.</param>
/// <param name="Bytes">Length of all files written.</param>
/// <param name="Notes">Remarks for the user, such as a tokenizer that could not be
/// converted.</param>
public sealed record Conversion(ModelFormat From, ModelFormat To, ModelConfig Config, long Bytes,
    IReadOnlyList<string> Notes)
{
    /// <summary>For a quantised file the bits of its tensors over the number of their weights; else null.</summary>
    public double? BitsPerWeight { get; init; }
}

/// <summary>Writes any model in any format, a chunk of a tensor at a time.</summary>
public static class ModelConverter
{
    /// <summary>Reads one path and writes another.</summary>
    /// <exception cref="NanoException">There is no model, the output is in the way or cannot be
    /// written, or its format cannot hold this model.</exception>
    /// <exception cref="BadFileException">The input is malformed.</exception>
    public static Conversion Convert(string input, string output, ConversionOptions options,
        IProgress<ConversionProgress>? progress = null)
    {
        ModelFormat from = ModelLoader.FormatOf(input);
        using ModelSource opened = ModelLoader.Open(input);
        options = options with { Format = options.Format ?? Suggested(output, opened.Config) };
        CheckOutput(output, options);
        return Write(progress is null ? opened : opened.Watched(progress), from, output, options);
    }

    /// <summary>Writes an open model in the format that the options name, after <see cref="CheckOutput"/>.</summary>
    internal static Conversion Write(ModelSource source, ModelFormat from, string output, ConversionOptions options)
    {
        ModelFormat to = options.Format!.Value;
        var notes = new List<string>();
        switch (to)
        {
            case ModelFormat.Gguf:
                notes.AddRange(options.Quantisation is { } quantisation
                    ? GgufModel.Quantise(output, source, quantisation)
                    : GgufModel.Write(output, source, options.Type));
                break;
            case ModelFormat.LlmC:
                LlmcFile.Write(output, source, options.Type);
                break;
            case ModelFormat.Llama2C:
                Llama2cFile.Write(output, source, options.Llama2cVersion);
                break;
            default:
                AtomicFolder.Write(output, ModelDirectory.OwnFiles, folder =>
                {
                    if (from != ModelFormat.Safetensors)
                        TokenizerConversion.ToFolder(source, folder, notes);
                    ModelDirectory.Write(folder, source, options.Type, options.ShardBytes, options.Grouped);
                });
                break;
        }
        NoteLosses(from, to, source, notes);
        long bytes = to == ModelFormat.Safetensors
            ? Directory.EnumerateFiles(output).Sum(file => new FileInfo(file).Length) : new FileInfo(output).Length;
        return new Conversion(from, to, source.Config, bytes, notes)
        {
            BitsPerWeight = options.Quantisation is null ? null : BitsPerWeight(output),
        };
    }

    private static double BitsPerWeight(string path)
    {
        using var written = GgufModel.Open(path);
        return 8.0 * written.Tensors.Sum(tensor => tensor.Bytes) / written.Tensors.Sum(tensor => tensor.Shape.Length);
    }

    /// <summary>The format that a name suggests.</summary>
    private static ModelFormat Suggested(string output, ModelConfig config) =>
        Path.GetExtension(output).ToLower(CultureInfo.InvariantCulture) switch
        {
            ".gguf" => ModelFormat.Gguf,
            ".bin" => config is Gpt2Config ? ModelFormat.LlmC : ModelFormat.Llama2C,
            _ => ModelFormat.Safetensors,
        };

    /// <summary>Refuses an output that is in the way, and options that its format, which they name, has not.</summary>
    internal static void CheckOutput(string output, ConversionOptions options)
    {
        ModelFormat to = options.Format!.Value;
        if (to == ModelFormat.Safetensors)
        {
            if (output.EndsWith(".safetensors", StringComparison.Ordinal))
                throw new NanoException($"'{output}' would be a file without the config.json that belongs to it",
                    "name a folder; it gets model.safetensors and config.json");
            if (File.Exists(output) || (Directory.Exists(output) && !AtomicFolder.IsUnfinished(output)
                && Directory.EnumerateFileSystemEntries(output).Any()))
                throw new NanoException($"'{output}' is there already", "name a new or empty folder");
            return;
        }
        if (options.ShardBytes != 0)
            throw new NanoException("only safetensors can be split into several files", "leave `shard_size` out");
        if (to == ModelFormat.Llama2C && options.Type is { } type and not WeightType.F32)
            throw new NanoException($"llama2.c has no {type} checkpoints",
                "its versions 0 and 1 are F32, version 2 is int8");
        if (Directory.Exists(output) || (File.Exists(output) && !options.Overwrite))
            throw new NanoException($"'{output}' is there already", Directory.Exists(output) ? "name a file" : "name "
                + "another file, or add `overwrite`");
    }

    private static void NoteLosses(ModelFormat from, ModelFormat to, ModelSource source, List<string> notes)
    {
        if (source.TokenizerPath is not null && to is (ModelFormat.LlmC or ModelFormat.Llama2C))
            notes.Add("the tokenizer stays behind: such a file has none; keep the old one for it");
        if (to == ModelFormat.Gguf && from != to && source.Config.EosTokens.Count > 1)
            notes.Add($"of the {source.Config.EosTokens.Count} tokens that end a text, GGUF holds the first, "
                + $"{source.Config.EosTokens[0]}");
    }
}
