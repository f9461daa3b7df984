using System.Globalization;

namespace Nano;

/// <summary>The progress of a preparation.</summary>
/// <param name="Doing">The present stage.</param>
/// <param name="Bytes">Of the input files, read so far.</param>
/// <param name="Of">Their size.</param>
/// <param name="Tokens">Written so far.</param>
public readonly record struct PrepareProgress(string Doing, long Bytes, long Of, long Tokens);

/// <summary>
/// Text to token files, in bounded memory. The ids are those of each document encoded whole,
/// whatever the number of threads. All is written into a folder beside the one that is wanted,
/// which is renamed at the end (see <see cref="AtomicFolder"/>): there is a whole data set, the old
/// one or the new one, or none.
/// </summary>
public sealed class DataPreparer : IDisposable
{
    private const ulong DocumentSeed = 1337;
    private const int Reports = 100;

    private readonly PrepareOptions options;
    private readonly IProgress<PrepareProgress>? progress;
    private readonly CancellationToken stop;
    private readonly IReadOnlyList<SourceFile> sources;
    private readonly int? separator;
    private readonly SplitWriter train, validation;
    private readonly OrderedWork<EncodeJob> work;
    private readonly JobBuilder builder;
    private long charactersLeft, documents; // characters that still go to training; documents so far
    private bool validating;

    private DataPreparer(PrepareOptions options, IReadOnlyList<SourceFile> sources, string folder,
        IProgress<PrepareProgress>? progress, CancellationToken stop)
    {
        (this.options, this.sources, this.progress, this.stop) = (options, sources, progress, stop);
        separator = options.SeparatorId();
        int V = options.Tokenizer.VocabSize;
        (train, validation) = (new SplitWriter(folder, "train", 1, V, options.ShardTokens), new SplitWriter(folder,
            "val", 0, V, options.ShardTokens));
        work = new OrderedWork<EncodeJob>(options.Threads > 0 ? options.Threads : Environment.ProcessorCount,
            job => job.Run(), Write);
        builder = new JobBuilder(options.Tokenizer, work.Add);
    }

    /// <summary>Prepares data.</summary>
    /// <returns>The prepared data.</returns>
    /// <exception cref="NanoException">Options are impossible, an input is missing or is not what
    /// it should be, there is too little text for both splits, or the disk is full.</exception>
    /// <exception cref="BadFileException">A compressed file is damaged.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is left behind.</exception>
    public static PreparedData Run(PrepareOptions options, IProgress<PrepareProgress>? progress = null,
        CancellationToken stop = default)
    {
        options.Validate();
        PreparedFolder.Check(options.Out, options.Overwrite);
        var sources = SourceFile.Find(options.Inputs, options.Format);
        PreparedFolder.CheckApart(options.Out, options.Inputs, sources);
        AtomicFolder.Write(options.Out, PreparedFolder.OwnFiles, temporary =>
        {
            using var preparer = new DataPreparer(options, sources, temporary, progress, stop);
            preparer.Prepare(temporary);
        });
        return PreparedData.Load(options.Out);
    }

    private void Prepare(string folder)
    {
        var counted = options.Validation.Kind == ValidationKind.LastCharacters ? CountCharacters() : null;
        var source = new DocumentSource(sources, options, stop);
        foreach (var stretch in Watched(source, "encoding"))
            Distribute(stretch);
        builder.Complete();
        work.Complete();
        if (counted is not null && !counted.SequenceEqual(source.Files))
            throw new NanoException("a file changed while it was read", "start again");
        var (trainInfo, validationInfo) = (train.Finish(), validation.Finish());
        foreach (var (info, use) in new[] { (trainInfo, "train on"), (validationInfo, "validate on") })
            if (info.Tokens == 0)
                throw new NanoException(
                    string.Create(CultureInfo.InvariantCulture,
                        $"there is nothing to {use}: the text has {trainInfo.Tokens + validationInfo.Tokens:N0} "
                        + $"tokens in all, and `validation` is {options.Validation}"),
                        "use more text, or another `validation`");
        PreparedData.Write(folder, options, separator, trainInfo, validationInfo, source);
    }

