using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>Checkpoints that are damaged, absent or of another run.</summary>
[Collection(nameof(TinyRun))]
public sealed class BadCheckpointTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("optimizer.safetensors")]
    [InlineData("tokenizer.json")]
    [InlineData("trainer.json")]
    public void A_file_that_is_cut_short_is_named(string name)
    {
        string copy = run.CopyTo(temp.File("copy")), file = Path.Combine(copy, "step-000020", name);
        byte[] whole = File.ReadAllBytes(file);
        foreach (int length in (int[])[whole.Length / 2, whole.Length - 1, 0])
        {
            File.WriteAllBytes(file, whole[..length]);
            if (length == whole.Length - 1 && whole[^1] == '\n')
                continue; // JSON without its last line feed is whole
            var before = Tiny.Snapshot(copy);
            Cli.Run(Tiny.Train(run.Data, copy, "--resume")).Fails(1, name);
            if (name is not ("optimizer.safetensors" or "trainer.json"))
                Cli.Run("generate", "--model", copy).Fails(1, name);
            Assert.Equal(before, Tiny.Snapshot(copy));
        }
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    [InlineData("optimizer.safetensors")]
    [InlineData("trainer.json")]
    public void A_file_that_is_missing_is_named(string name)
    {
        string copy = run.CopyTo(temp.File("copy"));
        File.Delete(Path.Combine(copy, "step-000020", name));
        Cli.Run(Tiny.Train(run.Data, copy, "--resume")).Fails(1, name);
    }

    [Fact]
    public void A_tokenizer_that_is_missing_is_asked_for()
    {
        string copy = run.CopyTo(temp.File("copy")), tokenizer = Path.Combine(copy, "step-000020", "tokenizer.json"),
            moved = temp.File("tokenizer.json");
        File.Move(tokenizer, moved);
        Cli.Run("generate", "--model", copy).Fails(1, "brings no tokenizer", "--tokenizer");
        Cli.Run("generate", "--model", copy, "--tokenizer", moved, "--max-tokens", "5").Succeeds();
    }

    [Theory]
    [InlineData("")]
    [InlineData("../elsewhere")]
    [InlineData("step-000015")]
    public void A_pointer_to_nowhere_is_an_error(string latest)
    {
        string copy = run.CopyTo(temp.File("copy"));
        File.WriteAllText(Path.Combine(copy, "latest"), latest);
        Cli.Run(Tiny.Train(run.Data, copy, "--resume")).Fails(1, copy);
        Cli.Run("generate", "--model", copy).Fails(1, copy);
        Cli.Run("info", "--model", copy).Fails(1, copy);
    }

    [Fact]
    public void A_run_of_other_options_lists_every_difference_and_no_other()
    {
        var before = Tiny.Snapshot(run.Folder);
        var result = Cli.Run("train", "--data", run.Data, "--out", run.Folder, "--resume", "--layers", "2", "--heads",
            "2", "--channels", "16", "--seq", "16", "--batch", "5", "--steps", "20",
            "--eval-interval", "5", "--lr", "0.002", "--seed", "7").Fails(1, "other options", "hint: ");
        string[] differences = ["batch was 4 and is now 5", "layers was 1 and is now 2",
            "lr was 0.001 and is now 0.002", "min_lr was 0.0001 and is now 0.0002", "seed was 1337 and is now 7"];
        Assert.Contains(": " + string.Join("; ", differences) + "\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(before, Tiny.Snapshot(run.Folder));
    }

    [Fact]
    public void A_run_of_another_text_is_refused()
    {
        string other = temp.File("other.txt");
        File.WriteAllText(other, Tiny.Text() + "the question\n");
        Cli.Run(Tiny.Train(other, run.Folder, "--resume")).Fails(1, "other options: corpus_sha256 was ");
    }

    [Fact]
    public void Nothing_to_resume()
    {
        Cli.Run(Tiny.Train(run.Data, temp.File("run"), "--resume"))
            .Fails(1, "no checkpoint to resume", "leave out --resume");
        Assert.False(Directory.Exists(temp.File("run")));
    }
}
