using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>A text and a model so small that a whole run takes a fraction of a second.</summary>
internal static class Tiny
{
    private static readonly string[] Words = ["to be", "or not", "that is", "the question", "whether", "tis nobler",
        "in the mind", "to suffer"];

    public static readonly string[] Model = ["--layers", "1", "--heads", "2", "--channels", "16", "--seq", "16",
        "--batch", "4"];

    public static readonly string[] Options = [.. Model, "--steps", "20", "--eval-interval", "5"];

    /// <summary>About 3,000 characters, 24 different ones, always the same.</summary>
    public static string Text()
    {
        var lines = Enumerable.Range(0, 60)
            .Select(line => string.Join(' ', Enumerable.Range(0, 5)
                .Select(word => Words[((line * 5) + (word * 3) + (line / 8)) % 8])) + ",.;!?"[line % 5]);
        return string.Join('\n', lines) + "\n";
    }

    public static string WriteText(TempFolder temp)
    {
        string path = temp.File("text.txt");
        File.WriteAllText(path, Text());
        return path;
    }

    /// <summary>nano train DATA into a folder, with the tiny options and more.</summary>
    public static string[] Train(string data, string run, params string[] more) =>
        ["train", "shakespeare-char", "--data", data, "--out", run, .. Options, .. more];

    /// <summary>The digest of every file of a run's newest checkpoint, by name.</summary>
    public static SortedDictionary<string, string> Digests(string run)
    {
        string folder = Path.Combine(run, File.ReadAllText(Path.Combine(run, "latest")).Trim());
        return new(Directory.EnumerateFiles(folder).ToDictionary(file => Path.GetFileName(file),
            file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)))));
    }

    /// <summary>
    /// The lines of a run's log without what may differ from one machine, thread count or session
    /// to another.
    /// </summary>
    public static List<string> Log(string run) => [.. File.ReadLines(Path.Combine(run, "log.jsonl")).Select(line =>
    {
        var entry = JsonNode.Parse(line)!.AsObject();
        foreach (string key in (string[])["started", "command", "machine", "milliseconds", "tokens_per_second",
            "gflops", "seconds", "tokens"])
            entry.Remove(key);
        (entry["health"] as JsonObject)?.Remove("resident_bytes");
        return entry.ToJsonString();
    })];

    public static void AssertSame(string expectedRun, string actualRun)
    {
        Assert.Equal(["config.json", "model.safetensors", "optimizer.safetensors", "tokenizer.json", "trainer.json"],
            Digests(actualRun).Keys);
        Assert.Equal(Digests(expectedRun), Digests(actualRun));
        Assert.Equal(Log(expectedRun), Log(actualRun));
    }

    public static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string folder in Directory.EnumerateDirectories(from))
            CopyFolder(folder, Path.Combine(to, Path.GetFileName(folder)));
    }

    /// <summary>
    /// Every file below a folder with its digest, but for the lock, which is empty: two equal
    /// snapshots mean that nothing was touched.
    /// </summary>
    public static SortedDictionary<string, string> Snapshot(string folder) =>
        new(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "running.lock")
            .ToDictionary(file => file, file => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)))));
}

/// <summary>One finished run that several test classes look at and nobody changes.</summary>
public sealed class TinyRun : IDisposable
{
    private readonly TempFolder temp = new();

    public TinyRun()
    {
        Data = Tiny.WriteText(temp);
        Folder = temp.File("run");
        Result = Cli.Run(Tiny.Train(Data, Folder, "--json", "--threads", "2")).Succeeds();
    }

    internal string Data { get; }

    internal string Folder { get; }

    internal CliResult Result { get; }

    /// <summary>The folder of its only checkpoint.</summary>
    internal string Checkpoint => Path.Combine(Folder, "step-000020");

    /// <summary>A copy that a test may spoil.</summary>
    internal string CopyTo(string folder)
    {
        Tiny.CopyFolder(Folder, folder);
        return folder;
    }

    public void Dispose() => temp.Dispose();
}

/// <summary>Test classes that share the run.</summary>
[CollectionDefinition(nameof(TinyRun))]
public sealed class TinyRunCollection : ICollectionFixture<TinyRun>;
