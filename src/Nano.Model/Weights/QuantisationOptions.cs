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
