using System.Diagnostics;
using System.Text;

namespace Nano.Tests;

/// <summary>Hubs that waste time, answers that hold no text, and links where files should be.</summary>
public sealed partial class ModelPullTests
{
    [Theory]
    [InlineData("{\"sha\":\"\\ud800\"}", "not valid Unicode")]
    [InlineData("{\"\\ud800\":1,\"sha\":null}", "")]
    [InlineData("{\"sha\":null}", "names no commit")]
    [InlineData("null", "names no commit")]
    public async Task A_commit_that_is_no_text_is_named(string json, string words)
    {
        hub.Instead = request =>
        {
            request.Send(Encoding.UTF8.GetBytes(json), json.Length);
            return true;
        };
        await FailsAsync(words);
    }

    [Theory]
    [InlineData("[{\"type\":\"\\udc00\"}]", "not valid Unicode")]
    [InlineData("[{\"type\":\"file\",\"path\":\"\\ud800.json\",\"size\":1,\"oid\":\"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"}]", "not valid Unicode")]
    [InlineData("[{\"type\":\"file\",\"path\":\"config.json\",\"size\":1,\"oid\":\"\\ud83d\"}]", "not valid Unicode")]
    [InlineData("[{\"type\":\"file\",\"path\":null,\"size\":1,\"oid\":\"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"}]",
        "no path, size or digest")]
    [InlineData("[{\"type\":\"file\",\"path\":\"config.json\",\"size\":null,\"oid\":null,\"lfs\":null}]",
        "no path, size or digest")]
    [InlineData("[{\"type\":null}]", "has no config.json")]
    public async Task A_list_that_is_no_text_is_named(string json, string words)
    {
        hub.Instead = request =>
        {
            bool list = request.Path.Contains("/tree/", StringComparison.Ordinal);
            if (list)
                request.Send(Encoding.UTF8.GetBytes(json), json.Length);
            return list;
        };
        await FailsAsync(words);
    }

    [Theory]
    [InlineData("{\"weight_map\":{\"a\":null}}", "the file of 'a' is not a string")]
    [InlineData("{\"weight_map\":{\"a\":\"\\ud800\"}}", "not valid Unicode")]
    [InlineData("{\"weight_map\":null}", "no object 'weight_map'")]
    [InlineData("[]", "no object 'weight_map'")]
    [InlineData("{", "not valid JSON")]
    public async Task An_index_that_names_no_files_is_refused(string index, string words)
    {
        using var sharded = new FakeHub();
        sharded.Add("config.json", "{}");
        sharded.Add("model.safetensors.index.json", index);
        var e = await Assert.ThrowsAsync<BadFileException>(() => PullFromAsync(sharded.Root, "o/m"));
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_with_escapes_and_kilobytes_are_shown_short_and_visible()
    {
        using var evil = new FakeHub();
        evil.Add("\x1b[2J\n" + new string('x', 5000) + ".gguf", "abc");
        foreach (string[] files in (string[][])[[], ["\x1b[2J\n" + new string('x', 5000) + ".gguf"], ["\x1b\nno"]])
        {
            var e = await Assert.ThrowsAnyAsync<NanoException>(() => PullFromAsync(evil.Root, "o/m", files: files));
            Assert.All((string[])[e.Message, e.Hint ?? ""], text => Assert.DoesNotContain(text, char.IsControl));
            Assert.All((string[])[e.Message, e.Hint ?? ""], text => Assert.InRange(text.Length, 0, 1000));
        }
    }

    /// <summary>
    /// The wish goes beyond the bound, so nothing is waited for: a test that waited would take an hour.
    /// </summary>
    [Theory]
    [InlineData("Retry-After: 3600", "it asks to wait 3,600 s")]
    [InlineData("Retry-After: Tue, 31 Dec 2199 23:59:59 GMT", "it asks to wait ")]
    public async Task A_long_wait_that_a_server_asks_for_is_said_and_not_waited_for(string header, string words)
    {
        LeavePart(300_000);
        hub.Instead = request =>
        {
            bool weights = request.Path.EndsWith(".safetensors", StringComparison.Ordinal);
            if (weights)
                request.Send("no"u8, 2, 429, header);
            return weights;
        };
        var e = await FailsAsync("cannot download 'model.safetensors'");
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.Contains("300,000 of 1,000,000 bytes are kept", e.Hint, StringComparison.Ordinal);
        Assert.Equal(300_000, new FileInfo(Path.Combine(Folder, "model.safetensors.part")).Length);
        hub.Instead = null;
        await PullAsync();
        AssertWhole();
    }

    /// <summary>A byte every few milliseconds never stalls, and would take an hour for the file.</summary>
    [Fact]
    public async Task A_server_that_sends_a_byte_now_and_then_is_given_up()
    {
        int tries = 0;
        hub.Instead = request =>
        {
            bool weights = request.Path.EndsWith(".safetensors", StringComparison.Ordinal);
            if (weights)
            {
                tries++;
                request.Send("a"u8, MillionA.Length);
                Drip(request);
            }
            return weights;
        };
        using var client = new HubClient(hub.Root, null,
            new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
        {
            StallTimeout = TimeSpan.FromSeconds(5),
            RetryDelay = TimeSpan.Zero,
            RateWindow = TimeSpan.FromSeconds(0.1),
        };
        var e = await Assert.ThrowsAnyAsync<NanoException>(() =>
            new ModelPull(client, temp.Root).PullAsync(HubModelName.Parse("o/m"), [], null, default));
        Assert.Contains("the server is too slow", e.Message, StringComparison.Ordinal);
        Assert.Equal(5, tries);
    }

    /// <summary>
    /// Sends a byte every few milliseconds until the client has enough, which the connection shows by an
    /// exception.
    /// </summary>
    static void Drip(LocalRequest request)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(10);)
        {
            Thread.Sleep(5);
            request.More("a"u8);
        }
    }

    [Theory]
    [InlineData("model.safetensors.part")]
    [InlineData("config.json.part")]
    public async Task A_link_in_place_of_a_part_is_refused(string part)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links take rights on Windows");
        string victim = temp.File("victim");
        File.WriteAllText(victim, "mine");
        Directory.CreateDirectory(Folder);
        File.CreateSymbolicLink(Path.Combine(Folder, part), victim);
        var e = await FailsAsync("is a link, and a download follows none");
        Assert.Contains(part, e.Message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(victim));
        File.Delete(victim); // a link to nothing is one too
        await FailsAsync("is a link, and a download follows none");
        Assert.False(File.Exists(victim));
    }

    [Fact]
    public async Task A_link_in_place_of_the_file_is_replaced_and_not_followed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links take rights on Windows");
        string victim = temp.File("victim");
        File.WriteAllText(victim, "mine");
        Directory.CreateDirectory(Folder);
        File.CreateSymbolicLink(Path.Combine(Folder, "config.json"), victim);
        await PullAsync();
        Assert.Equal("mine", File.ReadAllText(victim));
        Assert.Null(new FileInfo(Path.Combine(Folder, "config.json")).LinkTarget);
        File.Delete(victim);
        AssertWhole();
    }

    [Fact]
    public async Task A_link_in_place_of_a_folder_in_the_model_is_refused()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links take rights on Windows");
        using var nested = new FakeHub();
        nested.Add("config.json", "{}");
        nested.Add("sub/deep/model.safetensors", "abc"u8.ToArray(), Abc, true);
        string elsewhere = Directory.CreateDirectory(temp.File("elsewhere")).FullName;
        Directory.CreateDirectory(Path.Combine(Folder, "sub"));
        Directory.CreateSymbolicLink(Path.Combine(Folder, "sub", "deep"), elsewhere);
        var e = await Assert.ThrowsAnyAsync<NanoException>(() =>
            PullFromAsync(nested.Root, "o/m", files: ["sub/deep/model.safetensors"]));
        Assert.Contains("is a link", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(elsewhere));
        Directory.Delete(Path.Combine(Folder, "sub", "deep"));
        await PullFromAsync(nested.Root, "o/m", files: ["sub/deep/model.safetensors"]);
        Assert.Equal("abc", File.ReadAllText(Path.Combine(Folder, "sub", "deep", "model.safetensors")));
    }
}
