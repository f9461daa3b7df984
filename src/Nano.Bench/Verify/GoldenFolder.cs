namespace Nano;

/// <summary>The results of a folder of golden values.</summary>
/// <param name="Rows">Tensors of ops and of models in float32.</param>
/// <param name="Checks">Comparisons of quantised weights and models.</param>
public sealed record GoldenResults(IReadOnlyList<VerificationRow> Rows, IReadOnlyList<GoldenCheck> Checks);

/// <summary>
/// A folder of golden values, recognised by its index.json: ops ("cases"), formats of quantised
/// weights ("types"), quantised models ("models"); without an index a model with golden.safetensors.
/// </summary>
public static class GoldenFolder
{
    private const string Hint = "give a folder with an index.json of ops, of quantised formats or of quantised models, "
        + "or the folder of a model with golden.safetensors";

    /// <summary>Checks everything that a folder holds.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="dataFolder">The folder of public files, where sources of quantised models may lie.</param>
    /// <exception cref="NanoException">It holds no golden values, or a file is missing.</exception>
    /// <exception cref="BadFileException">A file is damaged, or names something that is not known here.</exception>
    public static GoldenResults Run(string directory, Compute compute, string dataFolder)
    {
        string path = Path.Combine(directory, "index.json"), golden = Path.Combine(directory, "golden.safetensors");
        if (!File.Exists(path))
            return File.Exists(golden) ? new(ModelVerifier.Run(directory, golden, compute), [])
                : throw new NanoException($"{Quoted.Of(directory)} holds no golden values", Hint);
        using var index = GoldenIndex.Open(path);
        bool Has(string part) => index.Root.TryGetProperty(part, out _);
        return Has("cases") ? new(OpVerifier.Run(directory, compute), [])
            : Has("types") ? new([], [.. QuantVerifier.Run(directory, index, compute), .. Methods(directory)])
            : Has("models") ? new([], QuantModelVerifier.Run(directory, index, compute, dataFolder))
            : throw new BadFileException(path, "expected \"cases\", \"types\" or \"models\"");
    }

    /// <summary>The golden values of methods, which lie beside those of formats.</summary>
    private static IEnumerable<GoldenCheck> Methods(string directory)
    {
        string path = Path.Combine(directory, "methods.safetensors");
        return File.Exists(path) ? MethodVerifier.Run(path) : [];
    }
}
