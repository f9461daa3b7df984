using System.Text.Json.Nodes;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano train --resume: the checkpoint knows everything; what is named besides must agree with it.</summary>
[Collection(nameof(TinyRun))]
public sealed class ResumeTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    private static readonly string[] Options = ["--lr", "0.002", "--seed", "7", "--batch", "4", "--accumulate", "2",
        "--keep", "9", "--data", "text.txt"];

    /// <summary>A whole run of 20 steps of 4 x 2 rows with all its five checkpoints.</summary>
    private string Whole(params string[] more)
    {
        File.Copy(run.Data, temp.File("text.txt"));
        Nano(["train", "shakespeare-char", .. Tiny.Options.Chunk(2).Where(pair => pair[0] != "--batch")
            .SelectMany(pair => pair), .. Options, .. more, "--out", "whole"]).Succeeds();
        return temp.File("whole");
    }

    /// <summary>A copy of a run as if it had died some time after step 10.</summary>
    private string Died(string whole, string name, string step = "step-000010")
    {
        Tiny.CopyFolder(whole, temp.File(name));
        File.WriteAllText(Path.Combine(temp.File(name), "latest"), step + "\n");
        foreach (string folder in Directory.GetDirectories(temp.File(name))
            .Where(folder => string.CompareOrdinal(Path.GetFileName(folder), step) > 0))
            Directory.Delete(folder, recursive: true);
        return temp.File(name);
    }

    private CliResult Nano(params string[] args) => Cli.Run(args, null, null, temp.Root);

    [Fact]
    public void Nothing_needs_to_be_said_again()
    {
        string whole = Whole();
        Assert.Contains("resumed after step 10", Nano("train", "--resume", Path.GetFileName(Died(whole, "a")))
            .Succeeds().Out, StringComparison.Ordinal);
        Tiny.AssertSame(whole, temp.File("a"));
        Nano("train", "--resume", "--out", Died(whole, "b")).Succeeds();
        Tiny.AssertSame(whole, temp.File("b"));
        // Or some of it, in other words, or where the text is now.
        File.Move(temp.File("text.txt"), temp.File("moved.txt"));
        Nano("train", "--resume", Died(whole, "c")).Fails(1, "text.txt");
        Nano("train", "shakespeare-char", "--resume", "--out", temp.File("c"), "--data", "moved.txt", "--lr", "2e-3",
            "--seed", "7", "--threads", "3").Succeeds();
        Assert.Equal(Tiny.Digests(whole)["model.safetensors"], Tiny.Digests(temp.File("c"))["model.safetensors"]);
        Assert.Equal(Tiny.Log(whole), Tiny.Log(temp.File("c")));
    }

    [Theory]
    [InlineData("8", "1")]
    [InlineData("1", "8")]
    public void A_batch_may_be_split_otherwise(string batch, string accumulate)
    {
        string whole = Whole(), other = Died(whole, "other");
        Nano("train", "--resume", other, "--batch", batch, "--accumulate", accumulate).Succeeds();
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(Tiny.Digests(whole)[file], Tiny.Digests(other)[file]);
        Assert.Equal(Tiny.Log(whole), Tiny.Log(other));
        var options = JsonNode.Parse(File.ReadAllText(Path.Combine(other, "step-000020", "trainer.json")))!["options"]!;
        Assert.Equal((batch, accumulate), (options["batch"]!.ToString(), options["accumulate"]!.ToString()));
    }

    [Fact]
    public void What_is_named_and_differs_is_listed_and_nothing_is_written()
    {
        string died = Died(Whole(), "died");
        var before = Tiny.Snapshot(died);
        Nano("train", "llama-char", "--resume", "--out", died, "--accumulate", "3", "--seed", "1337", "--steps", "30")
            .Fails(1,
            ": accumulate was 2 and is now 3; preset was shakespeare-char and is now llama-char; seed was 7 and is "
            + "now 1337\n", "leave them out");
        Nano("train", "--resume", died, "--out", temp.File("elsewhere")).Fails(1, died, "elsewhere", "name it once");
        Nano("train", "--resume", temp.File("nowhere")).Fails(1, "no checkpoint to resume", "nowhere");
        Nano("train", "--resume", died, "--keep", "0").Fails(1, "--keep must be at least 1");
        Assert.Equal(before, Tiny.Snapshot(died));
    }

    /// <summary>
    /// The preset warms up for 100 steps: until then no learning rate depends on the number of
    /// steps, and the longer run is the one that was meant to be long from the start.
    /// </summary>
    [Fact]
    public void There_may_be_more_steps_where_no_learning_rate_so_far_would_have_been_another()
    {
        string died = Died(Whole(), "died");
        Nano("train", "--resume", died, "--steps", "30").Succeeds();
        string[] options = [.. Tiny.Model.Chunk(2).Where(pair => pair[0] != "--batch").SelectMany(pair => pair),
            "--eval-interval", "5"];
        Nano(["train", "shakespeare-char", .. options, .. Options, "--steps", "30", "--out", "long"]).Succeeds();
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors", "trainer.json"])
            Assert.Equal(Tiny.Digests(temp.File("long"))[file], Tiny.Digests(died)[file]);
    }

    [Fact]
    public void The_best_checkpoint_is_a_model()
    {
        string whole = Whole("--min-lr", "0.002");
        string best = File.ReadAllText(Path.Combine(whole, "best")).Trim();
        var evaluations = Tiny.Log(whole).Select(line => JsonNode.Parse(line)!)
            .Where(entry => (string)entry["kind"]! == "eval").ToList();
        Assert.Equal($"step-{(int)evaluations.MinBy(entry => (double)entry["val_loss"]!)!["step"]!:D6}", best);
        string[] Generate(string model) => ["generate", "--model", model, "--max-tokens", "20", "--prompt", "to"];
        File.WriteAllText(Path.Combine(whole, "best"), "step-000005\n");
        Assert.Equal(Nano(Generate("whole/step-000005")).Succeeds().Out, Nano(Generate("whole/best")).Succeeds().Out);
        Assert.Equal(Nano(Generate("whole/step-000020")).Succeeds().Out, Nano(Generate("whole")).Succeeds().Out);
        Nano("eval", "--model", "whole/best", "--data", "text.txt").Succeeds();
        Nano("info", "--model", "whole/best").Succeeds();
        Nano("convert", "whole/best", "copied").Succeeds();
    }
}
