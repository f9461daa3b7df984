using System.Text;

namespace Nano.Tests;

/// <summary>
/// nano pull from a hub that misbehaves. Contents and digests are published: FIPS 180-2's "abc" and
/// a million times "a", and git's of "hello world\n" and of nothing.
/// </summary>
public sealed partial class ModelPullTests : IDisposable
{
    const string Million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
        Abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        Hello = "3b18e512dba79e4c8300dd08aeb37f8e728b8dad", Nothing = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

    const string Weights = FakeHub.Commit + "/model.safetensors";

    static readonly byte[] MillionA = Encoding.ASCII.GetBytes(new string('a', 1_000_000));

    readonly TempFolder temp = new();
    readonly FakeHub hub = new();

    public ModelPullTests()
    {
        hub.Add("config.json", "hello world\n"u8.ToArray(), Hello, false);
        hub.Add("generation_config.json", [], Nothing, false);
        hub.Add("README.md", "not needed");
        hub.Add("model.safetensors", MillionA, Million, true);
    }

    public void Dispose()
    {
        hub.Dispose();
        temp.Dispose();
    }

    string Folder => Path.Combine(temp.Root, "models", "o", "m");

    string[] FilesThere => [.. Directory.EnumerateFiles(temp.Root, "*", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(temp.Root, file).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    Task<PulledModel> PullAsync(string name = "o/m", string? token = null, string[]? files = null,
        IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default) =>
        PullFromAsync(hub.Root, name, token, files, progress, cancellation);

    async Task<PulledModel> PullFromAsync(Uri endpoint, string name, string? token = null, string[]? files = null,
        IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var client = new HubClient(endpoint, token, new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false
        })
        { StallTimeout = TimeSpan.FromSeconds(5), RetryDelay = TimeSpan.Zero };
        return await new ModelPull(client, temp.Root)
            .PullAsync(HubModelName.Parse(name), files ?? [], progress, cancellation);
    }

    async Task<NanoException> FailsAsync(string words, string name = "o/m", string? token = null,
        string[]? files = null)
    {
        var e = await Assert.ThrowsAnyAsync<NanoException>(() => PullAsync(name, token, files));
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Hint);
        return e;
    }

    void AssertWhole()
    {
        Assert.Equal(["models/o/m/config.json", "models/o/m/generation_config.json", "models/o/m/model.safetensors"],
            FilesThere);
        Assert.Equal("hello world\n", File.ReadAllText(Path.Combine(Folder, "config.json")));
        Assert.Equal(MillionA, File.ReadAllBytes(Path.Combine(Folder, "model.safetensors")));
    }

    [Fact]
    public async Task A_model_arrives_whole_and_is_not_fetched_again()
    {
        var model = await PullAsync();
        AssertWhole();
        Assert.Equal((Folder, FakeHub.Commit, 1_000_012L), (model.Folder, model.Commit, model.FetchedBytes));
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors"],
            model.Files.Select(file => file.Name));
        Assert.Equal(2, hub.Downloads.Count()); // an empty file needs none

        Assert.Equal(0, (await PullAsync("o/m@refs/pr/1")).FetchedBytes);
        Assert.Equal(2, hub.Downloads.Count());

