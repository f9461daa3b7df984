using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano train --tokenizer, and what follows with the run's folder alone.</summary>
public sealed class TrainTokenizerTests : IDisposable
{
    private readonly TempFolder temp = new();
    private readonly string data, tokenizer;

    public TrainTokenizerTests()
    {
        (data, tokenizer) = (Tiny.WriteText(temp), temp.File("bpe.json"));
        BpeTrainer.Train([Tiny.Text()], 280, threads: 1).Save(tokenizer);
    }

    public void Dispose() => temp.Dispose();

    [Fact]
    public void A_run_on_learned_tokens_is_shown_resumed_generated_from_and_evaluated()
    {
        string run = temp.File("run"), whole = temp.File("whole");
        var result = Cli.Run(Tiny.Train(data, run, "--tokenizer", tokenizer, "--json")).Succeeds();
        var counts = Regex.Match(result.Error,
            @"([\d,]+) tokens to train on, ([\d,]+) to validate, vocabulary of 280\n");
        Assert.True(counts.Success, result.ToString());
        string text = Tiny.Text(), validation = text[(int)(text.Length * 0.9)..];
        int tokens = TokenizerLoader.Load(tokenizer).Encode(validation).Length;
        Assert.Equal(tokens,
            int.Parse(counts.Groups[2].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture));
        string bits = Regex.Match(result.Error,
            @"over the whole validation split, (\d+\.\d+) bits per byte\n").Groups[1].Value;
        double expected = result.Json.GetProperty("val_loss").GetDouble() * tokens
            / Encoding.UTF8.GetByteCount(validation) / Math.Log(2);
        Assert.Equal(expected, double.Parse(bits, CultureInfo.InvariantCulture), 1e-4);

        // Stopped on its way and resumed with the tokenizer of its own folder.
        Cli.Run(Tiny.Train(data, whole, "--tokenizer", tokenizer)).Succeeds();
        using (var stopped = Cli.Start(Tiny.Train(data, temp.File("cut"), "--tokenizer", tokenizer)))
        {
            stopped.WaitFor("eval      0");
            stopped.Signal("TERM");
            stopped.Finish();
        }
        Cli.Run(Tiny.Train(data, temp.File("cut"), "--resume")).Succeeds();
        Tiny.AssertSame(whole, temp.File("cut"));

        var made = Cli.Run("generate", "--model", run, "--prompt", "to be", "--max-tokens", "12", "--json").Succeeds();
        Assert.Equal(TokenizerLoader.Load(tokenizer).Encode("to be"),
            made.Json.GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt32()));
        Cli.Run("generate", "--model", run, "--max-tokens", "3").Succeeds();
        Assert.Equal(TokenizerLoader.Load(tokenizer).Encode(text).Length - 1,
            Cli.Run("eval", "--model", run, "--data", data, "--json").Succeeds().Json.GetProperty("tokens").GetInt32());
    }

    [Fact]
    public void A_tokenizer_that_is_missing_other_or_none_is_an_error_with_a_hint()
    {
        string run = temp.File("run");
        Cli.Run(Tiny.Train(data, run, "--tokenizer", tokenizer)).Succeeds();
        var before = Tiny.Snapshot(run);
        Cli.Run(Tiny.Train(data, run, "--resume", "--tokenizer", "characters"))
            .Fails(1, "tokenizer_sha256 was ", "is now not set", "hint: ");
        Cli.Run(Tiny.Train(data, run, "--resume", "--tokenizer", temp.File("no.json"))).Fails(1, "no.json", "hint: ");
        Assert.Equal(before, Tiny.Snapshot(run));
        string nothing = temp.File("nothing");
        Cli.Run("train", "llama-15m", "--data", data, "--out", nothing)
            .Fails(1, "'llama-15m' needs a --tokenizer", "nano tokenize train");
        Cli.Run("train", "gpt2-124m", "--data", data, "--out", nothing).Fails(1, "'gpt2'", "nano data gpt2-tokenizer");
        Assert.False(Directory.Exists(nothing));
        Assert.Contains("to be named for llama-15m",
            Regex.Replace(Cli.Run("train", "--help").Succeeds().Out, @"\s+", " "), StringComparison.Ordinal);
    }
}
