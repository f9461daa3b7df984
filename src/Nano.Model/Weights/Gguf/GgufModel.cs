using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// Models in GGUF files (format: ggml's docs/gguf.md; names and layouts as llama.cpp has them).
/// Everything a file says beside its weights is kept, so that GGUF to GGUF changes nothing but what
/// was asked for.
/// </summary>
public static class GgufModel
{
    /// <summary>The key of a chat template.</summary>
    internal const string ChatTemplate = "tokenizer.chat_template";

    /// <summary>Opens the model in a file.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed, or its model is not supported.</exception>
    public static ModelSource Open(string path)
    {
        var file = GgufReader.Open(path);
        try
        {
            if (file.Tensors.Count == 0)
                throw new BadFileException(path, "it holds a vocabulary but no tensors: there is no model in it");
            ModelConfig config = GgufConfig.Read(file.Metadata, file.Tensors, name => Factors(file, name));
            return new ModelSource(path, config, Tensors(file, config), file)
            {
                Metadata = file.Metadata,
                TokenizerPath = file.Metadata.Has("tokenizer.ggml.tokens") ? path : null,
                ChatTemplate = file.Metadata.String(ChatTemplate),
            };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The numbers of a tensor of rotary factors, if the file has it.</summary>
    private static float[]? Factors(GgufReader file, string name)
    {
        if (!file.Tensors.TryGetValue(name, out GgufTensor? found))
            return null;
        if (found.Count is 0 or > 1 << 16)
            throw new BadFileException(file.Path,
                $"tensor '{name}' has {found.Count} elements; expected half a head's");
        var factors = new float[found.Count];
        Tensor(file, found, name, new Shape(factors.Length)).ReadFloat32(factors);
        return factors;
    }

    private static List<ModelTensor> Tensors(GgufReader file, ModelConfig config)
    {
        // Before the names of a million layers are listed for a file of a few tensors.
        if (config.Layers > file.Tensors.Count)
            throw new BadFileException(file.Path,
                $"{file.Tensors.Count} tensors are too few for the {config.Layers} layers that the metadata asks for");
        var found = new Dictionary<string, ModelTensor>(StringComparer.Ordinal);
        var known = GgufConfig.Factors(config).Select(factors => factors.Name).ToHashSet(StringComparer.Ordinal);
        bool interleaved = GgufConfig.IsInterleaved(file.Metadata);
        foreach (GgufEntry entry in GgufNames.Entries(config))
            foreach (var ((name, _, facts), stored) in entry.Parameters.Zip(Stored(file, entry, known)))
            {
                ModelTensor tensor = interleaved && facts.IsRotated
                    ? RopeLayout.ToRotateHalf(stored, config.HeadDim) : stored;
                found[name] = facts.IsAddedToOne ? tensor.Plus(-1) : tensor;
            }
        if (file.Tensors.Keys.FirstOrDefault(name => !known.Contains(name)) is { } stray)
            throw new BadFileException(file.Path,
                $"tensor {Quoted.Of(stray)} is not part of a {file.Metadata.String("general.architecture")} as it "
                + "is supported here");
        return [.. config.ParameterShapes().Select(parameter => found[parameter.Name])];
    }

    /// <summary>The parameters of an entry, each a part of its tensor.</summary>
    private static List<ModelTensor> Stored(GgufReader file, GgufEntry entry, HashSet<string> known)
    {
        if (entry.IsStacked && !file.Tensors.ContainsKey(entry.Name)
            && file.Tensors.ContainsKey(GgufNames.OfExpert(entry.Name, 0)))
            return [.. entry.Parameters.Select((parameter, expert) => Stored(file,
                GgufNames.OfExpert(entry.Name, expert), parameter.Shape.ToArray(), parameter.Name, known))];
        ModelTensor whole = Stored(file, entry.Name, entry.Sizes, entry.Parameters[0].Name, known);
        if (entry.Parameters.Count == 1 && !entry.IsStacked)
            return [whole];
        var parts = new List<ModelTensor>();
        int before = 0;
        foreach (var (name, shape, _) in entry.Parameters)
        {
            int first = before;
            parts.Add(ModelTensor.OfRows(name, shape, [whole], row => (0, first + row)));
            before += shape[0];
        }
        return parts;
    }

    /// <summary>A tensor of the file, under the name of a parameter.</summary>
    private static ModelTensor Stored(GgufReader file, string inFile, long[] sizes, string name, HashSet<string> known)
    {
        if (!file.Tensors.TryGetValue(inFile, out GgufTensor? entry))
            throw new BadFileException(file.Path, $"tensor '{inFile}' is missing");
        if (!entry.Shape.SequenceEqual(sizes))
            throw new BadFileException(file.Path,
                $"tensor '{inFile}' has shape [{string.Join(", ", entry.Shape)}], slowest dimension first; the "
                + $"metadata asks for [{string.Join(", ", sizes)}]");
        known.Add(inFile);
        return Tensor(file, entry, name, new Shape([.. sizes.Select(size => checked((int)size))]));
    }

    private static ModelTensor Tensor(GgufReader file, GgufTensor entry, string name, Shape shape)
    {
        WeightType type = Gguf.WeightTypeOf(entry.Type) ?? throw new BadFileException(file.Path,
            $"tensor {Quoted.Of(entry.Name)} is of type {entry.Type}; supported: {Gguf.Supported}")
        {
            IsUnsupported = true
        };
        BlockFormat format = BlockFormat.Of(type);
        return new ModelTensor(name, shape, type,
            (start, destination) => file.Copy(entry.Offset + format.BytesOf(start), destination));
    }

    /// <summary>Writes a model whole or not at all.</summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="source">The model.</param>
    /// <param name="type">The type of its matrices; null means each one's own. Vectors become F32,
    /// which llama.cpp insists on, unless they come from a GGUF file as something else.</param>
    /// <returns>Remarks for the user, such as a tokenizer that has no form in GGUF.</returns>
    /// <exception cref="NanoException">The format cannot hold this model, or the file cannot be written.</exception>
    public static IReadOnlyList<string> Write(string path, ModelSource source, WeightType? type = null)
    {
        var notes = new List<string>();
        GgufMetadata metadata = Metadata(path, source, type is { } asked ? GgufConfig.FileTypeOf(asked) : null, notes);
        GgufWriter.Write(path, metadata, [.. Named(source, metadata).Select(entry => Stored(entry.Tensor).ToGguf())]);
        return notes;

        ModelTensor Stored(ModelTensor tensor)
        {
            WeightType stored = tensor.Shape.Rank > 1 ? type ?? tensor.Type : source.Metadata is not null ? tensor.Type
                : WeightType.F32;
            return tensor.As(Gguf.TypeOf(stored) is null ? WeightType.F32 : stored);
        }
    }

    /// <summary>
    /// Writes a quantised model whole or not at all, with the types, the order and the bytes of
    /// llama.cpp.
    /// </summary>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="source">The model; quantised weights are quantised again from what they stand for.</param>
    /// <param name="options">The types and the importance of columns.</param>
    /// <returns>Remarks for the user, such as a tokenizer that has no form in GGUF, or rows that do not divide into a
    /// type's blocks.</returns>
    /// <exception cref="NanoException">The format cannot hold this model, a weight is not finite, or the file cannot be
    /// written.</exception>
    /// <exception cref="BadFileException">The importance is that of another model.</exception>
    public static IReadOnlyList<string> Quantise(string path, ModelSource source, QuantisationOptions options)
    {
        if (!options.Requantises)
            RefuseQuantised(source);
        var notes = new List<string>();
        GgufMetadata metadata = Metadata(path, source, options.FileType, notes);
        var tensors = Named(source, metadata).OrderBy(entry => entry.Block ?? -1)
            .ThenBy(entry => entry.Tensor.Name, StringComparer.Ordinal).ToList();
        QuantisedTensors chosen = new(source, tensors, options);
        notes.AddRange(chosen.Notes);
        if (options.Importance is { } importance)
            GgufConfig.SetImportance(metadata, importance);
        GgufWriter.Write(path, metadata, [.. chosen.Stored.Select(tensor => tensor.ToGguf())]);
        return notes;
    }

    /// <summary>Refuses a model that the format cannot hold.</summary>
    internal static void Refuse(ModelConfig config)
    {
        if (GgufConfig.Refusal(config) is { } reason)
            throw new NanoException($"a GGUF file cannot hold this model: {reason}", "write it as safetensors");
    }

    /// <summary>Refuses a model that is quantised already.</summary>
    internal static void RefuseQuantised(ModelSource source)
    {
        if (source.Tensors.FirstOrDefault(tensor => WeightTypes.IsQuantised(tensor.Type)) is { } quantised)
            throw new NanoException(
                $"'{source.Path}' is quantised already: {Quoted.Of(quantised.Name)} is {quantised.Type}",
                "take the original, or allow it with `requantize`");
    }

    private static GgufMetadata Metadata(string path, ModelSource source, GgufFileType? fileType, List<string> notes)
    {
        Refuse(source.Config);
        GgufMetadata metadata = GgufConfig.Write(source, fileType, path);
        if (source.Metadata is null)
            TokenizerConversion.ToGguf(source, metadata, notes);
        return metadata;
    }

    /// <summary>The tensors under the names and with the rows that a file has, each with its block.</summary>
    private static IEnumerable<(ModelTensor Tensor, int? Block)> Named(ModelSource source, GgufMetadata metadata)
    {
        bool interleaved = GgufConfig.IsInterleaved(metadata);
        foreach (var (name, factors) in GgufConfig.Factors(source.Config))
            yield return (InMemory(name, factors), null);
        var byName = source.Declared.ToDictionary(pair => pair.Tensor.Name, pair =>
        {
            ModelTensor moved = interleaved && pair.Facts.IsRotated
                ? RopeLayout.ToInterleaved(pair.Tensor, source.Config.HeadDim) : pair.Tensor;
            return pair.Facts.IsAddedToOne ? moved.Plus(1) : moved;
        }, StringComparer.Ordinal);
        foreach (GgufEntry entry in GgufNames.Entries(source.Config))
            yield return (Whole(entry, [.. entry.Parameters.Select(parameter => byName[parameter.Name])]), entry.Block);
    }

    /// <summary>The tensor of an entry, of its parameters above each other.</summary>
    private static ModelTensor Whole(GgufEntry entry, ModelTensor[] parts)
    {
        if (parts.Length == 1 && !entry.IsStacked)
            return parts[0].Named(entry.Name);
        if (parts.Any(part => part.Type != parts[0].Type))
            parts = [.. parts.Select(part => part.As(WeightType.F32))];
        int[] ends = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
            ends[i] = (i == 0 ? 0 : ends[i - 1]) + parts[i].Shape[0];
        var shape = parts[0].Shape.Rank == 1 ? new Shape(ends[^1]) : new Shape(ends[^1], parts[0].Shape[1]);
        ModelTensor whole = ModelTensor.OfRows(entry.Name, shape, parts, row =>
        {
            int part = Array.FindIndex(ends, end => row < end);
            return (part, row - (part == 0 ? 0 : ends[part - 1]));
        });
        return entry.IsStacked ? whole.Shaped(new Shape(parts.Length, parts[0].Shape[0], parts[0].Shape[1])) : whole;
    }

    private static ModelTensor InMemory(string name, float[] numbers) => new(name, new Shape(numbers.Length),
        WeightType.F32, (start, destination) => MemoryMarshal
            .AsBytes(numbers.AsSpan((int)start, destination.Length / sizeof(float))).CopyTo(destination));
}