        File.WriteAllText(Path.Combine(Folder, "config.json"), "hello WORLD\n"); // the same size
        Assert.Equal(12, (await PullAsync()).FetchedBytes);
        AssertWhole();
    }

    [Fact]
    public async Task Shards_are_those_the_index_names()
    {
        using var sharded = new FakeHub();
        sharded.Add("config.json", "{}");
        sharded.Add("model.safetensors.index.json",
            """{"metadata":{},"weight_map":{"b":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}}""");
        sharded.Add("model-00001-of-00002.safetensors", "abc"u8.ToArray(), Abc, true);
        sharded.Add("model-00002-of-00002.safetensors", MillionA, Million, true);
        sharded.Add("model-00003-of-00002.safetensors", [], Nothing, false);
        var model = await PullFromAsync(sharded.Root, "o/m");
        Assert.Equal(["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors"], model.Files.Select(file => file.Name));
        Assert.Equal("abc", File.ReadAllText(Path.Combine(Folder, "model-00001-of-00002.safetensors")));
    }

    [Fact]
    public async Task A_dropped_connection_is_taken_up_again()
    {
        hub.Instead = Drops(300_000);
        await PullAsync();
        AssertWhole();
        Assert.Equal([Weights, Weights + " bytes=300000-", Weights + " bytes=600000-", Weights + " bytes=900000-"],
            hub.Downloads.Where(line => line.StartsWith(Weights, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_connection_that_breaks_is_taken_up_again()
    {
        int times = 0;
        hub.Instead = request =>
        {
            bool breaks = request.Path.EndsWith(".safetensors", StringComparison.Ordinal) && times++ < 3;
            if (breaks)
            {
                hub.Send(request, 200_000);
                request.Abort();
            }
            return breaks;
        };
        await PullAsync();
        AssertWhole();
        Assert.Equal(4, times);
    }

    Func<LocalRequest, bool> Drops(int after) => request =>
    {
        bool drop = request.Path.EndsWith(".safetensors", StringComparison.Ordinal);
        if (drop)
            hub.Send(request, after);
        return drop;
    };

    [Fact]
    public async Task What_has_arrived_serves_the_next_run()
    {
        hub.Instead = Drops(100_000);
        var e = await FailsAsync("cannot download 'model.safetensors' of 'o/m'");
        Assert.Contains("500,000 of 1,000,000 bytes are kept", e.Hint, StringComparison.Ordinal);
        Assert.Equal(["models/o/m/config.json", "models/o/m/generation_config.json",
            "models/o/m/model.safetensors.part"], FilesThere);
        hub.Instead = null;
        await PullAsync();
        AssertWhole();
        Assert.Equal(Weights + " bytes=500000-", hub.Downloads.Last());
    }

    [Fact]
    public async Task A_cancelled_pull_keeps_what_has_arrived()
    {
        using var stop = new CancellationTokenSource();
        hub.Instead = request =>
        {
            if (!request.Path.EndsWith(".safetensors", StringComparison.Ordinal))
                return false;
            request.Send(MillionA.AsSpan(0, 400_000), MillionA.Length);
            stop.CancelAfter(200);
            stop.Token.WaitHandle.WaitOne();
            return true;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => PullAsync(cancellation: stop.Token));
        Assert.InRange(new FileInfo(Path.Combine(Folder, "model.safetensors.part")).Length, 1, 400_000);
        hub.Instead = null;
        await PullAsync();
        AssertWhole();
    }

    [Theory]
    [InlineData("model.safetensors", "expected sha256 " + Million)]
    [InlineData("config.json", "expected git blob sha1 " + Hello)]
    public async Task A_wrong_digest_names_both_and_leaves_nothing(string name, string expected)
    {
        byte[] other = [.. hub[name]];
        other[^2] ^= 1;
        hub.Instead = request =>
        {
            bool wrong = request.Path.EndsWith(name, StringComparison.Ordinal);
            if (wrong)
                request.Send(other, other.Length);
            return wrong;
        };
        var e = await FailsAsync(expected);
        Assert.Contains(", got ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(FilesThere, file => file.Contains(name, StringComparison.Ordinal));
        hub.Instead = null;
        await PullAsync();
        AssertWhole();
    }

    [Fact]
    public async Task A_damaged_part_is_found_out_and_thrown_away()
    {
        Part(600_000)[5] = (byte)'b';
        await FailsAsync("the digest of");
        Assert.False(File.Exists(Path.Combine(Folder, "model.safetensors.part")));
        await PullAsync();
        AssertWhole();

        byte[] Part(int length)
        {
            byte[] content = MillionA[..length];
            content[5] = (byte)'b';
            Directory.CreateDirectory(Folder);
            File.WriteAllBytes(Path.Combine(Folder, "model.safetensors.part"), content);
            return content;
        }
    }

    [Fact]
    public async Task A_server_that_ignores_the_range_sends_all_of_it()
    {
        LeavePart(600_000);
        hub.Instead = request =>
        {
            bool weights = request.Path.EndsWith(".safetensors", StringComparison.Ordinal);
            if (weights)
                request.Send(MillionA, MillionA.Length);
            return weights;
        };
        await PullAsync();
        AssertWhole();
    }

    [Fact]
    public async Task A_range_that_is_refused_means_starting_anew()
    {
        LeavePart(600_000);
        hub.Instead = request =>
        {
            bool refuse = request.Headers.ContainsKey("range");
            if (refuse)
                request.Send("no"u8, 2, 416);
            return refuse;
        };
        await PullAsync();
        AssertWhole();
        Assert.Equal([Weights + " bytes=600000-", Weights],
            hub.Downloads.Where(line => line.StartsWith(Weights, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_part_that_is_too_long_or_whole_already()
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllBytes(Path.Combine(Folder, "model.safetensors.part"), [.. MillionA, 1]);
        await PullAsync();
        AssertWhole();
        File.Move(Path.Combine(Folder, "model.safetensors"), Path.Combine(Folder, "model.safetensors.part"));
        int before = hub.Downloads.Count();
        await PullAsync();
        AssertWhole();
        Assert.Equal(before, hub.Downloads.Count());
    }

    void LeavePart(int length)
    {
        Directory.CreateDirectory(Folder);
        File.WriteAllBytes(Path.Combine(Folder, "model.safetensors.part"), MillionA[..length]);
    }

    [Theory]
    [InlineData(416, "", "(416)")]
    [InlineData(503, "", "answers 503")]
    [InlineData(429, "Retry-After: 0", "answers 429")]
    [InlineData(404, "X-Error-Code: EntryNotFound", "that the hub lists is not there")]
    [InlineData(410, "", "answers 410")]
    public async Task A_file_that_is_refused(int status, string header, string words)
    {
        hub.Instead = request =>
        {
            bool weights = request.Path.EndsWith(".safetensors", StringComparison.Ordinal);
            if (weights)
                request.Send("no"u8, 2, status, header.Length > 0 ? [header] : []);
            return weights;
        };
        await FailsAsync(words);
        Assert.Equal(status is 404 or 410 ? 1 : 5,
            hub.Downloads.Count(line => line.StartsWith(Weights, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(404, "X-Error-Code: RepoNotFound", null, "there is no model 'o/m'", "check the name")]
    [InlineData(404, "X-Error-Code: RevisionNotFound", null, "the model 'o/m' has no revision 'main'", "newest")]
    [InlineData(401, "X-Error-Code: RepoNotFound", null, "there is no model 'o/m', or it is private or gated",
        "HF_TOKEN")]
    [InlineData(401, "X-Error-Code: GatedRepo", "t0ken", "the token in HF_TOKEN is not accepted", "check the token")]
    [InlineData(403, "X-Error-Code: GatedRepo", "t0ken", "the model 'o/m' is gated", "ask for access")]
    [InlineData(500, "", null, "answers 500", "try again later")]
    [InlineData(302, "", null, "redirects to nowhere", "try again later")]
    public async Task A_model_that_is_refused(int status, string header, string? token, string words, string hint)
    {
        hub.Instead = request =>
        {
            request.Send("no"u8, 2, status, header.Length > 0 ? [header] : []);
            return true;
        };
        var e = await FailsAsync(words, token: token);
        Assert.Contains(hint, e.Hint, StringComparison.Ordinal);
        Assert.DoesNotContain("t0ken", e.ToString(), StringComparison.Ordinal);
        Assert.Empty(FilesThere);
    }

    [Fact]
    public async Task A_server_that_falters_is_asked_again()
    {
        int times = 0;
        hub.Instead = request =>
        {
            bool falter = times++ % 2 == 0;
            if (falter)
                request.Send("later"u8, 5, 503);
            return falter;
        };
        await PullAsync();
        AssertWhole();
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_and_nowhere_else()
    {
        using var store = new FakeHub();
        store.Instead = request =>
        {
            request.Send(MillionA, MillionA.Length);
            return true;
        };
        hub.Instead = request =>
        {
            string? to = request.Path.EndsWith(".safetensors", StringComparison.Ordinal) ? $"{store.Root}blob"
                : request.Path.EndsWith("/config.json", StringComparison.Ordinal) ? "/elsewhere" : null;
            if (to is not null)
                request.Send([], 0, 302, $"Location: {to}");
            else if (request.Path == "/elsewhere")
                request.Send("hello world\n"u8, 12);
            return to is not null || request.Path == "/elsewhere";
        };
        await PullAsync(token: "t0ken");
        AssertWhole();
        Assert.All(hub.Log, line => Assert.EndsWith(" Bearer t0ken", line, StringComparison.Ordinal));
        Assert.Equal(["/blob"], store.Log);
        Assert.Contains(hub.Log, line => line.StartsWith("/elsewhere", StringComparison.Ordinal));
    }
}
