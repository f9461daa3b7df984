namespace Nano;

/// <summary>The kinds of files that hold a model.</summary>
public enum ModelFormat
{
    /// <summary>A Hugging Face folder: config.json and safetensors.</summary>
    Safetensors,

    /// <summary>One GGUF file.</summary>
    Gguf,

    /// <summary>A GPT-2 checkpoint of llm.c.</summary>
    LlmC,

    /// <summary>A checkpoint of llama2.c.</summary>
    Llama2C,
}

/// <summary>Opens whatever holds a model.</summary>
public static class ModelLoader
{
    // What torch.save writes: an archive, or before version 1.6 a bare pickle that starts with a number of PyTorch's.
    private const uint ZipMagic = 0x04034B50, PickleMagic = 0x0A8A0280;

    /// <summary>
    /// The format of a path: a model folder, a run folder (its newest checkpoint), a file in one, a
    /// .safetensors file beside its config.json, a GGUF file, or a .bin of llm.c or llama2.c. Files
    /// are told apart by their first bytes; the oldest of llama2.c, which have no magic number, by
    /// the extension ".bin".
    /// </summary>
    /// <exception cref="NanoException">It is none of these.</exception>
    public static ModelFormat FormatOf(string path)
    {
        if (!File.Exists(path) || path.EndsWith(".safetensors", StringComparison.Ordinal))
            return ModelFormat.Safetensors;
        uint first;
        using (var file = new BinaryFile(path, "check the path"))
            first = file.Length < 4 ? 0 : file.UInt32(0);
        return first switch
        {
            Gguf.Magic => ModelFormat.Gguf,
            LlmcFile.Magic => ModelFormat.LlmC,
            Llama2cFile.Magic => ModelFormat.Llama2C,
            LlmcFile.DebugMagic => throw new BadFileException(path, "expected a model, got a debug state of llm.c"),
            ZipMagic or PickleMagic => throw new BadFileException(path,
                "it is a pickle of PyTorch, a program rather than data; open it where it is from and save it as "
                + "safetensors"),
            _ => path.EndsWith(".bin", StringComparison.Ordinal) ? ModelFormat.Llama2C
                : path.EndsWith(".gguf", StringComparison.Ordinal) ? ModelFormat.Gguf : ModelFormat.Safetensors,
        };
    }

    /// <summary>Opens a model without loading its weights. See <see cref="FormatOf"/> for what a path can be.</summary>
    /// <exception cref="NanoException">There is no model.</exception>
    /// <exception cref="BadFileException">A file is malformed, or does not fit what goes with it.</exception>
    public static ModelSource Open(string path) => FormatOf(path) switch
    {
        ModelFormat.Gguf => GgufModel.Open(path),
        ModelFormat.LlmC => LlmcFile.Open(path),
        ModelFormat.Llama2C => Llama2cFile.Open(path),
        _ => ModelDirectory.Open(path),
    };

    /// <summary>
    /// Loads a model, and the tokenizer that it brings: that of its folder, that in a GGUF file, or
    /// for a .bin the tokenizer.bin beside it.
    /// </summary>
    /// <returns>The model, and the tokenizer or null.</returns>
    /// <exception cref="NanoException">There is no model.</exception>
    /// <exception cref="BadFileException">A file is malformed, or does not fit what goes with it,
    /// such as a tokenizer with more tokens than the model has.</exception>
    public static (LanguageModel Model, ITokenizer? Tokenizer) Load(string path)
    {
        using var source = Open(path);
        var tokenizer = source.TokenizerPath is { } file ? TokenizerLoader.Load(file) : null;
        if (tokenizer is not null && !Prompt.Fits(tokenizer, source.Config))
            throw new BadFileException(source.TokenizerPath!,
                $"the tokenizer has {tokenizer.VocabSize} tokens and the model {source.Config.VocabSize}");
        return (source.Load(), tokenizer);
    }

    /// <summary>Loads a model alone, whatever its tokenizer is.</summary>
    /// <exception cref="NanoException">There is no model.</exception>
    /// <exception cref="BadFileException">A file is malformed.</exception>
    public static LanguageModel LoadModel(string path)
    {
        using var source = Open(path);
        return source.Load();
    }
}
