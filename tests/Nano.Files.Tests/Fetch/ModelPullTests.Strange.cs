using System.Text;

namespace Nano.Tests;

/// <summary>Answers that no hub should give, and hubs that give none.</summary>
public sealed partial class ModelPullTests
{
    [Fact]
    public async Task Redirects_end()
    {
        hub.Instead = request =>
        {
            request.Send([], 0, 307, "Location: /again");
            return true;
        };
        await FailsAsync("redirects more than 10 times");
    }

    [Theory]
    [InlineData("[]", "names no commit")]
    [InlineData("{\"sha\":\"../../x\"}", "names no commit")]
    [InlineData("{\"sha\":5}", "names no commit")]
    [InlineData("<html>", "not JSON")]
    [InlineData("", "not JSON")]
    public async Task A_strange_answer_is_named(string json, string words)
    {
        hub.Instead = request =>
        {
            request.Send(Encoding.UTF8.GetBytes(json), json.Length);
            return true;
        };
        await FailsAsync(words);
    }

    [Theory]
    [InlineData("{}", "is not a list")]
    [InlineData("[{\"type\":\"file\",\"path\":\"config.json\"}]", "no path, size or digest")]
    [InlineData("[{\"type\":\"file\",\"path\":\"config.json\",\"size\":-1,\"oid\":\"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"}]", "no path, size or digest")]
    [InlineData("[{\"type\":\"file\",\"path\":\"config.json\",\"size\":1,\"oid\":\"xyz\"}]", "no path, size or digest")]
    [InlineData("[{\"type\":\"file\",\"path\":\"config.json\",\"size\":1,\"oid\":\"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\",\"lfs\":{\"size\":5}}]", "no path, size or digest")]
    [InlineData("[5, null]", "has no config.json")]
    [InlineData("[]", "has no config.json")]
    public async Task A_strange_list_is_named(string json, string words)
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

    [Fact]
    public async Task A_list_of_several_pages()
    {
        hub.Instead = request =>
        {
            bool first = request.Path.EndsWith("?recursive=1", StringComparison.Ordinal),
                second = request.Path.EndsWith("cursor=2", StringComparison.Ordinal);
            if (first)
                FakeHub.Json(request, hub.List().Take(3),
                    $"Link: <{hub.Root}api/models/o/m/tree/{FakeHub.Commit}?recursive=1&cursor=2>; rel=\"next\"");
            else if (second)
                FakeHub.Json(request, hub.List().Skip(3));
            return first || second;
        };
        await PullAsync();
        AssertWhole();
    }

    [Theory]
    [InlineData("../evil.safetensors")]
    [InlineData("/evil.safetensors")]
    [InlineData("a/../../../evil.safetensors")]
    [InlineData("a\\..\\evil.safetensors")]
    [InlineData("c:evil.safetensors")]
    [InlineData(".hidden.safetensors")]
    [InlineData("a//evil.safetensors")]
    [InlineData("evil\n.safetensors")]
    public async Task A_name_that_would_leave_the_folder_is_refused(string name)
    {
        using var evil = new FakeHub();
        evil.Add("config.json", "{}");
        evil.Add("model.safetensors.index.json",
            System.Text.Json.JsonSerializer.Serialize(new { weight_map = new { a = name } }));
        evil.Add(name, "abc"u8.ToArray(), Abc, true);
        var e = await Assert.ThrowsAnyAsync<NanoException>(() => PullFromAsync(evil.Root, "o/m"));
        Assert.Contains("not a safe file name", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.Equal(["models/o/m/config.json", "models/o/m/model.safetensors.index.json"], FilesThere);
    }

    [Fact]
    public async Task More_or_less_than_stated_is_refused()
    {
        foreach (var (content, announced) in new[] { ((byte[])[.. MillionA, 1], 1_000_001L), (MillionA[..5], 5),
            ([.. MillionA, 1, 2], -1) })
        {
            hub.Instead = request =>
            {
                bool weights = request.Path.EndsWith(".safetensors", StringComparison.Ordinal);
                if (weights)
                    request.Send(content, announced < 0 ? null : announced);
                return weights;
            };
            await FailsAsync("1,000,000");
        }
    }

    [Fact]
    public async Task A_model_without_safetensors_says_what_it_has()
    {
        using var other = new FakeHub();
        other.Add("m-Q8_0.gguf", "abc"u8.ToArray(), Abc, true);
        var e = await Assert.ThrowsAnyAsync<NanoException>(() => PullFromAsync(other.Root, "o/m"));
        Assert.Contains("'m-Q8_0.gguf'", e.Hint, StringComparison.Ordinal);
        Assert.Equal(["m-Q8_0.gguf"], (await PullFromAsync(other.Root, "o/m", files: ["m-Q8_0.gguf"])).Files
            .Select(file => file.Name));
        Assert.Equal(["models/o/m/m-Q8_0.gguf"], FilesThere);
        e = await Assert.ThrowsAnyAsync<NanoException>(() => PullFromAsync(other.Root, "o/m", files: ["m-Q8_1.gguf"]));
        Assert.Contains("m-Q8_0.gguf", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_is_named()
    {
        File.WriteAllText(temp.File("models"), "in the way");
        var e = await FailsAsync(temp.File("models"));
        Assert.Contains("run the same command again", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hub_that_is_not_there_or_says_nothing()
    {
        var e = await Assert.ThrowsAnyAsync<NanoException>(() => PullFromAsync(LocalServer.Nowhere, "o/m"));
        Assert.Contains("no network", e.Message, StringComparison.Ordinal);
        using var silent = new LocalServer(_ => { }, thenStall: true);
        using var client = new HubClient(silent.Root, null, new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false
        })
        { StallTimeout = TimeSpan.FromSeconds(0.1), RetryDelay = TimeSpan.Zero };
        e = await Assert.ThrowsAnyAsync<NanoException>(() =>
            client.ResolveAsync(HubModelName.Parse("o/m"), CancellationToken.None));
        Assert.Contains("nothing came from the server for 0.1 s", e.Message, StringComparison.Ordinal);
    }
}
