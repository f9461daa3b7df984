namespace Nano;

/// <summary>The documents of all input files, in order; read once.</summary>
/// <param name="sources">The files.</param>
/// <param name="options">The options for reading them.</param>
/// <param name="stop">Ends reading.</param>
internal sealed class DocumentSource(IReadOnlyList<SourceFile> sources, PrepareOptions options, CancellationToken stop)
{
    private const int NamedLines = 10;

    /// <summary>The files read so far, with their digests.</summary>
    public List<SourceFile> Files { get; } = [];

    /// <summary>Bytes of the files read so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Documents without a character, which are left out.</summary>
    public long Empty { get; private set; }

    /// <summary>Lines that are not documents and were skipped.</summary>
    public long SkippedLines { get; private set; }

    /// <summary>
    /// Descriptions of the first skipped lines: where each is and what was wrong with it.
    /// </summary>
    public List<string> FirstSkipped { get; } = [];

    /// <summary>Reads on.</summary>
    /// <exception cref="NanoException">A file is unreadable, not UTF-8, or has a line that is not a
    /// document.</exception>
    /// <exception cref="BadFileException">A compressed file is damaged.</exception>
    public IEnumerable<DocumentText> Read()
    {
        long before = 0;
        foreach (var source in sources)
        {
            using var stream = SourceStream.Open(source.Path, "it was there a moment ago", stop);
            bool any = false;
            foreach (var stretch in Documents(source, stream))
            {
                stop.ThrowIfCancellationRequested();
                any = true;
                Bytes = before + stream.FileBytes;
                if (stretch is { Begins: true, Ends: true, Text.IsEmpty: true } && source.Format != DataFormat.Sections)
                    Empty++;
                else
                    yield return stretch;
            }
            if (!any && source.Format != DataFormat.Jsonl)
                Empty++;
            Files.Add(source with { Sha256 = stream.Sha256(), Bytes = stream.FileBytes });
            Bytes = before += stream.FileBytes;
        }
    }

    private IEnumerable<DocumentText> Documents(SourceFile source, SourceStream stream) => source.Format switch
    {
        DataFormat.Jsonl => new JsonLinesReader(source.Path, options.Field, options.SkipBad ? Skip : null).Read(stream),
        DataFormat.Sections => PlainTextReader.ReadSections(stream, source.Path),
        _ => PlainTextReader.Read(stream, source.Path),
    };

    private void Skip(string why)
    {
        SkippedLines++;
        if (FirstSkipped.Count < NamedLines)
            FirstSkipped.Add(why);
    }
}
