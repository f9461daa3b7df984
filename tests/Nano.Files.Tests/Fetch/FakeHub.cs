using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Nano.Tests;

/// <summary>A hub with one model, o/m, on the loopback address, whose misbehaviour the test chooses.</summary>
sealed class FakeHub : IDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    readonly Dictionary<string, (byte[] Content, string Digest, bool IsLarge)> files = [];
    readonly LocalServer server;

    public FakeHub(bool thenStall = false) => server = new LocalServer(Answer, thenStall);

    public Uri Root => server.Root;

    /// <summary>Every request so far: path, and Range and Authorization where there are any.</summary>
    public List<string> Log { get; } = [];

    /// <summary>Answers instead of the hub where it returns true.</summary>
    public Func<LocalRequest, bool>? Instead { get; set; }

    public IEnumerable<string> Downloads =>
        Log.Where(line => line.StartsWith("/o/m/resolve/", StringComparison.Ordinal))
            .Select(line => line["/o/m/resolve/".Length..]);

    public void Add(string name, byte[] content, string digest, bool isLarge) =>
        files[name] = (content, digest, isLarge);

    /// <summary>Adds a small text with the digest of git, computed as git's documentation says.</summary>
    public void Add(string name, string text)
    {
        byte[] content = Encoding.UTF8.GetBytes(text);
#pragma warning disable CA5350
        Add(name, content, Convert.ToHexStringLower(
            SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content])), false);
#pragma warning restore CA5350
    }

    public byte[] this[string name] => files[name].Content;

    public void Dispose() => server.Dispose();

    /// <summary>
    /// Sends a file from where it is asked for, or its beginning; the connection then ends too
    /// early.
    /// </summary>
    public void Send(LocalRequest request, int most = int.MaxValue)
    {
        byte[] content = files[request.Path[$"/o/m/resolve/{Commit}/".Length..]].Content;
        int from = request.Headers.TryGetValue("range", out string? range)
            ? int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture) : 0;
        var rest = content.AsSpan(from);
        request.Send(rest[..Math.Min(most, rest.Length)], rest.Length, from > 0 ? 206 : 200,
            from > 0 ? [$"Content-Range: bytes {from}-{content.Length - 1}/{content.Length}"] : []);
    }

    void Answer(LocalRequest request)
    {
        lock (Log)
            Log.Add(request.Path + (request.Headers.TryGetValue("range", out string? range) ? " " + range : "")
                + (request.Headers.TryGetValue("authorization", out string? token) ? " " + token : ""));
        if (Instead?.Invoke(request) == true)
            return;
        if (request.Path is "/api/models/o/m/revision/main" or "/api/models/o/m/revision/refs%2Fpr%2F1")
            Json(request, new { sha = Commit });
        else if (request.Path == $"/api/models/o/m/tree/{Commit}?recursive=1")
            Json(request, List());
        else if (request.Path.StartsWith($"/o/m/resolve/{Commit}/", StringComparison.Ordinal))
            Send(request);
        else
            request.Send("no"u8, 2, 404);
    }

    public static void Json(LocalRequest request, object value, params string[] headers)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(value);
        request.Send(json, json.Length, 200, headers);
    }

    /// <summary>The list of files as the hub writes it.</summary>
    public IEnumerable<object> List() => files.Select(file => file.Value.IsLarge
        ? (object)new
        {
            type = "file",
            oid = new string('0', 40),
            size = file.Value.Content.Length,
            path = file.Key,
            lfs = new { oid = file.Value.Digest, size = file.Value.Content.Length, pointerSize = 134 }
        }
        : new { type = "file", oid = file.Value.Digest, size = file.Value.Content.Length, path = file.Key })
        .Prepend(new { type = "directory", oid = new string('1', 40), size = 0, path = "onnx" });
}
