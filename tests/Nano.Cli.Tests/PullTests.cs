using System.Text;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano pull as a program; how it copes with what a hub does wrong is tested in Nano.Train.Tests.</summary>
public sealed class PullTests : IDisposable
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TempFolder temp = new();
    private readonly LocalServer hub = new(Answer);

    public void Dispose()
    {
        hub.Dispose();
        temp.Dispose();
    }

    /// <summary>
    /// A hub with the model o/m, whose two files are "hello world\n" (with git's digest of it) and
    /// "abc" (with that of FIPS 180-2).
    /// </summary>
    private static void Answer(LocalRequest request)
    {
        string? body = request.Path switch
        {
            "/api/models/o/m/revision/main" => $$"""{"sha": "{{Commit}}"}""",
            $"/api/models/o/m/tree/{Commit}?recursive=1" => """
                [{"type": "file", "path": "config.json", "size": 12, "oid": "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"},
                 {"type": "file", "path": "model.safetensors", "size": 3, "oid": "0", "lfs": {"size": 3, "oid": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}}]
                """,
            $"/o/m/resolve/{Commit}/config.json" => "hello world\n",
            $"/o/m/resolve/{Commit}/model.safetensors" => "abc",
            _ => null,
        };
        byte[] bytes = Encoding.UTF8.GetBytes(body ?? "no");
        request.Send(bytes, bytes.Length, body is null ? 404 : 200);
    }

    private CliResult Pull(string[] args, string? endpoint = null) =>
        Cli.Run(["pull", .. args], null, new()
        {
            ["NANO_DATA"] = temp.Root,
            ["no_proxy"] = "127.0.0.1",
            ["HF_ENDPOINT"] = endpoint ?? hub.Root.ToString(),
            ["HF_TOKEN"] = ""
        });

    [Fact]
    public void A_model_arrives_in_the_data_folder()
    {
        string folder = Path.Combine(temp.Root, "models", "o", "m");
        var result = Pull(["o/m", "--json"]).Succeeds();
        Assert.Equal(["name", "commit", "folder", "files", "fetched_bytes"], result.JsonKeys);
        Assert.Equal((Commit, folder, 15),
            (result.Json.GetProperty("commit").GetString(), result.Json.GetProperty("folder").GetString(), result.Json
                .GetProperty("fetched_bytes").GetInt32()));
        Assert.Contains("download model.safetensors: 3 of 3 bytes", result.Error, StringComparison.Ordinal);
        Assert.Equal("abc", File.ReadAllText(Path.Combine(folder, "model.safetensors")));
        Assert.Contains("0 bytes were fetched", Pull(["o/m"]).Succeeds().Out, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_is_an_error()
    {
        Pull(["o/n"]).Fails(1, $"there is no model 'o/n' at {hub.Root}", "hint: check the name");
        Pull(["o/m/n"]).Fails(1, "'o/m/n' is not the name of a model", "hint: a name is OWNER/MODEL");
        Pull(["o/m", "--file", "x"]).Fails(1, "'o/m' has no file 'x'", "hint: ");
        Pull(["o/m"], "nowhere").Fails(1, "'nowhere' is not the address of a hub");
        Pull(["o/m", "--endpoint", "ftp://nowhere"]).Fails(1, "'ftp://nowhere' is not the address of a hub");
        Pull([]).Fails(2, "hint: see 'nano pull --help'");
    }
}
