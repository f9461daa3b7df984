namespace Nano;

/// <summary>
/// A model in Hugging Face's layout: config.json, model.safetensors, and tokenizer.json where there is one. GPT-2's linear weights lie there
/// as Conv1D, [in, out], and are transposed on the way to our [out, in]; its names are read with and without the prefix "transformer.",
/// and written with it. Llama's lie as they are here.
/// </summary>
public static class ModelDirectory
{
    private const string Prefix = "transformer.";

    /// <summary>The file in a run's folder that names the folder of the newest checkpoint.</summary>
    public const string Latest = "latest";

    /// <summary>The folder that holds config.json for a path given by a user: a model folder, a run folder (its newest checkpoint), or a file in one.</summary>
    /// <exception cref="NanoException">There is no model.</exception>
    public static string Resolve(string path)
    {
        string folder = File.Exists(path) ? Path.GetDirectoryName(Path.GetFullPath(path))! : path;
        if (File.Exists(Path.Combine(folder, Latest)))
        {
            string name = File.ReadAllText(Path.Combine(folder, Latest)).Trim();
            if (name.Length is 0 or > 100 || name is "." or ".." || name != Path.GetFileName(name) || name.Any(char.IsControl))
                throw new BadFileException(Path.Combine(folder, Latest), "it does not name a checkpoint folder");
            folder = Path.Combine(folder, name);
        }
        return File.Exists(Path.Combine(folder, "config.json")) ? folder
            : throw new NanoException($"there is no model at '{path}': no config.json", "train one with 'nano train', or give the folder of a model");
    }

    /// <summary>Opens the model at a path (see <see cref="Resolve"/>), with its tokenizer if it brings one.</summary>
    /// <exception cref="NanoException">There is no model.</exception>
    /// <exception cref="BadFileException">A file is damaged or does not fit the configuration.</exception>
    public static (LanguageModel Model, CharTokenizer? Tokenizer) Load(string path)
    {
        string folder = Resolve(path), tokenizerPath = Path.Combine(folder, "tokenizer.json");
        var config = ModelConfig.Load(Path.Combine(folder, "config.json"));
        var tokenizer = File.Exists(tokenizerPath) ? CharTokenizer.Load(tokenizerPath) : null;
        if (tokenizer is not null && tokenizer.VocabSize != config.VocabSize)
            throw new BadFileException(tokenizerPath, $"the tokenizer has {tokenizer.VocabSize} tokens and the model {config.VocabSize}");
        string weights = Path.Combine(folder, "model.safetensors");
        using var file = SafetensorsReader.Open(weights);
        CheckNames(weights, file, config); // before any memory is reserved for a model that the file does not hold
        var model = LanguageModel.Create(config);
        foreach (var parameter in model.Parameters.All)
            Read(file, parameter);
        if (config.TiedHead && file.Entries.TryGetValue("lm_head.weight", out var head))
            CheckTiedHead(weights, file, head, model.Parameters.All[0]);
        return (model, tokenizer);
    }

    /// <summary>Writes a model, and its tokenizer if there is one, into a folder that exists.</summary>
    public static void Save(string folder, LanguageModel model, CharTokenizer? tokenizer)
    {
        AtomicFile.Write(Path.Combine(folder, "config.json"), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(model.Config.ToJson())));
        var tensors = model.Parameters.All.Select(parameter => IsConv1D(parameter.Name!)
            ? new SafetensorsTensor(FileName(parameter.Name!), [parameter.Shape[1], parameter.Shape[0]], () => Transposed(parameter.Data, parameter.Shape[0], parameter.Shape[1]))
            : new SafetensorsTensor(FileName(parameter.Name!), Dims(parameter.Shape), () => parameter.Data));
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), [.. tensors]);
        tokenizer?.Save(Path.Combine(folder, "tokenizer.json"));
    }

    /// <summary>The sizes of a shape as a file wants them.</summary>
    public static long[] Dims(Shape shape)
    {
        var dims = new long[shape.Rank];
        for (int i = 0; i < dims.Length; i++)
            dims[i] = shape[i];
        return dims;
    }

    /// <summary>The name of a parameter in a file of transformers: everything of GPT-2 but the head sits below "transformer.".</summary>
    public static string FileName(string parameter) =>
        parameter.StartsWith("lm_head", StringComparison.Ordinal) || parameter.StartsWith("model.", StringComparison.Ordinal) ? parameter : Prefix + parameter;

    /// <summary>Whether a parameter lies transposed in the file.</summary>
    public static bool IsConv1D(string parameter) =>
        parameter.EndsWith("c_attn.weight", StringComparison.Ordinal) || parameter.EndsWith("c_proj.weight", StringComparison.Ordinal) || parameter.EndsWith("c_fc.weight", StringComparison.Ordinal);

    /// <summary>[rows, columns] as [columns, rows].</summary>
    public static float[] Transposed(ReadOnlySpan<float> matrix, int rows, int columns)
    {
        var result = new float[matrix.Length];
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                result[(c * rows) + r] = matrix[(r * columns) + c];
        return result;
    }

    private static string NameIn(SafetensorsReader file, string parameter) => file.Entries.ContainsKey(parameter) ? parameter : Prefix + parameter;

    private static void CheckNames(string path, SafetensorsReader file, ModelConfig config)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, shape) in config.ParameterShapes())
        {
            string inFile = NameIn(file, name);
            if (!file.Entries.TryGetValue(inFile, out var entry))
                throw new BadFileException(path, $"tensor '{name}' is missing (config.json asks for it)");
            var expected = Dims(shape);
            if (IsConv1D(name))
                Array.Reverse(expected);
            if (!entry.Shape.SequenceEqual(expected))
                throw new BadFileException(path, $"tensor '{inFile}' has shape [{string.Join(", ", entry.Shape)}], config.json asks for [{string.Join(", ", expected)}]");
            known.Add(inFile);
        }
        // Masks and rotary frequencies that old checkpoints carry along, and a head that repeats the tied table.
        foreach (string name in file.Entries.Keys)
            if (!known.Contains(name) && !name.EndsWith(".attn.bias", StringComparison.Ordinal) && !name.EndsWith(".attn.masked_bias", StringComparison.Ordinal)
                && !name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)
                && !(config.TiedHead && name == "lm_head.weight"))
                throw new BadFileException(path, $"tensor '{name}' is not part of this model; is config.json of another one?");
    }

    /// <summary>Some programs store a tied head once more. It must be the token table then, or the configuration is wrong.</summary>
    private static void CheckTiedHead(string path, SafetensorsReader file, SafetensorsEntry head, Tensor tokenTable)
    {
        var stored = new float[tokenTable.Length];
        if (head.Count == stored.Length)
            file.ReadFloat32(head.Name, stored);
        if (head.Count != stored.Length || !tokenTable.Data.SequenceEqual(stored))
            throw new BadFileException(path, "tensor 'lm_head.weight' differs from the token table, but config.json says that they are tied");
    }

    private static void Read(SafetensorsReader file, Tensor parameter)
    {
        string name = NameIn(file, parameter.Name!);
        if (!IsConv1D(parameter.Name!))
        {
            file.ReadFloat32(name, parameter.Data);
            return;
        }
        var stored = new float[parameter.Length];
        file.ReadFloat32(name, stored);
        Transposed(stored, parameter.Shape[1], parameter.Shape[0]).CopyTo(parameter.Data);
    }
}
