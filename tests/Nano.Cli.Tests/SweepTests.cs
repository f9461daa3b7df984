using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano sweep, and what watches over a run, from the command line.</summary>
[Collection(nameof(TinyRun))]
public sealed class SweepTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public void A_sweep_makes_the_runs_that_train_would_make_and_is_not_made_twice()
    {
        string[] sweep = ["sweep", "shakespeare-char", "--lr", "1e-3,1e-2", "--data", run.Data, .. Tiny.Options,
            "--out", temp.File("sweep"), "--json"];
        var first = Cli.Run(sweep).Succeeds();
        Assert.Equal(["runs", "best", "report"], first.JsonKeys);
        Assert.Equal("lr=1e-2", first.Json.GetProperty("best").GetString());
        Assert.Equal(["done", "done"], first.Json.GetProperty("runs").EnumerateArray()
            .Select(one => one.GetProperty("status").GetString()));
        Assert.Contains("rank    lr  val loss", first.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(first.Json.GetProperty("report").GetString()));
        Cli.Run(["train", "shakespeare-char", "--data", run.Data, .. Tiny.Options, "--lr", "1e-2", "--out",
            temp.File("alone")]).Succeeds();
        Assert.Equal(Tiny.Digests(temp.File("alone")), Tiny.Digests(temp.File("sweep/lr=1e-2")));

        var before = Tiny.Snapshot(temp.File("sweep"));
        var second = Cli.Run(sweep).Succeeds();
        Assert.Equal(JsonSerializer.Serialize(first.Json), JsonSerializer.Serialize(second.Json));
        Assert.Equal(before, Tiny.Snapshot(temp.File("sweep")));
        Cli.Run([.. sweep, "--min-lr", "1e-4"]).Fails(1, "--min-lr was left out and is now 1e-4", "hint: ");
    }

    [Fact]
    public void A_run_with_everything_watching_leaves_averaged_weights_to_generate_from()
    {
        string[] options = ["train", "shakespeare-char", "--data", run.Data, .. Tiny.Options, "--out",
            temp.File("run")];
        Cli.Run([.. options, "--on-spike", "rollback", "--spike-z", "8", "--max-rollbacks", "2", "--ema", "0.9",
            "--patience", "3", "--min-delta", "0.001", "--dropout", "0.1"]).Succeeds();
        string folder = temp.File("run/step-000020/ema");
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"],
            Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Cli.Run("generate", "--model", folder, "--max-tokens", "20").Succeeds();
        Assert.Contains("0.1", File.ReadAllText(temp.File("run/step-000020/config.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--ema 1.5", "--ema must be from 0 to below 1, got 1.5")]
    [InlineData("--on-spike skip --spike-z 0", "--spike-z must be a positive number, got 0")]
    [InlineData("--max-rollbacks 0", "--max-rollbacks must be at least 1, got 0")]
    [InlineData("--patience -1", "--patience must be 0 or more, got -1")]
    [InlineData("--min-delta NaN", "--min-delta must be 0 or more, got NaN")]
    [InlineData("--dropout 1", "the dropout is 1")]
    [InlineData("--dropout NaN", "the dropout is NaN")]
    public void Impossible_options(string options, string words)
    {
        Cli.Run(["train", "shakespeare-char", "--data", run.Data, .. Tiny.Options, "--out", temp.File("run"),
            .. options.Split(' ')]).Fails(1, words);
        Assert.False(Directory.Exists(temp.File("run")));
    }
}
