namespace Nano;

/// <summary>Opens any tokenizer: by name, from a file of any known format, or from a model's folder.</summary>
public static class TokenizerLoader
{
    internal const string Hint =
        "check the path; known are the names gpt2, r50k_base, cl100k_base, o200k_base, and the files "
        + "tokenizer.json, tokenizer.model, tokenizer.bin, vocab.bpe, merges.txt, vocab.txt, *.tiktoken, *.gguf";

    private static readonly Dictionary<string, string[]> Named = new()
    {
        ["gpt2"] = ["gpt2/vocab.bpe", "tiktoken/r50k_base.tiktoken"],
        ["r50k_base"] = ["tiktoken/r50k_base.tiktoken", "gpt2/vocab.bpe"],
        ["cl100k_base"] = ["tiktoken/cl100k_base.tiktoken"],
        ["o200k_base"] = ["tiktoken/o200k_base.tiktoken"],
    };

    /// <summary>
    /// Is raised with a sentence for a person when a tokenizer is opened, but not quite as its
    /// files say: other ids than those of the model's own tokenizer are possible.
    /// </summary>
    public static event Action<string>? Noticed;

    /// <summary>The names that <see cref="Load"/> knows.</summary>
    public static IReadOnlyCollection<string> Names => Named.Keys;

    /// <summary>Opens a tokenizer.</summary>
    /// <param name="pathOrName">A name, a tokenizer file, or the folder of a model or run. The
    /// files of a name are looked for in $NANO_DATA, or in "data".</param>
    /// <exception cref="NanoException">There is none.</exception>
    /// <exception cref="BadFileException">The file is malformed or of an unknown kind.</exception>
    public static ITokenizer Load(string pathOrName)
    {
        if (Named.TryGetValue(pathOrName, out string[]? files) && !Directory.Exists(pathOrName)
            && !File.Exists(pathOrName))
            return LoadFile(FindNamed(pathOrName, files));
        if (File.Exists(pathOrName) && !IsPartOfModel(pathOrName))
            return LoadFile(pathOrName);
        if (!Directory.Exists(pathOrName) && !File.Exists(pathOrName))
            throw new NanoException($"there is no tokenizer '{pathOrName}'",
                NearestMatch.Hint(pathOrName, [.. Names],
                    "give a tokenizer file, the folder of a model or run, or one of"));
        if (Directory.Exists(pathOrName) && FindIn(pathOrName) is { } own)
            return LoadFile(own);
        string folder = ModelFolder.Resolve(pathOrName);
        return LoadFile(FindIn(folder) ?? throw new NanoException($"there is no tokenizer in '{folder}'", Hint));
    }

    /// <summary>Raises <see cref="Noticed"/>.</summary>
    internal static void Notice(string text) => Noticed?.Invoke(text);

    private static bool IsPartOfModel(string path) => Path.GetFileName(path) == "config.json"
        || path.EndsWith(".safetensors", StringComparison.Ordinal) || ModelFolder.IsPointer(path);

    private static string FindNamed(string name, string[] files)
    {
        string folder = Environment.GetEnvironmentVariable("NANO_DATA") is { Length: > 0 } data ? data : "data";
        return files.Select(file => Path.Combine(folder, file)).FirstOrDefault(File.Exists)
            ?? throw new NanoException(
                $"the vocabulary of '{name}' is not in '{folder}': no {string.Join(" or ", files)}",
                name is "gpt2" or "r50k_base"
                    ? "fetch it with 'nano data gpt2-tokenizer', or set NANO_DATA to the folder that has it"
                    : "put the file there, or set NANO_DATA to the folder that has it");
    }

    /// <summary>The tokenizer file of a folder, or null.</summary>
    internal static string? FindIn(string folder)
    {
        foreach (string name in (string[])["tokenizer.json", "tokenizer.model", "tokenizer.bin"])
            if (File.Exists(Path.Combine(folder, name)))
                return Path.Combine(folder, name);
        string words = Path.Combine(folder, WordPieceFile.Name);
        return Gpt2Files.Find(folder)?.Merges ?? (File.Exists(words) ? words : null);
    }

    /// <summary>
    /// Opens a file; where a tokenizer.json has something that is not supported, the older files of
    /// the same folder are tried, and it is said.
    /// </summary>
    private static ITokenizer LoadFile(string path)
    {
        try
        {
            return LoadExactly(path);
        }
        catch (BadFileException e) when (e.IsUnsupported && Path.GetFileName(path) == "tokenizer.json"
            && OlderIn(Path.GetDirectoryName(Path.GetFullPath(path))!) is not null)
        {
            string older = OlderIn(Path.GetDirectoryName(Path.GetFullPath(path))!)!;
            ITokenizer tokenizer;
            try
            {
                tokenizer = LoadExactly(older);
            }
            catch (FormatException also) when (also is BadFileException)
            {
                throw new BadFileException(path,
                    $"{e.Message[(Quoted.Path(path).Length + 2)..]}; and beside it, {also.Message}",
                    also)
                { IsUnsupported = true };
            }
            Notice($"{e.Message}; {Path.GetFileName(older)} beside it is used instead");
            return tokenizer;
        }
    }

    /// <summary>The file of an older kind that says the same as a folder's tokenizer.json, or null.</summary>
    private static string? OlderIn(string folder) => Gpt2Files.Find(folder)?.Merges
        ?? (File.Exists(Path.Combine(folder, "tokenizer.model")) ? Path.Combine(folder, "tokenizer.model") : null);

    private static ITokenizer LoadExactly(string path)
    {
        if (Gpt2Files.Find(path) is { } pair)
            return Gpt2Files.Load(pair.Vocabulary, pair.Merges);
        if (Path.GetFileName(path) == WordPieceFile.Name)
            return WordPieceFile.Load(path);
        byte[] beginning = InputFile.ReadBeginning(path, 4 * RankMerges.MaxTokenBytes, Hint);
        if (beginning.AsSpan().StartsWith("GGUF"u8))
            return GgufVocabulary.Load(path);
        if (beginning.AsSpan().StartsWith("{"u8))
            return TokenizerJson.Load(path, TokenizerConfig.OfFolder(Path.GetDirectoryName(Path.GetFullPath(path))!));
        if (TiktokenFile.Recognises(beginning))
            return TiktokenFile.Load(path);
        return Path.GetExtension(path) switch
        {
            ".model" => SentencePieceFile.Load(path),
            ".bin" => Llama2cVocabulary.Load(path),
            ".json" => TokenizerJson.Load(path, TokenizerConfig.None), // which says what is wrong with it
            _ => throw new BadFileException(path,
                "not a tokenizer: neither its name nor its beginning is of any known kind"),
        };
    }
}
