using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Nano;

/// <summary>
/// Asks the Hugging Face hub which files a model has and for their content. Follows redirects
/// itself, because the token may go to the hub alone and not to the stores that it sends large
/// files from.
/// </summary>
public sealed partial class HubClient : IDisposable
{
    /// <summary>The public hub.</summary>
    public static readonly Uri PublicEndpoint = new("https://huggingface.co/");

    private const int MaxRedirects = 10, MaxPages = 100, MaxJsonBytes = 32 << 20;

    private readonly HttpClient http;
    private readonly string? token;

    /// <param name="endpoint">The hub; <see cref="PublicEndpoint"/> if null.</param>
    /// <param name="token">Sent to the hub, if not null.</param>
    /// <param name="handler">The handler of requests; disposed with this. It must not follow
    /// redirects.</param>
    public HubClient(Uri? endpoint = null, string? token = null, HttpMessageHandler? handler = null)
    {
        endpoint ??= PublicEndpoint;
        Endpoint = endpoint.AbsoluteUri.EndsWith('/') ? endpoint : new Uri(endpoint.AbsoluteUri + "/");
        this.token = token;
        http = new HttpClient(handler ?? new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            ConnectTimeout = TimeSpan.FromSeconds(10)
        })
        { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("nano", "0.1"));
    }

    /// <summary>The hub's address, with a slash at its end.</summary>
    public Uri Endpoint { get; }

    /// <summary>The longest wait for an answer, and then for each next piece of it.</summary>
    internal TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The delay before the first retry; it doubles with each further one.</summary>
    internal TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The longest that a server's own wish to be left alone is heeded; beyond it, the person is told and
    /// decides.
    /// </summary>
    internal TimeSpan LongestWait { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The time for which a server may send less than <see cref="RateFloor.BytesPerSecond"/>.
    /// </summary>
    internal TimeSpan RateWindow { get; init; } = RateFloor.Usual;

    /// <summary>A hub's address from an option or the environment.</summary>
    /// <exception cref="NanoException">It is not one.</exception>
    public static Uri ParseEndpoint(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
        ? uri : throw new NanoException($"{Quoted.Of(text)} is not the address of a hub",
            $"an address looks like {PublicEndpoint}");

    /// <summary>The commit that a revision of a model stands for: 40 hexadecimal digits.</summary>
    /// <exception cref="NanoException">There is no such model or revision, it may not be had, or
    /// the hub cannot be reached.</exception>
    public async Task<string> ResolveAsync(HubModelName name, CancellationToken cancellation)
    {
        var (json, _) = await GetJsonAsync(new Uri(Endpoint,
            $"api/models/{name.Id}/revision/{Uri.EscapeDataString(name.Revision)}"), name, cancellation)
            .ConfigureAwait(false);
        using (json)
            return Read(name, () => Text(json.RootElement, "sha") is { } commit && CommitForm().IsMatch(commit)
                ? commit : throw Strange(name, "it names no commit"));
    }

    /// <summary>All files of a commit.</summary>
    /// <exception cref="NanoException">As <see cref="ResolveAsync"/>.</exception>
    public async Task<IReadOnlyList<HubFile>> ListAsync(HubModelName name, string commit,
        CancellationToken cancellation)
    {
        var files = new List<HubFile>();
        Uri? page = new Uri(Endpoint, $"api/models/{name.Id}/tree/{commit}?recursive=1");
        for (int pages = 0; page is not null; pages++)
        {
            if (pages == MaxPages)
                throw Strange(name, $"its list of files has more than {MaxPages} pages");
            var (json, next) = await GetJsonAsync(page, name, cancellation).ConfigureAwait(false);
            using (json)
            {
                if (json.RootElement.ValueKind != JsonValueKind.Array)
                    throw Strange(name, "its list of files is not a list");
                files.AddRange(Read(name, () => json.RootElement.EnumerateArray()
                    .Where(entry => Text(entry, "type") == "file")
                    .Select(entry => ReadFile(entry) ?? throw Strange(name, "a file has no path, size or digest"))
                    .ToList()));
            }
            page = next;
        }
        return files;
    }

    /// <summary>The address of a file's content.</summary>
    internal Uri UrlOf(HubModelName name, string commit, HubFile file) =>
        new(Endpoint, $"{name.Id}/resolve/{commit}/"
            + string.Join('/', file.Name.Split('/').Select(Uri.EscapeDataString)));

    /// <summary>
    /// Asks for a resource, or what of it begins at a byte. Waits for the head of the answer, not
    /// for its body.
    /// </summary>
    /// <returns>The answer, whose status is 200, 206 or 416.</returns>
    /// <exception cref="HubRetryException">Something that may be better another time.</exception>
    /// <exception cref="NanoException">A refusal.</exception>
    internal async Task<HttpResponseMessage> GetAsync(Uri url, long from, HubModelName name,
        CancellationTokenSource stall)
    {
        for (int redirects = 0; redirects < MaxRedirects; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url);
            if (from > 0)
                request.Headers.Range = new RangeHeaderValue(from, null);
            if (token is not null && IsHub(url))
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            stall.CancelAfter(StallTimeout);
            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token)
                .ConfigureAwait(false);
            if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent
                or HttpStatusCode.RequestedRangeNotSatisfiable)
                return response;
            using (response)
            {
                if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308))
                    throw Refusal(response, name);
                var location = response.Headers.Location ?? throw Strange(name, "it redirects to nowhere");
                url = Uri.TryCreate(url, location, out var next) && next.Scheme is "http" or "https"
                    && !(url.Scheme == "https" && next.Scheme == "http")
                    ? next : throw Strange(name, "it redirects to an unsafe address");
            }
        }
        throw Strange(name, $"it redirects more than {MaxRedirects} times");
    }

    /// <summary>
    /// Does something until it succeeds, fails for good, or has failed too often for a passing
    /// reason.
    /// </summary>
    /// <param name="attempt">Tells by a <see cref="HubRetryException"/> that another time may be better.</param>
    /// <param name="exhausted">The error when there has been no progress five times.</param>
    /// <param name="cancellation">Cancels.</param>
    internal async Task RetryAsync(Func<CancellationTokenSource, Task> attempt,
        Func<HubRetryException, NanoException> exhausted, CancellationToken cancellation)
    {
        for (int failures = 0; ;)
        {
            using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            HubRetryException passing;
            try
            {
                await attempt(stall).ConfigureAwait(false);
                return;
            }
            catch (HubRetryException e)
            {
                passing = e;
            }
            catch (HttpRequestException e)
            {
                passing = new HubRetryException(Downloader.Explain(e), e);
            }
            catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
            {
                passing = new HubRetryException(Downloader.Explain(e, StallTimeout), e);
            }
            failures = passing.MadeProgress ? 1 : failures + 1;
            if (passing.Wait is { } wish && (wish > LongestWait || failures == 5))
                throw exhausted(new HubRetryException(FormattableString.Invariant(
                    $"{passing.Message}; it asks to wait {wish.TotalSeconds:N0} s before the next try"), passing));
            if (failures == 5)
                throw exhausted(passing);
            await Task.Delay(passing.Wait ?? RetryDelay * (1 << (failures - 1)), cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Closes connections.</summary>
    public void Dispose() => http.Dispose();

    private async Task<(JsonDocument Json, Uri? Next)> GetJsonAsync(Uri url, HubModelName name,
        CancellationToken cancellation)
    {
        (JsonDocument, Uri?)? result = null;
        await RetryAsync(async stall =>
        {
            using var response = await GetAsync(url, 0, name, stall).ConfigureAwait(false);
            using var body = await response.Content.ReadAsStreamAsync(stall.Token).ConfigureAwait(false);
            using var bytes = new MemoryStream();
            byte[] chunk = new byte[1 << 16];
            var answer = BodyOf(body, stall);
            while (await answer.ReadAsync(chunk).ConfigureAwait(false) is > 0 and var count)
            {
                bytes.Write(chunk, 0, count);
                if (bytes.Length > MaxJsonBytes)
                    throw Strange(name, "its answer does not end");
            }
            result = (ParseJson(bytes.ToArray(), name), NextPage(url, response));
        },
        e => new NanoException($"cannot ask {Endpoint} for '{name}': {e.Message}",
            "try again later; `endpoint` or HF_ENDPOINT names another hub", e), cancellation).ConfigureAwait(false);
        return result!.Value;
    }

    /// <summary>A body whose failures are worth another try.</summary>
    internal ResponseBody BodyOf(Stream body, CancellationTokenSource stall) =>
        new(body, StallTimeout, RateWindow, stall, (reason, cause) => new HubRetryException(reason, cause));

    private JsonDocument ParseJson(byte[] utf8, HubModelName name)
    {
        try
        {
            return JsonDocument.Parse(utf8);
        }
        catch (JsonException e)
        {
            throw Strange(name, $"its answer is not JSON: {Quoted.Reason(e)}");
        }
    }

    /// <summary>Reads an answer; strings in it that are not valid Unicode are found out when they are read.</summary>
    private T Read<T>(HubModelName name, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException)
        {
            throw Strange(name, "it holds a string that is not valid Unicode");
        }
    }

    /// <summary>The address in the header Link: &lt;address&gt;; rel="next".</summary>
    private Uri? NextPage(Uri url, HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues("Link", out var links))
            return null;
        var match = links.Select(link => NextForm().Match(link)).FirstOrDefault(match => match.Success);
        return match is not null && Uri.TryCreate(url, match.Groups[1].Value, out var next) && IsHub(next)
            ? next : null;
    }

    /// <summary>True if an address is on the hub itself.</summary>
    private bool IsHub(Uri url) =>
        Uri.Compare(url, Endpoint, UriComponents.SchemeAndServer, UriFormat.UriEscaped,
            StringComparison.OrdinalIgnoreCase) == 0;

    private static HubFile? ReadFile(JsonElement entry)
    {
        bool isLarge = entry.TryGetProperty("lfs", out var lfs) && lfs.ValueKind == JsonValueKind.Object;
        string? digest = Text(isLarge ? lfs : entry, "oid"), path = Text(entry, "path");
        bool hasSize = (isLarge ? lfs : entry).TryGetProperty("size", out var size)
            && size.ValueKind == JsonValueKind.Number && size.TryGetInt64(out _);
        return path is not null && hasSize && size.GetInt64() >= 0 && digest is not null
            && digest.Length == (isLarge ? 64 : 40) && digest.All(char.IsAsciiHexDigitLower)
            ? new HubFile(path, size.GetInt64(), digest, isLarge) : null;
    }

    private static string? Text(JsonElement element, string property) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(property, out var value)
            && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private NanoException Strange(HubModelName name, string problem) =>
        new($"{Endpoint} gives a strange answer for '{name}': {problem}",
            "try again later; `endpoint` or HF_ENDPOINT names another hub");

    private Exception Refusal(HttpResponseMessage response, HubModelName name)
    {
        string code = response.Headers.TryGetValues("X-Error-Code", out var codes) ? codes.First() : "";
        string answer = FormattableString.Invariant(
            $"{Endpoint} answers {(int)response.StatusCode} ({Quoted.Plain(response.ReasonPhrase)})");
        return (int)response.StatusCode switch
        {
            404 when code == "RevisionNotFound" =>
                new NanoException($"the model '{name.Id}' has no revision '{name.Revision}'",
                    "leave out @REVISION for the newest"),
            404 when code == "EntryNotFound" => new NanoException($"a file of '{name}' that the hub lists is not there",
                "try again later"),
            404 => new NanoException($"there is no model '{name}' at {Endpoint}",
                "check the name on the hub; upper and lower case count"),
            401 when token is null =>
                new NanoException($"{answer}: there is no model '{name}', or it is private or gated",
                    "check the name; if it is right, set HF_TOKEN to a token of an account that may have it"),
            401 => new NanoException($"{answer}: the token in HF_TOKEN is not accepted for '{name}'",
                "check the token and the name"),
            403 => new NanoException($"{answer}: the model '{name}' is gated",
                $"ask for access on {new Uri(Endpoint, name.Id)}, then set HF_TOKEN to a token of that account"),
            408 or 429 or >= 500 => new HubRetryException(answer) { Wait = WaitOf(response) },
            _ => new NanoException($"{answer} for '{name}'", "try again later"),
        };
    }

    /// <summary>
    /// The delay that the header Retry-After asks for, in seconds or until a time; null without the
    /// header.
    /// </summary>
    private static TimeSpan? WaitOf(HttpResponseMessage response)
    {
        var wish = response.Headers.RetryAfter;
        var wait = wish?.Delta ?? wish?.Date - DateTimeOffset.UtcNow;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    [GeneratedRegex(@"^[0-9a-f]{40}\z")]
    private static partial Regex CommitForm();

    [GeneratedRegex("<([^>]*)>\\s*;\\s*rel=\"next\"")]
    private static partial Regex NextForm();
}
