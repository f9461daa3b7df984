using System.Text.Json;

namespace Nano;

/// <summary>The index.json of a folder of golden values, and errors that name it.</summary>
internal sealed class GoldenIndex : IDisposable
{
    private const int MaxBytes = 64 << 20;

    private readonly JsonDocument document;

    private GoldenIndex(string path, JsonDocument document) => (Path, this.document) = (path, document);

    /// <summary>For error messages.</summary>
    public string Path { get; }

    public JsonElement Root => document.RootElement;

    /// <summary>Reads an index.</summary>
    /// <exception cref="NanoException">It is missing.</exception>
    /// <exception cref="BadFileException">It is no JSON object.</exception>
    public static GoldenIndex Open(string path)
    {
        var document = InputFile.ReadJson(path, MaxBytes, "give a folder of golden values");
        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return new GoldenIndex(path, document);
        document.Dispose();
        throw new BadFileException(path, "expected a JSON object");
    }

    /// <summary>
    /// Reads through the index; a part of it that is missing or of another kind is an error about
    /// it.
    /// </summary>
    /// <param name="of">The part that is read, for the message.</param>
    /// <param name="read">Reads, and compares with it.</param>
    /// <exception cref="BadFileException">It does not hold what is read.</exception>
    public T Read<T>(string of, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException
            or FormatException or OverflowException or ArgumentException)
        {
            throw new BadFileException(Path, $"{Quoted.Plain(of)}: {Quoted.Reason(e)}", e);
        }
    }

    public void Dispose() => document.Dispose();
}
