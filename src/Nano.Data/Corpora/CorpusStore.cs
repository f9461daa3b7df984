using System.Security.Cryptography;

namespace Nano;

/// <summary>
/// The data folder: finds named corpora and vocabularies in it, checks their digests, and downloads what is missing.
/// What can be had is listed in data/sources.json.
/// </summary>
public sealed class CorpusStore : IDisposable
{
    /// <summary>The corpus that a machine without network replaces by <see cref="BuiltInCorpus"/>.</summary>
    public const string DefaultCorpus = "shakespeare";

    private readonly Downloader downloader;

    /// <summary>Opens a data folder, which need not exist yet.</summary>
    /// <param name="folder">The folder; <see cref="DefaultFolder"/> if null.</param>
    /// <param name="sources">The sources; <see cref="DataSource.Known"/> if null.</param>
    public CorpusStore(string? folder = null, IReadOnlyList<DataSource>? sources = null)
        : this(folder, sources, new Downloader())
    {
    }

    /// <summary>
    /// A store that downloads with the given downloader, which is disposed with it.
    /// </summary>
    internal CorpusStore(string? folder, IReadOnlyList<DataSource>? sources, Downloader downloader)
    {
        Folder = folder ?? DefaultFolder;
        Sources = sources ?? DataSource.Known;
        this.downloader = downloader;
    }

    /// <summary>
    /// The folder that the environment variable NANO_DATA names, else "data" in the working
    /// directory.
    /// </summary>
    public static string DefaultFolder => Environment.GetEnvironmentVariable("NANO_DATA") is { Length: > 0 } folder
        ? folder : "data";

    /// <summary>The data folder.</summary>
    public string Folder { get; }

    /// <summary>Corpora that can be downloaded.</summary>
    public IReadOnlyList<DataSource> Sources { get; }

    /// <summary>
    /// Makes sure that the files of a source are in the folder: a file that is there is checked,
    /// one that is not is downloaded. A download that fails leaves nothing behind.
    /// </summary>
    /// <returns>The full paths of the files, in the order of the source.</returns>
    /// <exception cref="NanoException">Unknown name (naming the nearest one), a file with a wrong
    /// digest, a failed download, or a folder that cannot be written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<IReadOnlyList<string>> FetchAsync(string name, IProgress<DownloadProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        var source = Find(name);
        var paths = new List<string>();
        foreach (var file in source.Files)
        {
            string path = PathOf(file);
            if (File.Exists(path))
                await VerifyAsync(source, file, path, cancellation).ConfigureAwait(false);
            else
                await downloader.DownloadAsync(file, path, progress, cancellation).ConfigureAwait(false);
            paths.Add(path);
        }
        return paths;
    }

    /// <summary>
    /// The text of a corpus: from the folder, else downloaded into it. If
    /// <see cref="DefaultCorpus"/> is in neither place, it is the built-in corpus and
    /// <see cref="Corpus.Origin"/> says why.
    /// </summary>
    /// <exception cref="NanoException">As <see cref="FetchAsync"/>, or the source is not a corpus.
    /// A file with a wrong digest is never replaced silently.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<Corpus> LoadTextAsync(string name, IProgress<DownloadProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        var source = Find(name);
        if (source.Kind != DataKind.Corpus)
            throw new NanoException($"'{name}' is not text to train on: {source.Description}",
                "corpora: " + Names(Sources.Where(other => other.Kind == DataKind.Corpus)));
        var file = source.Files[0];
        string path = PathOf(file);
        bool wasHere = File.Exists(path);
        try
        {
            await FetchAsync(name, progress, cancellation).ConfigureAwait(false);
        }
        catch (NanoException e) when (name == DefaultCorpus && !wasHere)
        {
            return new Corpus(BuiltInCorpus.Name, BuiltInCorpus.Generate(),
                $"built-in corpus ({(e as DownloadException)?.Reason ?? e.Message})");
        }
        return LoadFile(path) with
        {
            Name = name,
            Origin = Path.Combine(Folder, file.Name) + (wasHere ? "" : $", downloaded from {file.Url}")
        };
    }

    /// <summary>
    /// Reads any text file as a corpus. It must be UTF-8; a byte order mark is dropped, and nothing
    /// else changes, line ends included.
    /// </summary>
    /// <exception cref="NanoException">The file is missing, unreadable, empty, larger than about 1
    /// GB, or not UTF-8 (the message gives the offset).</exception>
    public static Corpus LoadFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new Corpus(Path.GetFileName(path), TextFile.Read(path), path);
    }

    /// <summary>Closes connections.</summary>
    public void Dispose() => downloader.Dispose();

    private DataSource Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (Sources.FirstOrDefault(source => source.Name == name) is { } found)
            return found;
        throw new NanoException($"no data is called '{name}'",
            NearestMatch.Hint(name, [.. Sources.Select(source => source.Name)], "known"));
    }

    private static string Names(IEnumerable<DataSource> sources) =>
        string.Join(", ", sources.Select(source => source.Name));

    private string PathOf(DataFile file) => Path.GetFullPath(Path.Combine(Folder, file.Name));

    private static async Task VerifyAsync(DataSource source, DataFile file, string path, CancellationToken cancellation)
    {
        string actual;
        InputFile.CheckKind(path, "delete it");
        try
        {
            using var content = File.OpenRead(path);
            actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancellation).ConfigureAwait(false));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot read '{path}': {e.Message}", "check the file's permissions", e);
        }
        if (actual != file.Sha256)
            throw new NanoException(
                $"'{path}' is damaged or another version: expected sha256 {file.Sha256}, got {actual}",
                $"delete it and run `nano data {source.Name}`");
    }
}
