namespace Nano;

/// <summary>
/// A file's content is malformed or is not what it was opened as. The one exception of all readers:
/// whatever bytes a file holds, a reader returns or throws this, after allocating no more than the
/// file's size justifies.
/// </summary>
/// <param name="path">The file, as the caller named it.</param>
/// <param name="problem">The problem and its place: a tensor, key or offset.</param>
/// <param name="inner">The parser's own exception, where there is one.</param>
public sealed class BadFileException(string path, string problem, Exception? inner = null)
    : FormatException(Quoted.Line($"{Quoted.Path(path)}: {problem}"), inner)
{
    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; } = path;

    /// <summary>
    /// True if the file may be valid but uses a feature that is not supported here.
    /// </summary>
    public bool IsUnsupported { get; init; }
}
