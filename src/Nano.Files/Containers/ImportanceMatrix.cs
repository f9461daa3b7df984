namespace Nano;

/// <summary>The inputs of one weight tensor that calibration saw, column by column.</summary>
/// <param name="Sums">For each expert, the sum over tokens of the squared input of each column.</param>
/// <param name="Counts">For each expert, the number of these tokens.</param>
public sealed record ColumnImportance(float[] Sums, float[] Counts)
{
    /// <summary>Columns of the tensor.</summary>
    public int Columns => Sums.Length / Counts.Length;

    /// <summary>The mean squared input of each column, expert by expert; ones for an expert that saw no token.</summary>
    public float[] Means()
    {
        var means = new float[Sums.Length];
        for (int i = 0; i < means.Length; i++)
            means[i] = Counts[i / Columns] is > 0 and var count ? Sums[i] / count : 1;
        return means;
    }
}

/// <summary>
/// An importance matrix: how much the columns of each weight tensor matter, measured on a text.
/// Quantisation errs less in columns whose inputs are large.
/// </summary>
/// <param name="Tensors">The tensors by their names in GGUF files.</param>
public sealed record ImportanceMatrix(IReadOnlyDictionary<string, ColumnImportance> Tensors)
{
    /// <summary>The file that it was read from, as the caller named it, or null.</summary>
    public string? Path { get; init; }

    /// <summary>Names of the texts.</summary>
    public IReadOnlyList<string> DataSets { get; init; } = [];

    /// <summary>Chunks of text that the model ran on; 0 if unknown.</summary>
    public int Chunks { get; init; }

    /// <summary>Tokens of a chunk; 0 if unknown.</summary>
    public int ChunkLength { get; init; }
}
