using System.Text;

namespace Nano.Tests;

/// <summary>
/// Downloads from a server that misbehaves. Content and digest are a test vector of FIPS 180-2: a
/// million times "a".
/// </summary>
public class DownloadTests
{
    const string Digest = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    static readonly byte[] Content = Encoding.ASCII.GetBytes(new string('a', 1_000_000));

    static CorpusStore Store(TempFolder folder, Uri server, TimeSpan? stall = null,
        HttpMessageHandler? handler = null) =>
        new(folder.Root, [new("sample", DataKind.Corpus, "a million a", "none",
            [new("sub/a.txt", new Uri(server, "some/where/a"), Content.Length, Digest)])],
            new Downloader(handler ?? Direct()) { StallTimeout = stall ?? TimeSpan.FromSeconds(20) });

    static SocketsHttpHandler Direct() => new() { UseProxy = false };

    static async Task FailsAsync(Action<LocalRequest> answer, string expected, TimeSpan? stall = null)
    {
        using var folder = new TempFolder();
        using var server = new LocalServer(answer, thenStall: stall is not null);
        using var store = Store(folder, server.Root, stall);
        var e = await Assert.ThrowsAnyAsync<NanoException>(() => store.FetchAsync("sample"));
        Assert.Contains("'sub/a.txt'", e.Message, StringComparison.Ordinal);
        Assert.Contains(server.Root.ToString(), e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Hint);
        Assert.Empty(Directory.GetFiles(folder.Root, "*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_right_file_arrives_whole_and_is_not_asked_for_again(bool announced)
    {
        using var folder = new TempFolder();
        using var server = new LocalServer(request =>
            request.Send(Content, announced ? Content.Length : null, request.Path == "/some/where/a" ? 200 : 404));
        using var store = Store(folder, server.Root);
        var progress = new Recorder();
        for (int time = 0; time < 2; time++)
            Assert.Equal([folder.File("sub/a.txt")], await store.FetchAsync("sample", progress));
        Assert.Equal(1, server.Requests);
        Assert.Equal([folder.File("sub/a.txt")], Directory.GetFiles(folder.Root, "*", SearchOption.AllDirectories));
        Assert.Equal(Content, await File.ReadAllBytesAsync(folder.File("sub/a.txt")));
        Assert.Equal(new DownloadProgress("sub/a.txt", 1_000_000, 1_000_000), progress.Reports[^1]);
        Assert.Equal(progress.Reports.Select(report => report.Bytes).Order(),
            progress.Reports.Select(report => report.Bytes));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(500)]
    public Task A_refusal_is_named(int status) => FailsAsync(
        request => request.Send("sorry"u8, null, status),
        $"answers {status}");

    [Fact]
    public Task A_wrong_digest_names_both()
    {
        byte[] other = [.. Content];
        other[777_777] = (byte)'b';
        return FailsAsync(request => request.Send(other, other.Length),
            $"expected sha256 {Digest}, got "
            + $"{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(other))}");
    }

    [Fact]
    public Task A_connection_that_drops_midway() => FailsAsync(
        request =>
        {
            request.Send(Content.AsSpan(0, 600_000), Content.Length);
            request.Abort();
        },
        "the connection broke");

    [Fact]
    public Task A_file_that_ends_early() =>
        FailsAsync(request => request.Send(Content.AsSpan(0, 600_000)), "ended after 600,000 of 1,000,000 bytes");

    [Fact]
    public Task More_bytes_than_stated_are_not_read() => FailsAsync(
        request =>
        {
            request.Send(Content);
            for (int more = 0; more < 1000; more++) // the client hangs up long before
                request.More(Content);
        },
        "more than the expected 1,000,000 bytes");

    [Fact]
    public Task Another_length_is_refused_before_anything_is_read() =>
        FailsAsync(request => request.Send(Content.AsSpan(0, 10), 10), "has 10 bytes where 1,000,000 are expected");

    [Fact]
    public Task A_server_that_stalls_is_given_up() => FailsAsync(
        request => request.Send(Content.AsSpan(0, 1000), Content.Length),
        "nothing came from the server for 0.2 s",
        stall: TimeSpan.FromSeconds(0.2));

    [Fact]
    public async Task A_slow_download_can_be_cancelled()
    {
        using var folder = new TempFolder();
        using var cancel = new CancellationTokenSource();
        using var server = new LocalServer(request => request.Send(Content.AsSpan(0, 500_000), Content.Length),
            thenStall: true);
        using var store = Store(folder, server.Root);
        var progress = new Recorder { WhenReported = () => cancel.CancelAfter(50) };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            store.FetchAsync("sample", progress, cancel.Token));
        Assert.NotEmpty(progress.Reports);
        Assert.Empty(Directory.GetFiles(folder.Root, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_server_that_is_not_there()
    {
        using var folder = new TempFolder();
        using var store = Store(folder, LocalServer.Nowhere);
        var e = await Assert.ThrowsAnyAsync<NanoException>(() => store.FetchAsync("sample"));
        Assert.Contains("no network", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public async Task A_connection_that_never_comes_up_times_out()
    {
        using var folder = new TempFolder();
        var handler = Direct();
        handler.ConnectTimeout = TimeSpan.FromSeconds(0.1);
        handler.ConnectCallback = async (_, cancellation) =>
        {
            await Task.Delay(Timeout.Infinite, cancellation);
            return Stream.Null;
        };
        using var store = Store(folder, LocalServer.Nowhere, handler: handler);
        var e = await Assert.ThrowsAnyAsync<NanoException>(() => store.FetchAsync("sample"));
        Assert.Contains("cannot be reached in time", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_named()
    {
        using var folder = new TempFolder();
        using var server = new LocalServer(request => request.Send(Content, Content.Length));
        await File.WriteAllTextAsync(folder.File("sub"), "a file where the folder should be");
        using var store = Store(folder, server.Root);
        var e = await Assert.ThrowsAnyAsync<NanoException>(() => store.FetchAsync("sample"));
        Assert.Contains(folder.File("sub"), e.Message, StringComparison.Ordinal);
        Assert.Contains("NANO_DATA", e.Hint, StringComparison.Ordinal);
    }

    sealed class Recorder : IProgress<DownloadProgress>
    {
        public List<DownloadProgress> Reports { get; } = [];

        public Action? WhenReported { get; init; }

        public void Report(DownloadProgress value)
        {
            Reports.Add(value);
            WhenReported?.Invoke();
        }
    }
}