    /// <summary>
    /// Finds how many characters, Unicode scalar values, go to training. Returns the files, to see
    /// that they are the same when they are read again.
    /// </summary>
    private List<SourceFile> CountCharacters()
    {
        long count = 0;
        var source = new DocumentSource(sources, options, stop);
        foreach (var stretch in Watched(source, "counting"))
            count += Characters(stretch.Text.Span);
        charactersLeft = (long)(count * (1 - options.Validation.Fraction));
        return source.Files;
    }

    private IEnumerable<DocumentText> Watched(DocumentSource source, string doing)
    {
        long total = sources.Sum(file => file.Bytes), reported = 0;
        foreach (var stretch in source.Read())
        {
            if (source.Bytes - reported >= total / Reports)
                progress?.Report(new PrepareProgress(doing, reported = source.Bytes, total,
                    train.Tokens + validation.Tokens));
            yield return stretch;
        }
    }

    /// <summary>Hands a stretch of a document to the encoders, with the split that it belongs to.</summary>
    private void Distribute(DocumentText stretch)
    {
        var text = stretch.Text.Span;
        bool opens = stretch.Begins;
        if (options.Validation.Kind == ValidationKind.LastCharacters && !validating)
        {
            int fits = Prefix(text, charactersLeft);
            charactersLeft -= Characters(text[..fits]);
            if (fits < text.Length)
            {
                if (fits > 0 || !opens)
                    builder.Add(text[..fits], opens, closes: true, validation: false, stretch.Where);
                text = text[fits..];
                validating = opens = true;
            }
        }
        else if (options.Validation.Kind == ValidationKind.Documents && opens)
            validating = Philox.Uniform(DocumentSeed, 0, (ulong)documents++) < options.Validation.Fraction;
        builder.Add(text, opens, stretch.Ends, validating, stretch.Where);
    }

    /// <summary>Writes the ids of a job.</summary>
    private void Write(EncodeJob job)
    {
        for (int i = 0; i < job.Results.Count; i++)
        {
            var stretch = job.Stretches[i];
            var (ids, bytes) = job.Results[i];
            if (stretch.Begins)
            {
                var begun = Writer(stretch);
                begun.Documents++;
                if (separator is { } id)
                    begun.Write([id]);
            }
            int first = Writer(stretch) == train || options.Validation.Kind != ValidationKind.FirstTokens ? ids.Length
                : (int)Math.Min(ids.Length, options.Validation.Tokens - validation.Tokens);
            long firstBytes = first == ids.Length ? bytes
                : ids.AsSpan(0, first).ToArray().Sum(id => (long)options.Tokenizer.BytesOf(id).Length);
            Add(Writer(stretch), ids.AsSpan(0, first), firstBytes);
            Add(train, ids.AsSpan(first), bytes - firstBytes);
        }
        builder.GiveBack(job);
    }

    private SplitWriter Writer(Stretch stretch) => options.Validation.Kind == ValidationKind.FirstTokens
        ? validation.Tokens < options.Validation.Tokens ? validation : train
        : stretch.Validation ? validation : train;

    private static void Add(SplitWriter to, ReadOnlySpan<int> ids, long bytes)
    {
        to.Write(ids);
        to.Bytes += bytes;
    }

    /// <summary>Unicode scalar values in whole ones.</summary>
    private static int Characters(ReadOnlySpan<char> text)
    {
        int count = text.Length;
        for (int at = 0; text[at..].IndexOfAnyInRange('\uDC00', '\uDFFF') is >= 0 and int found; at += found + 1)
            count--;
        return count;
    }

    /// <summary>
    /// UTF-16 units of the first <paramref name="characters"/> characters, or of all.
    /// </summary>
    private static int Prefix(ReadOnlySpan<char> text, long characters)
    {
        if (text.Length <= characters)
            return text.Length;
        int at = 0;
        for (; characters > 0 && at < text.Length; characters--)
            at += char.IsHighSurrogate(text[at]) ? 2 : 1;
        return at;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        work.Dispose();
        train.Dispose();
        validation.Dispose();
    }
}
