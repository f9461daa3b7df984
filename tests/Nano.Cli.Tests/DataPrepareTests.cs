using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano data prepare, and training and evaluation on what it leaves.</summary>
public sealed class DataPrepareTests : IDisposable
{
    private readonly TempFolder temp = new();
    private readonly string tokenizer, text;

    public DataPrepareTests()
    {
        (text, tokenizer) = (Tiny.WriteText(temp), temp.File("tokenizer.json"));
        BpeTrainer.Train([Tiny.Text()], 280, threads: 1).Save(tokenizer);
    }

    public void Dispose() => temp.Dispose();

    private string[] Prepare(params string[] more) =>
        ["data", "prepare", text, "--tokenizer", tokenizer, "--out", temp.File("data"), .. more];

    [Fact]
    public void Prepared_data_trains_and_evaluates()
    {
        var made = Cli.Run(Prepare("--json", "--threads", "2", "--shard-tokens", "1K")).Succeeds();
        Assert.Equal(["folder", "train_tokens", "validation_tokens", "documents", "bytes", "validation_bytes_per_token",
            "empty_documents", "skipped_lines", "seconds"], made.JsonKeys);
        string run = temp.File("run");
        Cli.Run(["train", "shakespeare-char", "--data", temp.File("data"), "--out", run, .. Tiny.Model, "--steps", "6",
            "--eval-interval", "3", "--sampling", "epochs", "--pack"]).Succeeds();
        Assert.True(Cli.Run("eval", "--model", run, "--data", temp.File("data"), "--json").Succeeds().Json
            .GetProperty("tokens").GetInt64() == made.Json.GetProperty("validation_tokens").GetInt64() - 1);
        // one document is in one split
        Cli.Run(Prepare("--overwrite", "--validation", "documents:0.5", "--format", "sections")).Fails(1, "nothing to");
        Cli.Run(["train", "shakespeare-char", "--data", temp.File("data"), "--out", run, .. Tiny.Model, "--steps", "6",
            "--eval-interval", "3", "--pack", "--sampling", "random", "--resume"]).Fails(1, "sampling was epochs");
    }

    [Fact]
    public void Mistakes_are_answered()
    {
        Cli.Run(Prepare("--recipe", "llmc", "--format", "text")).Fails(1, "--recipe llmc says what --format is");
        Cli.Run(Prepare("--recipe", "llm")).Fails(1, "there is no recipe 'llm'", "llmc");
        Cli.Run(Prepare("--format", "xml")).Fails(1, "there is no format 'xml'");
        Cli.Run(Prepare("--validation", "1.5")).Fails(1, "'1.5' is not a validation split", "hint: write 0.1");
        Cli.Run(Prepare("--shard-tokens", "3G")).Fails(1, "'3G' is not a number of tokens");
        Cli.Run(Prepare("--threads", "0")).Fails(1, "--threads must be from 1");
        Cli.Run("data", "prepare", text, "--out", temp.File("data")).Fails(1, "a --tokenizer is missing");
        Cli.Run("data", "prepare", text, "--tokenizer", "characters", "--out", temp.File("data"))
            .Fails(1, "only of that text");
        Cli.Run("train", "--data", temp.Root, "--out", temp.File("run")).Fails(1, "no prepared data");
        Cli.Run("train", "--data", text, "--validation-data", text, "--out", temp.File("run"))
            .Fails(1, "--validation-data goes with a token file");
        Assert.False(Directory.Exists(temp.File("data")));
    }

    [Fact]
    public void A_full_disk_leaves_nothing()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "a small disk of one's own is made with tmpfs, which is Linux");
        string disk = Directory.CreateDirectory(temp.File("disk")).FullName;
        Assert.SkipUnless(Cli.HasRun("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk),
            "mounting a small tmpfs is not allowed here");
        try
        {
            string large = temp.File("large.txt");
            File.WriteAllText(large, string.Concat(Enumerable.Repeat(Tiny.Text(), 100)));
            Cli.Run("data", "prepare", large, "--tokenizer", tokenizer, "--out", Path.Combine(disk, "data"))
                .Fails(1, "no space left");
            Assert.Empty(Directory.GetFileSystemEntries(disk));
        }
        finally
        {
            Cli.HasRun("umount", disk);
        }
    }
}
