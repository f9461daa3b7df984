namespace Nano;

/// <summary>Tries each provider with a graph of one node.</summary>
public static class ProviderProbe
{
    /// <summary>Each provider with the error of a graph of one node and what it needs, or null where it runs.</summary>
    /// <exception cref="NanoException">There is no library.</exception>
    public static IEnumerable<(OrtProvider Provider, string? Problem)> Try()
    {
        var graph = new OnnxGraph("probe");
        graph.Input("x", OnnxType.Float32, 1);
        graph.Node("Add", ["x", "x"], ["y"]);
        graph.Output("y", OnnxType.Float32, 1);
        _ = OrtLibrary.Env;
        foreach (var provider in OrtProvider.All)
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
