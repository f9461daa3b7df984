using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano data prepare under attack: folders that are not its own, kills, signals, pipes, packed files that
/// expand.</summary>
public sealed class DataSafetyTests : IDisposable
{
    private readonly TempFolder temp = new();
    private readonly string text, tokenizer, data;

    public DataSafetyTests()
    {
        (text, tokenizer, data) = (Tiny.WriteText(temp), temp.File("tokenizer.json"), temp.File("data"));
        BpeTrainer.Train([Tiny.Text()], 280, threads: 1).Save(tokenizer);
    }

    public void Dispose() => temp.Dispose();

    private string[] Prepare(string input, params string[] more) =>
        ["data", "prepare", input, "--tokenizer", tokenizer, "--out", data, .. more];

    public static TheoryData<string> Cases() =>
        [.. Directory.EnumerateDirectories(Goldens.Path("../cases/jsonl")).Select(folder => Path.GetFileName(folder)!)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Cases_of_bug_reports(string name)
    {
        string folder = Goldens.Path("../cases/jsonl/" + name);
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "expect.json")));
        string input = Path.Combine(folder, expected.RootElement.GetProperty("input").GetString()!);
        Cli.Run(Prepare(input, "--field", expected.RootElement.GetProperty("field").GetString()!, "--validation",
            "1")).Succeeds();
        var made = PreparedData.Load(data);
        using TokenShards train = made.Open(made.Train), validation = made.Open(made.Validation);
        Assert.Equal(expected.RootElement.GetProperty("documents").EnumerateArray().Select(document =>
            document.GetString()!),
            made.OpenTokenizer().Decode([.. validation.ToArray(), .. train.ToArray()]).Split("<|endoftext|>").Skip(1));
    }

    /// <summary>The critical fault: any folder with a file named dataset.json was deleted, with "." the working
    /// directory.</summary>
    [Fact]
    public void Folders_that_are_not_ours_are_never_replaced()
    {
        string photos = Directory.CreateDirectory(temp.File("photos")).FullName;
        File.WriteAllText(Path.Combine(photos, "dataset.json"), "{\"name\": \"holiday\"}");
        File.WriteAllText(Path.Combine(photos, "1.jpg"), "mine");
        foreach (string place in (string[])[photos, photos + "/", ".", "./", "..", "/", Path.Combine(photos, "1.jpg")])
        {
            Cli.Run(["data", "prepare", text, "--tokenizer", tokenizer, "--out", place, "--overwrite"], null,
                folder: photos).Fails(1, "hint: ");
            Assert.Equal(["1.jpg", "dataset.json"],
                Directory.GetFileSystemEntries(photos).Select(Path.GetFileName).Order());
        }
        Cli.Run(Prepare(text)).Succeeds();
        File.WriteAllText(Path.Combine(data, "notes.txt"), "mine");
        Cli.Run(Prepare(text, "--overwrite")).Fails(1, "'notes.txt'", "nothing was deleted");
        Assert.Equal("mine", File.ReadAllText(Path.Combine(data, "notes.txt")));
        Assert.Equal(["data", "photos", "text.txt", "tokenizer.json"],
            Directory.GetFileSystemEntries(temp.Root).Select(Path.GetFileName).Order());
    }

    /// <summary>Kills from the first byte of the new data to the last of the old: the folder opens as one or the other,
    /// and the next run succeeds.</summary>
    [Fact]
    public void A_killed_replacement_leaves_the_old_data_or_the_new_and_is_no_obstacle()
    {
        Cli.Run(Prepare(text, "--shard-tokens", "100")).Succeeds();
        int old = PreparedData.Load(data).Train.Files.Count;
        int states = 0;
        foreach (string awaited in (string[])["data.tmp/.nano-unfinished", "data.tmp/train_000005.bin",
            "data.tmp/dataset.json", "data.old.tmp"])
        {
            using (var program = Cli.Start(Prepare(text, "--overwrite", "--shard-tokens", "50")))
            {
                while (!Path.Exists(temp.File(awaited)) && !program.HasExited)
                    Thread.Yield();
                program.Kill();
                program.Finish();
            }
            states += Path.Exists(data + ".tmp") || Path.Exists(data + ".old.tmp") ? 1 : 0;
            using var opened = TrainingData.FromShards(data);
            Assert.InRange(PreparedData.Load(data).Train.Files.Count, old, 2 * old);
            Cli.Run(Prepare(text, "--overwrite", "--shard-tokens", "100")).Succeeds();
            Assert.Equal(old, PreparedData.Load(data).Train.Files.Count);
            Assert.Equal(["data", "text.txt", "tokenizer.json"],
                Directory.GetFileSystemEntries(temp.Root).Select(Path.GetFileName).Order());
        }
        Assert.True(states >= 2, $"only {states} of the kills came in time");
    }

    [Theory]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    [InlineData("INT", 130)]
    public void A_signal_ends_it_where_no_document_ever_comes(string signal, int exitCode)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no signals on Windows");
        Assert.SkipWhen(signal == "INT" && SignalTests.InterruptsAreIgnored(),
            "these tests were started with SIGINT ignored, as in the background of a shell script");
        string bomb = temp.File("bomb.jsonl.gz");
        using (var packed = new GZipStream(File.Create(bomb), CompressionLevel.Fastest))
            for (int i = 0; i < 300; i++)
                packed.Write(Enumerable.Repeat((byte)'\n', 1 << 20).ToArray());
        using var program = Cli.Start(Prepare(bomb));
        while (!Path.Exists(data + ".tmp") && !program.HasExited)
            Thread.Sleep(1);
        program.Signal(signal);
        var result = program.Finish();
        Assert.True(result.ExitCode == exitCode, result.ToString());
        Assert.Contains("stopped; nothing was written", result.Out, StringComparison.Ordinal);
        Assert.Equal(["bomb.jsonl.gz", "text.txt", "tokenizer.json"],
            Directory.GetFileSystemEntries(temp.Root).Select(Path.GetFileName).Order());
    }

    /// <summary>Every verb that reads text, lines, tokens, or a tokenizer or model, given what has no end or lets wait
    /// for ever.</summary>
    [Fact]
    public void Pipes_and_devices_are_refused_at_once()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the kind of a file is known there");
        string pipe = temp.File("pipe");
        using (var make = Process.Start("mkfifo", [pipe]))
            make.WaitForExit();
        string[][] commands =
        [
            Prepare(pipe), Prepare("/dev/zero"), ["train", "--data", pipe, "--out", data],
            ["train", "--data", "/dev/urandom", "--out", data],
            ["tokenize", "train", "--vocab", "300", "--out", temp.File("t"), "/dev/zero"],
            ["tokenize", "bench", "--tokenizer", tokenizer, pipe], ["eval", "--model", pipe, "--data", text],
            ["eval", "choices", "--model", "m", "--data", pipe],
            ["eval", "generate", "--model", "m", "--data", "/dev/zero"],
            ["eval", "hellaswag", "--model", "m", "--data", pipe], ["eval", "score", "--data", pipe],
            ["data", "prepare", text, "--tokenizer", pipe, "--out", data], ["convert", pipe, data],
        ];
        foreach (string[] command in commands)
            Cli.Run(command).Fails(1, "not a file", "hint: copy its content to a file first");
        Cli.Run("tokenize", "train", "--vocab", "260", "--out", "/dev/null", text).Fails(1, "is in the way");
        Cli.Run(Prepare("/proc/self/mem")).Fails(1, "cannot read '/proc/self/mem'");
        Assert.Equal(["pipe", "text.txt", "tokenizer.json"],
            Directory.GetFileSystemEntries(temp.Root).Select(Path.GetFileName).Order());
    }
}
