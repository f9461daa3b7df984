using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// Texts and options that cannot be trained on: an error that says what and where, and nothing is
/// written.
/// </summary>
[Collection(nameof(TinyRun))]
public sealed class BadTrainingTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();

    private string Run => temp.File("run");

    public void Dispose() => temp.Dispose();

    [Fact]
    public void An_empty_text() => RefusesText([], "is empty", "text.txt");

    [Fact]
    public void A_text_shorter_than_one_window() =>
        RefusesText("to be or not"u8.ToArray(), "tokens, but a window takes 17", "--seq");

    [Fact]
    public void A_text_that_is_not_utf8()
    {
        var bytes = System.Text.Encoding.ASCII.GetBytes(Tiny.Text());
        bytes[1234] = 0xFC;
        RefusesText(bytes, "text.txt", "not UTF-8", "0xFC at offset 1234", "iconv");
    }

    [Fact]
    public void A_text_that_is_missing() => Cli.Run(Tiny.Train(temp.File("nowhere.txt"), Run))
        .Fails(1, "there is no file", "nowhere.txt", "hint: ");

    private void RefusesText(byte[] text, params string[] words)
    {
        File.WriteAllBytes(temp.File("text.txt"), text);
        var result = Cli.Run(Tiny.Train(temp.File("text.txt"), Run)).Fails(1, [.. words, "hint: "]);
        Assert.Empty(result.Out);
        Assert.False(Directory.Exists(Run));
    }

    [Theory]
    [InlineData("--threads 0", "--threads must be from 1 to 1024, got 0")]
    [InlineData("--heads 3", "16 channels cannot be divided among 3 heads")]
    [InlineData("--layers 0", "number of layers is 0")]
    [InlineData("--layers 60000 --channels 65536", "bytes to train", "--layers")]
    [InlineData("--batch 0", "--batch must be at least 1, got 0")]
    [InlineData("--seq 0", "0")]
    [InlineData("--seq 2700", "the training text has 2", "a window takes 2701", "--seq")]
    [InlineData("--seq 1000", "the validation text has 2", "a window takes 1001", "--seq")]
    [InlineData("--accumulate 0", "--accumulate must be at least 1, got 0")]
    [InlineData("--eval-interval 0", "--eval-interval must be at least 1, got 0")]
    [InlineData("--steps -1", "--steps must be 0 or more, got -1")]
    [InlineData("--label-smoothing 1", "--label-smoothing must be from 0 to below 1, got 1")]
    [InlineData("--label-smoothing NaN", "--label-smoothing", "got NaN")]
    [InlineData("--z-loss -1", "--z-loss must be 0 or more, got -1")]
    [InlineData("--activations bf16 --checkpoint-activations", "--activations bf16 says how", "--recompute stores none",
        "leave out one of them")]
    [InlineData("--lr 0", "--lr must be a positive number, got 0")]
    [InlineData("--lr -0.1", "--lr must be a positive number, got -0.1")]
    [InlineData("--lr NaN", "--lr must be a positive number, got NaN")]
    [InlineData("--lr Infinity", "--lr must be a positive number, got Infinity")]
    [InlineData("--min-lr NaN", "--min-lr", "got NaN")]
    [InlineData("--min-lr -1", "--min-lr", "got -1")]
    [InlineData("--min-lr 1", "--min-lr", "got 1")]
    [InlineData("--optimizer adamx", "there is no optimizer 'adamx'", "did you mean 'adam")]
    [InlineData("--optimizer sgd --beta1 0.9", "--beta1 does not apply to sgd", "--momentum")]
    [InlineData("--optimizer lion --weight-decay NaN", "--weight-decay must be 0 or more, got NaN")]
    [InlineData("--beta2 1", "--beta2 must be from 0 to below 1, got 1")]
    [InlineData("--clip-norm 0", "--clip-norm must be a positive number, got 0", "Infinity")]
    [InlineData("--schedule cosin", "there is no schedule 'cosin'", "did you mean 'cosine'")]
    [InlineData("--schedule linear --decay-steps 3", "--decay-steps does not apply to the schedule 'linear'")]
    [InlineData("--warmup -1", "--warmup must be 0 or more, got -1")]
    public void Impossible_options(string options, params string[] words)
    {
        string[] more = options.Split(' ');
        // An option can be given once: the tiny one makes way.
        var line = Tiny.Options.Chunk(2).Where(pair => !more.Contains(pair[0])).SelectMany(pair => pair);
        var result = Cli.Run(["train", "--data", run.Data, "--out", Run, .. line, .. more]).Fails(1, words);
        Assert.Empty(result.Out);
        Assert.False(Directory.Exists(Run));
    }

    [Theory]
    [InlineData("1e9")]
    [InlineData("1e300")]
    public void A_learning_rate_that_blows_the_model_up_names_the_step_and_the_first_bad_tensor(string rate)
    {
        string[] options = ["train", "--data", run.Data, "--out", Run, .. Tiny.Model, "--steps", "50",
            "--eval-interval", "1"];
        Cli.Run([.. options, "--lr", rate]).Fails(1, "error: step ", "not finite; first in ", "16], element ",
            "lower --lr");
        AssertFinite(Run);
        Cli.Run("generate", "--model", Run, "--max-tokens", "5").Succeeds();
    }

    private static void AssertFinite(string run)
    {
        using var model = ModelDirectory.Load(run).Model;
        foreach (var parameter in model.Parameters.All)
            foreach (float value in parameter.Data)
                Assert.True(float.IsFinite(value), $"{parameter.Name} of the last checkpoint holds {value}");
    }

    [Fact]
    public void A_run_that_exists_is_left_untouched()
    {
        var before = Tiny.Snapshot(run.Folder);
        var result = Cli.Run(Tiny.Train(run.Data, run.Folder))
            .Fails(1, "already holds a run", "--resume", "--overwrite");
        Assert.Empty(result.Out);
        Assert.Equal(before, Tiny.Snapshot(run.Folder));
    }

    [Fact]
    public void Overwrite_starts_again_and_gives_the_same_bytes()
    {
        string copy = run.CopyTo(temp.File("copy"));
        File.WriteAllText(Path.Combine(copy, "step-000020", "model.safetensors"), "spoilt");
        Cli.Run(Tiny.Train(run.Data, copy, "--overwrite")).Succeeds();
        Tiny.AssertSame(run.Folder, copy);
    }

    [Fact]
    public void The_corpus_with_a_wrong_digest_is_refused_and_left_untouched()
    {
        File.WriteAllText(temp.File("tinyshakespeare.txt"), Tiny.Text());
        var environment = new Dictionary<string, string> { ["NANO_DATA"] = temp.Root };
        string[] words = ["tinyshakespeare.txt",
            "expected sha256 86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                "nano data shakespeare"];
        Cli.Run(["data", "shakespeare"], null, environment).Fails(1, words);
        Cli.Run(["train", .. Tiny.Options, "--out", Run], null, environment).Fails(1, words);
        Assert.Equal(Tiny.Text(), File.ReadAllText(temp.File("tinyshakespeare.txt")));
        Assert.False(Directory.Exists(Run));
    }

    [Fact]
    public void Without_network_and_data_the_built_in_corpus_is_used_and_one_line_says_so()
    {
        var environment = new Dictionary<string, string> { ["NANO_DATA"] = temp.File("empty") };
        var result = Cli.Run(["train", "--steps", "2", "--layers", "1", "--heads", "2", "--channels", "16", "--batch",
            "64", "--out", Run], null, environment).Succeeds();
        string line = Assert.Single(result.Out.Split('\n'),
            line => line.Contains("built-in corpus", StringComparison.Ordinal));
        Assert.Contains("network", line, StringComparison.Ordinal);
        Assert.True(Checkpoint.Exists(Run));
        Cli.Run(["data", "shakespeare"], null, environment).Fails(1, "cannot download 'tinyshakespeare.txt'", "hint: ");
    }
}
