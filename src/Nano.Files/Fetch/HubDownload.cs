using System.Globalization;
using System.Net;
using System.Security.Cryptography;

namespace Nano;

/// <summary>
/// Fetches one file of a model. Received bytes lie in NAME.part and are continued by the next
/// attempt or the next run; the file appears under its name when size and digest are right. A
/// digest that is wrong throws all of it away.
/// </summary>
internal sealed class HubDownload(HubClient hub, HubModelName model, IProgress<DownloadProgress>? progress)
{
    private const int ChunkBytes = 1 << 17;
    private const long Hopeful = 1 << 20;

    /// <summary>Checks whether the file already exists with the right size and digest.</summary>
    public static async Task<bool> IsHereAsync(HubFile file, string path, CancellationToken cancellation)
    {
        if (!File.Exists(path) || new FileInfo(path).Length != file.Bytes)
            return false;
        using var content = File.OpenRead(path);
        using var digest = file.BeginDigest();
        await AppendAsync(digest, content, cancellation).ConfigureAwait(false);
        return Hex(digest) == file.Digest;
    }

    /// <exception cref="NanoException">The file cannot be had or written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the received bytes are
    /// kept.</exception>
    public async Task FetchAsync(HubFile file, Uri url, string folder, CancellationToken cancellation)
    {
        string path = file.PathIn(folder), part = path + ".part";
        try
        {
            NanoException? wrong;
            using (var target = PartFile.Open(folder, part))
            {
                wrong = await FillAsync(file, url, target, cancellation).ConfigureAwait(false);
                target.Flush(flushToDisk: true);
            }
            if (wrong is not null)
            {
                File.Delete(part);
                throw wrong;
            }
            File.Move(part, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot write '{part}': {Quoted.Reason(e)}",
                "the received bytes are kept: make room or check the permissions, then run the same command again", e);
        }
    }

    /// <summary>Completes the content; returns the error if its digest is wrong.</summary>
    private async Task<NanoException?> FillAsync(HubFile file, Uri url, FileStream target,
        CancellationToken cancellation)
    {
        if (target.Length > file.Bytes)
            target.SetLength(0);
        var digest = file.BeginDigest();
        try
        {
            await AppendAsync(digest, target, cancellation).ConfigureAwait(false);
            await hub.RetryAsync(
                async stall =>
                {
                    long before = target.Length;
                    try
                    {
                        if (before < file.Bytes)
                            await ContinueAsync(stall).ConfigureAwait(false);
                    }
                    catch (HubRetryException e)
                    {
                        throw new HubRetryException(e.Message, e)
                        {
                            Wait = e.Wait,
                            MadeProgress = target.Length - before >= Hopeful
                        };
                    }
                },
                e => GivenUp(file, target.Length, e), cancellation).ConfigureAwait(false);
            string actual = Hex(digest);
            return actual == file.Digest ? null : new NanoException(
                $"the digest of {Quoted.Of(file.Name)} of '{model}' is wrong: "
                    + $"expected {file.DigestName} {file.Digest}, got {actual}",
                    "it was thrown away; run the same command again");
        }
        finally
        {
            digest.Dispose();
        }

        async Task ContinueAsync(CancellationTokenSource stall)
        {
            using var response = await hub.GetAsync(url, target.Length, model, stall).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.PartialContent)
            {
                // The whole file from its beginning, or a server that cannot continue from here:
                // the received part is useless.
                target.SetLength(0);
                digest.Dispose();
                digest = file.BeginDigest();
            }
            if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
                throw new HubRetryException("the server cannot continue the file (416)");
            Check(response, file, target.Length);
            using var body = await response.Content.ReadAsStreamAsync(stall.Token).ConfigureAwait(false);
            await CopyAsync(file, body, target, digest, stall).ConfigureAwait(false);
        }
    }

    private NanoException GivenUp(HubFile file, long received, Exception e) =>
        new(string.Create(CultureInfo.InvariantCulture,
                $"cannot download {Quoted.Of(file.Name)} of '{model}': {e.Message}"),
            string.Create(CultureInfo.InvariantCulture,
                $"{received:N0} of {file.Bytes:N0} bytes are kept: run the same command again to continue from there"),
            e);

    /// <summary>Refuses an answer that is another part of the file than the one from here on.</summary>
    private static void Check(HttpResponseMessage response, HubFile file, long from)
    {
        var range = response.Content.Headers.ContentRange;
        if (response.StatusCode == HttpStatusCode.PartialContent
            && (range?.From != from || (range.Length ?? file.Bytes) != file.Bytes))
            throw new NanoException($"the server sends another part of {Quoted.Of(file.Name)} "
                + $"than asked for ({Quoted.Plain(range?.ToString())})", "try again later");
        if (response.Content.Headers.ContentLength is { } length && length != file.Bytes - from)
            throw new NanoException(string.Create(CultureInfo.InvariantCulture,
                $"the server has {length + from:N0} bytes of {Quoted.Of(file.Name)} where the hub states "
                + $"{file.Bytes:N0}"),
                "try again later");
    }

    private async Task CopyAsync(HubFile file, Stream body, FileStream target, IncrementalHash digest,
        CancellationTokenSource stall)
    {
        byte[] chunk = new byte[ChunkBytes];
        var answer = hub.BodyOf(body, stall);
        while (await answer.ReadAsync(chunk).ConfigureAwait(false) is > 0 and var count)
        {
            if (target.Length + count > file.Bytes)
                throw new NanoException(string.Create(CultureInfo.InvariantCulture,
                    $"the server sends more of {Quoted.Of(file.Name)} than the {file.Bytes:N0} bytes that the "
                    + $"hub states"),
                    "try again later");
            target.Write(chunk, 0, count);
            digest.AppendData(chunk, 0, count);
            progress?.Report(new DownloadProgress(file.Name, target.Length, file.Bytes));
        }
        if (target.Length < file.Bytes)
            throw new HubRetryException(
                string.Create(CultureInfo.InvariantCulture,
                    $"it ended after {target.Length:N0} of {file.Bytes:N0} bytes"));
    }

    private static async Task AppendAsync(IncrementalHash digest, FileStream content, CancellationToken cancellation)
    {
        byte[] chunk = new byte[ChunkBytes];
        while (await content.ReadAsync(chunk, cancellation).ConfigureAwait(false) is > 0 and var count)
            digest.AppendData(chunk, 0, count);
    }

    private static string Hex(IncrementalHash digest) => Convert.ToHexStringLower(digest.GetCurrentHash());
}
