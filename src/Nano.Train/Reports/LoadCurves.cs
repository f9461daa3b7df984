namespace Nano;

/// <summary>
/// The load of the least and of the most used expert of each mixture, as a share of an even load, by step.
/// </summary>
internal sealed class LoadCurves
{
    private const int MostSteps = 1 << 11, MostLayers = 1000;

    private readonly OrderedDictionary<string, (Curve Least, Curve Most)> layers = [];

    /// <summary>The curves of each block.</summary>
    public IReadOnlyDictionary<string, (Curve Least, Curve Most)> Layers => layers;

    /// <summary>All of them.</summary>
    public IEnumerable<Curve> All => layers.Values.SelectMany(pair => (Curve[])[pair.Least, pair.Most]);

    /// <summary>Adds the loads of a step; blocks that the first one did not have are left out.</summary>
    public void Add(int step, OrderedDictionary<string, long[]> loads)
    {
        if (All.All(curve => curve.Count == 0))
        {
            layers.Clear();
            foreach (string name in loads.Keys.Take(MostLayers))
                layers.Add(name, (new Curve(MostSteps), new Curve(MostSteps)));
        }
        foreach (var (name, (least, most)) in layers)
        {
            var (low, high) = loads.TryGetValue(name, out long[]? counts) ? Shares(counts) : (double.NaN, double.NaN);
            least.Add(step, low);
            most.Add(step, high);
        }
    }

    /// <summary>The smallest and the largest load over the mean; not numbers if there is no token.</summary>
    internal static (double Least, double Most) Shares(long[] loads)
    {
        double mean = loads.Length == 0 ? 0 : loads.Sum() / (double)loads.Length;
        return mean == 0 ? (double.NaN, double.NaN) : (loads.Min() / mean, loads.Max() / mean);
    }
}
