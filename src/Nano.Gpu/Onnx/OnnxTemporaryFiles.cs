namespace Nano;

/// <summary>A graph as files, for weights that are too large for one message: the library maps them while a session is open.</summary>
internal sealed class OnnxTemporaryFiles : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("nano-");

    /// <exception cref="NanoException">They cannot be written.</exception>
    public OnnxTemporaryFiles(OnnxGraph graph)
    {
        Model = Path.Combine(folder.FullName, "model.onnx");
        try
        {
            OnnxExporter.Write(graph, Model, alone: false);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The .onnx file.</summary>
    public string Model { get; }

    public void Dispose()
    {
        if (Directory.Exists(folder.FullName))
            folder.Delete(recursive: true);
    }
}
