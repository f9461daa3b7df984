using System.Numerics;

namespace Nano;

/// <summary>Options of the collection of an importance matrix.</summary>
public sealed record ImportanceOptions
{
    /// <summary>Tokens of a chunk, at most the model's context.</summary>
    public required int ChunkLength { get; init; }

    /// <summary>The most chunks; null for the whole text.</summary>
    public int? Chunks { get; init; }

    /// <summary>The id with which the model's texts begin, put in the place of the first of each chunk; null for
    /// none.</summary>
    public int? BeginId { get; init; }

    /// <summary>True to collect the inputs of the head too.</summary>
    public bool IncludesHead { get; init; }
}

/// <summary>The progress of a collection.</summary>
/// <param name="Chunks">Chunks done.</param>
/// <param name="TotalChunks">All chunks.</param>
/// <param name="Loss">The mean loss of the tokens so far, in nats.</param>
public readonly record struct ImportanceProgress(int Chunks, int TotalChunks, double Loss);

/// <summary>
/// Collects an importance matrix: runs a model over chunks of a text, each as a text of its own, and adds up the
/// squared inputs of each column of each linear layer, row by row, so that the number of threads changes no bit.
/// </summary>
public sealed class ImportanceCollector
{
    private readonly Dictionary<Tensor, double[]> sums = [];
    private readonly ImportanceOptions options;
    private long tokens;

    private ImportanceCollector(ImportanceOptions options) => this.options = options;

    /// <summary>Runs a model over a text.</summary>
    /// <param name="model">The model; a quantised one is computed as it is when it generates.</param>
    /// <param name="compute">The context to run in, without a tape.</param>
    /// <param name="ids">The text. What does not fill a chunk at its end is left out.</param>
    /// <param name="dataSet">The name of the text.</param>
    /// <param name="options">The options of the collection.</param>
    /// <param name="progress">Is told of each chunk.</param>
    /// <exception cref="NanoException">The text is too short, an id is not the model's, an option is out of range, or
    /// an input is not finite.</exception>
    public static ImportanceMatrix Collect(LanguageModel model, Compute compute, ReadOnlySpan<int> ids, string dataSet,
        ImportanceOptions options, IProgress<ImportanceProgress>? progress = null)
    {
        int length = options.ChunkLength,
            chunks = TextChunks.Count(model.Config, ids, options.ChunkLength, options.Chunks);
        var collector = new ImportanceCollector(options);
        compute.WatchLinear = collector.Add;
        try
        {
            double nats = 0;
            for (int chunk = 0; chunk < chunks; chunk++)
            {
                nats += collector.Run(model, compute, ids.Slice(chunk * length, length));
                collector.RefuseInfinities(chunk);
                progress?.Report(new ImportanceProgress(chunk + 1, chunks, nats / (chunk + 1) / (length - 1)));
            }
        }
        finally
        {
            compute.WatchLinear = null;
        }
        // Parameters that a file has in one tensor read the same inputs; experts, which do not, are left out.
        var names = GgufNames.Entries(model.Config).Where(entry => !entry.IsStacked)
            .ToDictionary(entry => entry.Parameters[0].Name, entry => entry.Name, StringComparer.Ordinal);
        return new ImportanceMatrix(collector.sums.Where(entry => names.ContainsKey(entry.Key.Name!)).ToDictionary(
            entry => names[entry.Key.Name!], entry => new ColumnImportance(
                [.. entry.Value.Select(sum => (float)sum)], [collector.tokens]), StringComparer.Ordinal))
        {
            DataSets = [dataSet],
            Chunks = chunks,
            ChunkLength = length,
        };
    }

    /// <summary>Runs the model over a chunk; returns the sum of the losses of its tokens but the first.</summary>
    private double Run(LanguageModel model, Compute compute, ReadOnlySpan<int> chunk)
    {
        tokens += chunk.Length;
        return TextChunks.Run(model, compute, chunk, options.BeginId);
    }

    /// <summary>Adds the squares of a linear map's inputs to those of its weight.</summary>
    private void Add(Tensor weight, Tensor input)
    {
        if (!options.IncludesHead && weight.Parameter?.Role is ParameterRole.Head or ParameterRole.Embedding)
            return;
        if (!sums.TryGetValue(weight, out double[]? columns))
            sums.Add(weight, columns = new double[input.Shape.Columns]);
        Span<float> rows = input.Data;
        for (int start = 0; start < rows.Length; start += columns.Length)
            AddSquares(rows.Slice(start, columns.Length), columns);
    }

    /// <summary>Adds the square of each number to a sum of its own; squares are exact in double precision.</summary>
    private static void AddSquares(ReadOnlySpan<float> row, Span<double> sums)
    {
        int i = 0, half = Vector<double>.Count;
        for (; i <= row.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(row[i..]), out var low, out var high);
            ((low * low) + new Vector<double>(sums[i..])).CopyTo(sums[i..]);
            ((high * high) + new Vector<double>(sums[(i + half)..])).CopyTo(sums[(i + half)..]);
        }
        for (; i < row.Length; i++)
            sums[i] += (double)row[i] * row[i];
    }

    private void RefuseInfinities(int chunk)
    {
        foreach (var (weight, columns) in sums)
            if (Array.FindIndex(columns, sum => !(sum <= float.MaxValue)) is var column and >= 0)
                throw new NanoException($"the inputs of {Quoted.Of(weight.Name!)} are not finite, or too large for "
                    + $"float32 when added up: column {column}, chunk {chunk + 1}",
                    "a weight before that one may be NaN or infinite");
    }
}
