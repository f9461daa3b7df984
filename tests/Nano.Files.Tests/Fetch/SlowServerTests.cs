using System.Diagnostics;

namespace Nano.Tests;

/// <summary>A corpus from a server that sends a byte now and then.</summary>
public class SlowServerTests
{
    [Fact]
    public async Task It_is_given_up_and_nothing_is_left()
    {
        using var folder = new TempFolder();
        using var server = new LocalServer(request =>
        {
            request.Send("a"u8, 1_000_000);
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(10); Thread.Sleep(5))
                request.More("a"u8);
        });
        using var downloader = new Downloader(new SocketsHttpHandler { UseProxy = false })
        {
            StallTimeout = TimeSpan.FromSeconds(5),
            RateWindow = TimeSpan.FromSeconds(0.1),
        };
        var file = new DataFile("corpus.txt", server.Root, 1_000_000, new string('0', 64));
        var e = await Assert.ThrowsAsync<DownloadException>(() =>
            downloader.DownloadAsync(file, folder.File("corpus.txt"), null, default));
        Assert.Contains("the server is too slow", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(folder.Root));
    }
}
