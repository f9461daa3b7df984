namespace Nano;

/// <summary>
/// The tokens of each expert in every mixture of a model, counted over as many runs as are asked for: whole numbers,
/// which do not depend on how a batch is split. A block that is computed twice counts twice, in every expert alike.
/// </summary>
public sealed class RouterLoads
{
    private readonly OrderedDictionary<int, long[]> counts = [];

    /// <summary>Counts of these layers, zero.</summary>
    internal RouterLoads(IEnumerable<int> layers, int experts)
    {
        foreach (int layer in layers)
            counts.Add(layer, new long[experts]);
    }

    /// <summary>The tokens of each expert by block: block0 and so on, a copy.</summary>
    public OrderedDictionary<string, long[]> ByBlock() =>
        new(counts.Select(layer => KeyValuePair.Create($"block{layer.Key}", layer.Value.ToArray())));

    /// <summary>The tokens of each expert of a layer.</summary>
    public ReadOnlySpan<long> Of(int layer) => counts[layer];

    /// <summary>Sets every count to zero.</summary>
    public void Clear()
    {
        foreach (var (_, loads) in counts)
            Array.Clear(loads);
    }

    internal void Add(int layer, Dispatch order)
    {
        long[] loads = counts[layer];
        for (int e = 0; e < loads.Length; e++)
            loads[e] += order.Of(e).Count;
    }
}
