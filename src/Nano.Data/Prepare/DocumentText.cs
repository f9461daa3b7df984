namespace Nano;

/// <summary>A stretch of a document, as a file is read.</summary>
/// <param name="Text">Whole characters; valid until the next stretch is read.</param>
/// <param name="Begins">Whether the document begins here.</param>
/// <param name="Ends">Whether it ends here.</param>
/// <param name="Where">The file and, of JSON lines, the line, for errors.</param>
internal readonly record struct DocumentText(ReadOnlyMemory<char> Text, bool Begins, bool Ends, string Where);
