namespace Nano;

/// <summary>
/// Opens a GGUF file, version 3 or 2, little-endian (format: ggml's docs/gguf.md). Opening parses
/// and checks metadata and tensor descriptions; the tensors' bytes stay in the file, which is
/// mapped into memory.
/// </summary>
public sealed class GgufReader : IDisposable
{
    private const string MissingHint = "check the path; it should be a .gguf file";

    // Metadata and descriptions together: more than any vocabulary takes.
    private const int MaxHeaderBytes = 1 << 30;

    private readonly BinaryFile file;

    private GgufReader(BinaryFile file)
    {
        this.file = file;
        var header = new GgufHeader(file.Slice(0, (int)Math.Min(file.Length, MaxHeaderBytes)), file.Path, file.Length);
        (Metadata, Tensors) = (header.Metadata, header.Tensors);
    }

    /// <summary>The file, as the caller named it.</summary>
    public string Path => file.Path;

    /// <summary>The key-value pairs; they outlive the reader.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The tensors by name, in the order of the file.</summary>
    public IReadOnlyDictionary<string, GgufTensor> Tensors { get; }

    /// <summary>Opens a file and checks it.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed.</exception>
    public static GgufReader Open(string path)
    {
        var file = new BinaryFile(path, MissingHint);
        try
        {
            return new GgufReader(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Bytes from a position in the file on, as many as the destination holds.</summary>
    internal void Copy(long offset, Span<byte> destination) => file.Copy(offset, destination);

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();
}
