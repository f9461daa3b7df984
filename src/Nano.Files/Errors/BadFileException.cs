namespace Nano;

/// <summary>
/// A file's content is malformed or is not what it was opened as. The one exception of all readers:
/// whatever bytes a file holds, a reader returns or throws this, after allocating no more than the
/// file's size justifies.
/// </summary>
/// <param name="path">The file, as the caller named it.</param>
/// <param name="problem">What is wrong and at which tensor, key or offset.</param>
/// <param name="inner">The parser's own exception, where there is one.</param>
public sealed class BadFileException(string path, string problem, Exception? inner = null)
    : FormatException(Quoted.Line($"{Quoted.Path(path)}: {problem}"), inner)
{
    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; } = path;

    /// <summary>Whether the file may be in order, but has something that is not supported here.</summary>
    public bool IsUnsupported { get; init; }
}
