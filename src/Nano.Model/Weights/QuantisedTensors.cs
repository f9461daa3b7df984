namespace Nano;

/// <summary>Options of the quantisation of a model.</summary>
public sealed record QuantisationOptions
{
    /// <summary>The type of the file, which decides that of each tensor.</summary>
    public required GgufFileType FileType { get; init; }

    /// <summary>True to accept a model that is quantised already, whose weights then lose twice.</summary>
    public bool Requantises { get; init; }

    /// <summary>Tensors by their names in GGUF files that get another type.</summary>
    public IReadOnlyDictionary<string, WeightType> Types { get; init; } = new Dictionary<string, WeightType>();

    /// <summary>The importance of columns, or null if all count alike.</summary>
    public ImportanceMatrix? Importance { get; init; }
}

/// <summary>The tensors of a quantised GGUF file: their types, the importance of their columns, and remarks on both.
/// </summary>
internal sealed class QuantisedTensors
{
    // Names in a remark or an error; of the others only the number is said.
    private const int NamedTensors = 3;

    private readonly QuantisationOptions options;
    private readonly List<(ModelTensor Tensor, WeightType Wanted, WeightType Type)> all;

    /// <param name="source">The model.</param>
    /// <param name="tensors">Its tensors under their names in the file, each with the number of its block.</param>
    /// <param name="options">The types and the importance of columns.</param>
    /// <exception cref="NanoException">The options name a tensor that is not there.</exception>
    /// <exception cref="BadFileException">The importance is that of another model.</exception>
    public QuantisedTensors(ModelSource source, IReadOnlyList<(ModelTensor Tensor, int? Block)> tensors,
        QuantisationOptions options)
    {
        this.options = options;
        if (options.Types.Keys.Except(tensors.Select(entry => entry.Tensor.Name)).FirstOrDefault() is { } unknown)
            throw new NanoException($"there is no tensor {Quoted.Of(unknown)}",
                $"tensors: {string.Join(", ", tensors.Take(8).Select(entry => entry.Tensor.Name))}, ...");
        if (options.Importance is { } importance)
            RefuseForeign(importance, [.. tensors.Select(entry => entry.Tensor)]);
        var mix = QuantMix.Of(source.Config, options.FileType, options.Importance is not null);
        all = [.. tensors.Select(entry =>
        {
            var (tensor, block) = entry;
            WeightType kept = source.Metadata is null ? WeightType.F32 : tensor.Type;
            return options.Types.TryGetValue(tensor.Name, out WeightType asked) ? (tensor, asked, asked)
                : (tensor, mix.Wanted(tensor.Name, block, tensor.Shape, kept),
                    mix.TypeOf(tensor.Name, block, tensor.Shape, kept));
        })];
    }

    /// <summary>The tensors as the file gets them.</summary>
    public IEnumerable<ModelTensor> Stored => all.Select(entry =>
        IsMadeHere(entry.Tensor, entry.Type) && options.Importance is { } importance
            && importance.Tensors.TryGetValue(entry.Tensor.Name, out ColumnImportance? columns)
            ? QuantisedRows.Of(entry.Tensor, entry.Type, columns.Means()) : entry.Tensor.As(entry.Type));

    /// <summary>Remarks for the user: fallbacks, and matrices of blocks of whose columns the importance is not
    /// known.</summary>
    public IEnumerable<string> Notes
    {
        get
        {
            foreach (var group in all.Where(entry => entry.Wanted != entry.Type)
                .GroupBy(entry => (entry.Wanted, entry.Type, entry.Tensor.Shape.Columns)))
                yield return $"{group.Key.Type} instead of {group.Key.Wanted} for {Names(group)}: rows of "
                    + $"{group.Key.Columns} are no multiple of {BlockFormat.Of(group.Key.Wanted).Weights}";
            if (options.Importance is not { } importance)
                yield break;
            var without = all.Where(entry => IsMadeHere(entry.Tensor, entry.Type)
                && entry.Tensor.Name.StartsWith("blk.", StringComparison.Ordinal)
                && !importance.Tensors.ContainsKey(entry.Tensor.Name)).ToList();
            if (without.Count > 0)
                yield return $"the importance matrix lacks {Names(without)}, quantised without it";
        }
    }

    private static bool IsMadeHere(ModelTensor tensor, WeightType type) =>
        WeightTypes.IsQuantised(type) && type != tensor.Type;

    private static string Names(IEnumerable<(ModelTensor Tensor, WeightType Wanted, WeightType Type)> entries) =>
        Names([.. entries.Select(entry => entry.Tensor.Name)]);

    private static string Names(string[] names) =>
        string.Join(", ", names.Take(NamedTensors).Select(name => Quoted.Of(name)))
            + (names.Length > NamedTensors ? $" and {names.Length - NamedTensors} more" : "");

    /// <summary>Refuses an importance matrix with a tensor that the model has not, or has with other columns.</summary>
    private static void RefuseForeign(ImportanceMatrix importance, IReadOnlyList<ModelTensor> tensors)
    {
        var columns = tensors.Where(tensor => tensor.Shape.Rank > 1)
            .ToDictionary(tensor => tensor.Name, tensor => tensor.Shape.Columns, StringComparer.Ordinal);
        string[] unknown = [.. importance.Tensors.Keys.Where(name => !columns.ContainsKey(name))],
            other = [.. importance.Tensors.Where(entry => columns.TryGetValue(entry.Key, out int width)
                && entry.Value.Sums.Length != width).Select(entry => entry.Key)];
        if (unknown.Length == 0 && other.Length == 0)
            return;
        string problem = unknown.Length > 0 ? $"the model has no {Names(unknown)}"
            : $"{Quoted.Of(other[0])} has {importance.Tensors[other[0]].Sums.Length} columns, in the model "
                + $"{columns[other[0]]}";
        throw new BadFileException(importance.Path ?? "the importance matrix", $"it is that of another model: of its "
            + $"{importance.Tensors.Count} tensors {importance.Tensors.Count - unknown.Length - other.Length} fit the "
            + $"model's {columns.Count} matrices; {problem}");
    }
}
