namespace Nano;

/// <summary>Tries the providers of the native library with a graph of one node.</summary>
public static class ProviderProbe
{
    /// <summary>What each provider of the library says when a graph of one node is to run on it, and what it needs; null where it runs.</summary>
    /// <exception cref="NanoException">There is no library.</exception>
    public static IEnumerable<(OrtProvider Provider, string? Problem)> Try()
    {
        var graph = new OnnxGraph("probe");
        graph.Input("x", OnnxType.Float32, 1);
        graph.Node("Add", ["x", "x"], ["y"]);
        graph.Output("y", OnnxType.Float32, 1);
        var compiledIn = OrtApi.Default.AvailableProviders();
        foreach (var provider in OrtProvider.All.Where(provider => compiledIn.Contains(provider.LibraryName)))
        {
            string? problem = null;
            try
            {
                using var session = new OrtSession(graph.ToModel().Span, provider, 1);
                using OrtTensor x = OrtTensor.OfFloats(1), y = OrtTensor.OfFloats(1);
                session.Run([("x", x)], [("y", y)]);
            }
            catch (NanoException e)
            {
                problem = $"{(e.InnerException ?? e).Message}; {provider.Needs}";
            }
            yield return (provider, problem);
        }
    }
}
