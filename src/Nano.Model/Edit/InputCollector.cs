namespace Nano;

/// <summary>Runs a model over a text and adds up what some of its matrices read.</summary>
internal static class InputCollector
{
    /// <summary>The sums for each of some vectors.</summary>
    /// <param name="model">The model, in float32.</param>
    /// <param name="compute">The context to run in, without a tape.</param>
    /// <param name="ids">The text, of which there is at least a chunk.</param>
    /// <param name="options">The length and number of chunks.</param>
    /// <param name="inputs">The vectors.</param>
    /// <param name="hasProducts">True to add up the products of all pairs of channels.</param>
    /// <exception cref="NanoException">An input is not finite.</exception>
    public static InputStatistics[] Collect(LanguageModel model, Compute compute, ReadOnlySpan<int> ids,
        CalibrationOptions options, IReadOnlyList<SharedInput> inputs, bool hasProducts)
    {
        var parameters = model.Parameters.All.ToDictionary(parameter => parameter.Name!, StringComparer.Ordinal);
        InputStatistics[] all = [.. inputs.Select(input =>
            new InputStatistics(parameters[input.Weights[0]].Shape[1], hasProducts))];
        // Matrices that read one vector are shown the same one: the first of them is enough.
        var watched = inputs.Zip(all).ToDictionary(pair => parameters[pair.First.Weights[0]], pair => pair.Second);
        int length = options.ChunkLength, chunks = TextChunks.Count(model.Config, ids, length, options.Chunks);
        compute.WatchLinear = (weight, input) =>
        {
            if (watched.TryGetValue(weight, out InputStatistics? statistics))
                statistics.Add(compute, input);
        };
        try
        {
            for (int chunk = 0; chunk < chunks; chunk++)
                TextChunks.Run(model, compute, ids.Slice(chunk * length, length), options.BeginId);
        }
        finally
        {
            compute.WatchLinear = null;
        }
        foreach (var (weight, statistics) in watched)
            if (statistics.NotFinite is var column and >= 0)
                throw new NanoException($"the inputs of {Quoted.Of(weight.Name!)} are not finite: column {column}",
                    "a weight before that one may be NaN or infinite");
        return all;
    }
}
