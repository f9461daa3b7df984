using System.Runtime.ExceptionServices;

namespace Nano;

/// <summary>Between the tensors of a Hugging Face folder and the parameters that they are made of.</summary>
internal static class ModelFiles
{
    private static readonly string[] Buffers =
    [
        ".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq",
        "embeddings.position_ids",
    ];

    /// <summary>
    /// The parameters of a model, in their order, in files that must hold them all, rightly shaped, and nothing else.
    /// </summary>
    /// <exception cref="BadFileException">They do not.</exception>
    public static List<ModelTensor> Tensors(SafetensorsSet files, ArchitectureConfig config, GroupedLayout? layout)
    {
        // Before the names of a million layers are listed for a file of a few tensors.
        if (config.Depth > files.Names.Count)
            throw new BadFileException(files.Path,
                $"{files.Names.Count} tensors are too few for the {config.Depth} layers that config.json asks for; "
                + "tensors of the last are missing");
        var shapes = config.ParameterShapes();
        var shapeOf = shapes.ToDictionary(parameter => parameter.Name, parameter => parameter.Shape,
            StringComparer.Ordinal);
        var found = new Dictionary<string, ModelTensor>(StringComparer.Ordinal);
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (FileTensor file in config.FileTensors())
        {
            Shape[] parts = [.. file.Parameters.Select(name => shapeOf[name])];
            ModelTensor tensor = Stored(files, config, layout, file, Whole(parts), known);
            int[] heights = parts.Length == 1 ? [] : [.. parts.Select(shape => shape[0])];
            for (int i = 0; i < parts.Length; i++)
            {
                string name = file.Parameters[i];
                int part = i;
                found[name] = parts.Length == 1 ? tensor.Named(name) : ModelTensor.OfRows(name, parts[i], [tensor],
                    row => (0, file.RowInFile(heights, part, row)));
            }
        }
        CheckOthers(files, config, known, found);
        return [.. shapes.Select(parameter => found[parameter.Name])];
    }

    /// <summary>A tensor of the files as that of a model: its parameters together, rows and columns as in the file.
    /// </summary>
    public static ModelTensor Joined(FileTensor file, IReadOnlyList<ModelTensor> parameters)
    {
        int[] heights = parameters.Count == 1 ? [] : [.. parameters.Select(tensor => tensor.Shape[0])];
        ModelTensor whole = parameters.Count == 1 ? parameters[0] : ModelTensor.OfRows(file.Name,
            Whole([.. parameters.Select(tensor => tensor.Shape)]), parameters, row => file.RowInModel(heights, row));
        return (file.IsTransposed ? whole.Transposed() : whole).Named(file.Name);
    }

    private static Shape Whole(ReadOnlySpan<Shape> parts)
    {
        if (parts.Length == 1)
            return parts[0];
        int rows = 0;
        foreach (Shape shape in parts)
            rows = checked(rows + shape[0]);
        return parts[0].Rank == 1 ? new Shape(rows) : new Shape(rows, parts[0][1]);
    }

    /// <summary>A tensor of the files under one of its names, rows and columns as the model has them.</summary>
    private static ModelTensor Stored(SafetensorsSet files, ArchitectureConfig config, GroupedLayout? layout,
        FileTensor file, Shape shape, HashSet<string> known)
    {
        string[] names = Names(file.Name, config);
        string name = Array.Find(names, files.Has) ?? file.Name;
        if (layout is not null && !files.Has(name) && shape.Rank == 2
            && GroupedTensor.In(files, names, layout) is { } grouped)
        {
            known.UnionWith(grouped.Names);
            return grouped.Open(shape);
        }
        if (!files.Has(name))
            throw new BadFileException(files.Path, $"tensor '{names[0]}' is missing (config.json asks for it)");
        long[] expected = shape.ToArray();
        if (file.IsTransposed)
            Array.Reverse(expected);
        if (!files.Sizes(name).SequenceEqual(expected))
            throw new BadFileException(files.FileOf(name),
                $"tensor '{name}' has shape [{string.Join(", ", files.Sizes(name))}], config.json asks for "
                + $"[{string.Join(", ", expected)}]");
        known.Add(name);
        ModelTensor tensor = files.Tensor(name);
        if (tensor.Type == WeightType.F8_E4M3 && files.Has(ScaledBlocks.FactorsOf(name)))
        {
            known.Add(ScaledBlocks.FactorsOf(name));
            tensor = ScaledBlocks.Open(tensor, files);
        }
        return file.IsTransposed ? tensor.Transposed() : tensor;
    }

    /// <summary>A name without a prefix, then with it, and both as old files have them.</summary>
    private static string[] Names(string name, ArchitectureConfig config)
    {
        string prefix = config.OptionalPrefix;
        string[] names = prefix == "" ? [name]
            : name.StartsWith(prefix, StringComparison.Ordinal) ? [name[prefix.Length..], name] : [name, prefix + name];
        return [.. names, .. config.OldEnds.Where(end => name.EndsWith(end.Name, StringComparison.Ordinal))
            .SelectMany(end => names.Select(given => given[..^end.Name.Length] + end.Old))];
    }

    /// <summary>
    /// Buffers that old checkpoints carry along may be there, and a head that repeats the tied
    /// table; nothing else.
    /// </summary>
    private static void CheckOthers(SafetensorsSet files, ArchitectureConfig config, HashSet<string> known,
        Dictionary<string, ModelTensor> found)
    {
        var copies = config.Copies.ToList();
        foreach (string name in files.Names.Where(name => !known.Contains(name)))
        {
            if (copies.FirstOrDefault(copy => copy.Copy == name) is { Parameter: { } parameter }
                && found.TryGetValue(parameter, out ModelTensor? original))
                CheckCopy(files, name, original);
            else if (!config.Unread.Any(start => name.StartsWith(start, StringComparison.Ordinal))
                && !Buffers.Any(buffer => name.EndsWith(buffer, StringComparison.Ordinal))
                && !GroupedTensor.IsZeroBias(files, name))
                throw new BadFileException(files.FileOf(name),
                    $"tensor {Quoted.Of(name)} is not part of this model; is config.json of another one?");
        }
    }

    /// <summary>
    /// Some programs store a tied matrix once more. It must be the other one then, or the
    /// configuration is wrong.
    /// </summary>
    private static void CheckCopy(SafetensorsSet files, string name, ModelTensor original)
    {
        ModelTensor copy = files.Tensor(name);
        if (copy.Shape != original.Shape || !copy.SameElements(original))
            throw new BadFileException(files.FileOf(name),
                $"tensor '{name}' differs from '{original.Name}', but config.json says that they are tied");
    }

    /// <summary>Reads a model's weights, several parameters at a time; it is disposed of where that fails.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tensors">One for each of its parameters, in order.</param>
    public static TModel Fill<TModel>(TModel model, IReadOnlyList<ModelTensor> tensors) where TModel : Model
    {
        try
        {
            var parameters = model.Parameters.All;
            var threads = new ParallelOptions { MaxDegreeOfParallelism = WorkerTeam.DefaultSize() };
            Parallel.For(0, parameters.Count, threads, i =>
            {
                if (parameters[i].IsPacked)
                    tensors[i].ReadPacked(parameters[i]);
                else
                    tensors[i].ReadFloat32(parameters[i].Data);
            });
            return model;
        }
        catch (AggregateException e)
        {
            model.Dispose();
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
            throw;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}
