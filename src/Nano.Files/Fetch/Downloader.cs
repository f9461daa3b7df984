using System.Security.Cryptography;

namespace Nano;

/// <summary>The progress of a download.</summary>
/// <param name="File">The file's name in the data folder.</param>
/// <param name="Bytes">Bytes received so far.</param>
/// <param name="TotalBytes">Bytes the file has.</param>
public sealed record DownloadProgress(string File, long Bytes, long TotalBytes);

/// <summary>
/// Fetches one file over HTTP. It appears under its name only when size and digest are right;
/// nothing is left behind otherwise.
/// </summary>
/// <param name="handler">The way to servers, disposed with this; null for the usual one, which gives up
/// connecting after 10 s.</param>
internal sealed class Downloader(HttpMessageHandler? handler = null) : IDisposable
{
    private const int ChunkBytes = 1 << 16;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly HttpClient http = new(handler ?? new SocketsHttpHandler { ConnectTimeout = ConnectTimeout })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>The longest wait for the answer, and then for each next piece of it.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The time for which a server may send less than <see cref="RateFloor.BytesPerSecond"/>; a
    /// minute if null.
    /// </summary>
    public TimeSpan? RateWindow { get; init; }

    /// <summary>
    /// Downloads <paramref name="file"/> to <paramref name="path"/>. The folder is made once the
    /// server has the file.
    /// </summary>
    /// <exception cref="DownloadException">The server cannot be reached, refuses, stops midway, or
    /// sends something else.</exception>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task DownloadAsync(DataFile file, string path, IProgress<DownloadProgress>? progress,
        CancellationToken cancellation)
    {
        using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            stall.CancelAfter(StallTimeout);
            using var response = await http.GetAsync(file.Url, HttpCompletionOption.ResponseHeadersRead, stall.Token)
                .ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
                throw new DownloadException(file,
                    $"the server answers {(int)response.StatusCode} ({Quoted.Plain(response.ReasonPhrase)})");
            if (response.Content.Headers.ContentLength is { } length && length != file.Bytes)
                throw new DownloadException(file,
                    FormattableString.Invariant(
                        $"the server has {length:N0} bytes where {file.Bytes:N0} are expected"));
            using var body = await response.Content.ReadAsStreamAsync(stall.Token).ConfigureAwait(false);
            CreateFolderOf(path);
            // AtomicFile writes synchronously, so the copy inside it is waited for, away from the caller's thread.
            await Task.Run(() =>
                AtomicFile.Write(path,
                    target => CopyAsync(file, body, target, progress, stall).GetAwaiter().GetResult()),
                    CancellationToken.None).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw new DownloadException(file, Explain(e), e);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new DownloadException(file, Explain(e, StallTimeout), e);
        }
    }

    private async Task CopyAsync(DataFile file, Stream body, Stream target, IProgress<DownloadProgress>? progress,
        CancellationTokenSource stall)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] chunk = new byte[ChunkBytes];
        long received = 0;
        var response = new ResponseBody(body, StallTimeout, RateWindow ?? RateFloor.Usual, stall,
            (reason, cause) => new DownloadException(file, reason, cause));
        while (await response.ReadAsync(chunk).ConfigureAwait(false) is > 0 and var count)
        {
            received += count;
            if (received > file.Bytes)
                throw new DownloadException(file,
                    FormattableString.Invariant($"the server sends more than the expected {file.Bytes:N0} bytes"));
            digest.AppendData(chunk, 0, count);
            target.Write(chunk, 0, count);
            progress?.Report(new DownloadProgress(file.Name, received, file.Bytes));
        }
        if (received < file.Bytes)
            throw new DownloadException(file,
                FormattableString.Invariant($"it ended after {received:N0} of {file.Bytes:N0} bytes"));
        string actual = Convert.ToHexStringLower(digest.GetHashAndReset());
        if (actual != file.Sha256)
            throw new DownloadException(file,
                $"the digest is wrong: expected sha256 {file.Sha256}, got {actual}");
    }

    /// <summary>The reason for a timeout, in half a sentence.</summary>
    internal static string Explain(OperationCanceledException e, TimeSpan stallTimeout) =>
        e.InnerException is TimeoutException
        ? "no network: the server cannot be reached in time"
        : FormattableString.Invariant($"nothing came from the server for {stallTimeout.TotalSeconds} s");

    /// <summary>The reason for a failed request, in half a sentence.</summary>
    internal static string Explain(HttpRequestException e)
    {
        bool unreachable = e.HttpRequestError is HttpRequestError.NameResolutionError
            or HttpRequestError.ConnectionError or HttpRequestError.ProxyTunnelError;
        // Outer messages name the host of a failed connection, but say only "see inner exception" of other failures.
        return unreachable ? $"no network: {Quoted.Reason(e)}" : Quoted.Reason(e.GetBaseException());
    }

    private static void CreateFolderOf(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot create the folder of '{path}': {Quoted.Reason(e)}",
                "set NANO_DATA to a folder that can be written", e);
        }
    }

    public void Dispose() => http.Dispose();
}
