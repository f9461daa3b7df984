namespace Nano;

/// <summary>
/// A graph as files, for weights that are too large for one message: the library maps them while a
/// session is open.
/// </summary>
internal sealed class OnnxTemporaryFiles : IDisposable
{
    private readonly DirectoryInfo folder = MakeFolder();

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

    private static DirectoryInfo MakeFolder()
    {
        try
        {
            return Directory.CreateTempSubdirectory("nano-");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException(
                $"cannot make a folder for temporary files in '{Path.GetTempPath()}': {Quoted.Reason(e)}",
                "set TMPDIR to a folder that can be written", e);
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
